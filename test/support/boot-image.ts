import { execFileSync } from 'node:child_process';
import { crc32 } from 'node:zlib';
import type { ByteOrder } from '../../plugin/bytes/endian.js';
import { linkedBytes } from './linked-elf.js';

/** As the kernel's build packs (scripts/Makefile.lib), at levels that cost less time; `lz4-frame` is what lz4 does by itself. */
export const PACKERS = {
  gzip: ['gzip', '-n', '-c'],
  bzip2: ['bzip2', '-c'],
  xz: ['xz', '-1', '--check=crc32', '--threads=1', '-c'],
  lzma: ['xz', '-1', '--format=lzma', '-c'],
  zstd: ['zstd', '-q', '-c'],
  lz4: ['lz4', '-l', '-q', '-c'],
  'lz4-frame': ['lz4', '-q', '-c'],
  lzo: ['lzop', '-c'],
} as const;

export type Packer = keyof typeof PACKERS;

/** Debian packages of the programs above, for the message of a test that lacks one. */
export const PACKAGES: Readonly<Record<string, string>> = { xz: 'xz-utils' };

export function pack(packer: Packer, bytes: Uint8Array): Buffer {
  const [program, ...options] = PACKERS[packer];
  return execFileSync(program, options, { input: bytes, maxBuffer: 2 ** 30, stdio: ['pipe', 'pipe', 'ignore'] });
}

/** size_append: the size of what was packed, behind every payload but gzip's. */
export function withSize(packed: Uint8Array, unpacked: Uint8Array): Buffer {
  const size = Buffer.alloc(4);
  size.writeUInt32LE(unpacked.length);
  return Buffer.concat([packed, size]);
}

/** Bytes as of code: no two stretches alike, nothing that packs well, the same in each run. */
export function filler(length: number, seed = 1): Buffer {
  const bytes = Buffer.alloc(length);
  for (let i = 0, state = seed; i < length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}

const CODE = 40_000;

/** A kernel as `objcopy -O binary` leaves it: no headers, the BTF between code and data, at no aligned place. */
export function kernelBinary(...btfs: readonly Uint8Array[]): Buffer {
  return Buffer.concat([filler(CODE + 2), ...btfs.flatMap((btf, nth) => [btf, filler(5_001, nth + 7)])]);
}

/** Where the BTF of such a kernel starts. */
export const BTF_AT = CODE + 2;

/** setup of 2 sectors and a boot sector, the decompressor's code, the payload, more of the decompressor. */
export function bzImage(payload: Uint8Array, version = 0x20f): Buffer {
  const setup = Buffer.alloc(3 * 512);
  setup[0x1f1] = 2;
  setup.writeUInt16LE(0xaa55, 0x1fe);
  setup.write('HdrS', 0x202, 'latin1');
  setup.writeUInt16LE(version, 0x206);
  setup.writeUInt32LE(1000, 0x248);
  setup.writeUInt32LE(payload.length, 0x24c);
  return Buffer.concat([setup, filler(1000), payload, filler(3000, 3)]);
}

export function efiZboot(payload: Uint8Array): Buffer {
  const header = Buffer.alloc(512);
  header.write('MZ', 0, 'latin1');
  header.write('zimg', 4, 'latin1');
  header.writeUInt32LE(header.length, 8);
  header.writeUInt32LE(payload.length, 12);
  header.write('any', 24, 'latin1');
  return Buffer.concat([header, payload, filler(2000, 5)]);
}

/** The decompressor has the magics of streams in its code, and a device tree stands behind the end. */
export function armZImage(payload: Uint8Array, order: ByteOrder = 'little'): Buffer {
  const header = Buffer.alloc(0x40);
  const word = (value: number, at: number): number =>
    order === 'little' ? header.writeUInt32LE(value, at) : header.writeUInt32BE(value, at);
  const code = Buffer.concat([
    filler(500, 2),
    Buffer.from('1f8b08fd377a585a005d0000894c5a4f28b52ffd02214c18', 'hex'),
    filler(500, 4),
  ]);
  const image = Buffer.concat([header, code, payload, filler(32, 6)]);
  word(0x016f2818, 0x24);
  word(0, 0x28);
  word(image.length, 0x2c);
  header.copy(image);
  return Buffer.concat([image, Buffer.from('d00dfeed', 'hex'), filler(100, 8)]);
}

export function arm64Image(kernel: Uint8Array, magic = 'ARM\x64'): Buffer {
  const header = Buffer.alloc(64);
  header.write(magic, 0x38, 'latin1');
  return Buffer.concat([header, kernel]);
}

export function s390Image(payload: Uint8Array): Buffer {
  const head = Buffer.alloc(0x11000);
  head.write('S390EP', 0x10008, 'latin1');
  return Buffer.concat([head, payload, filler(100, 9)]);
}

/** An ELF file whose .data has the payload between other things. */
export function mipsVmlinuz(payload: Uint8Array, order: ByteOrder = 'big'): Buffer {
  const section = (name: string, data: Uint8Array, addr: bigint) => ({ name, type: 1, flags: 3, align: 4, data, addr });
  return Buffer.from(
    linkedBytes({
      class: 32,
      order,
      machine: 8,
      sections: [
        section('.text', filler(3000, 11), 0x8010_0000n),
        section('.data', Buffer.concat([filler(300, 12), payload, filler(40, 13)]), 0x8020_0000n),
      ],
    }),
  );
}

export const UIMAGE = { none: 0, gzip: 1, bzip2: 2, lzma: 3, lzo: 4, lz4: 5, zstd: 6 } as const;

/** `mkimage`: a header whose CRC counts it with the CRC's own field zero. `type` 4: the data is a list of parts. */
export function uImage(data: Uint8Array, compression: number, type = 2): Buffer {
  const header = Buffer.alloc(64);
  header.writeUInt32BE(0x27051956, 0);
  header.writeUInt32BE(data.length, 12);
  header.writeUInt32BE(crc32(data), 24);
  header.set([5, 2, type, compression], 28);
  header.write('Linux', 32, 'latin1');
  header.writeUInt32BE(crc32(header), 4);
  return Buffer.concat([header, data]);
}

/** The data of a uImage of more than one part. */
export function parts(...all: readonly Uint8Array[]): Buffer {
  const sizes = Buffer.alloc(4 * (all.length + 1));
  for (const [i, { length }] of all.entries()) sizes.writeUInt32BE(length, 4 * i);
  return Buffer.concat([sizes, ...all]);
}
