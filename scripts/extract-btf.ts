/**
 * Takes the raw BTF out of a boot image: node build/scripts/extract-btf.js VMLINUZ OUTPUT
 *
 * Knows x86's bzImage, the EFI zboot image of arm64 and others, and a plain or compressed Image. Needs xz, zstd or lz4
 * where the image is packed with it. The largest BTF that decodes whole is the kernel's own.
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { execa } from 'execa';
import { Btf } from '../plugin/btf/btf.js';
import type { ByteOrder } from '../plugin/bytes/endian.js';
import { EndianReader } from '../plugin/bytes/endian.js';
import { CodedError } from '../plugin/errors.js';

interface Packer {
  readonly magic: string;
  readonly command: readonly [tool: string, ...args: string[]];
  readonly debianPackage: string;
}

/** First bytes of a packed kernel (hexadecimal), and what unpacks it. gzip is Node's own. */
const GZIP_MAGIC = '1f8b08';
const PACKERS: readonly Packer[] = [
  { magic: 'fd377a585a00', command: ['xz', '-dc', '--single-stream'], debianPackage: 'xz-utils' },
  { magic: '28b52ffd', command: ['zstd', '-dcq'], debianPackage: 'zstd' },
  { magic: '02214c18', command: ['lz4', '-dcq'], debianPackage: 'lz4' },
  { magic: '5d0000', command: ['xz', '-dc', '--format=lzma'], debianPackage: 'xz-utils' },
];

/** Bytes that x86 appends to every payload but gzip's: the unpacked size (scripts/Makefile.lib, size_append). */
const SIZE_APPENDED = 4;

const ascii = (bytes: Uint8Array, from: number, length: number): string =>
  Buffer.from(bytes.subarray(from, from + length)).toString('latin1');

/** The packed kernel inside a boot image; the image itself when it has no header that tells. */
function payloadOf(image: Uint8Array): Uint8Array {
  const reader = new EndianReader(image, 'little');
  if (ascii(image, 0x202, 4) === 'HdrS') {
    // Documentation/arch/x86/boot.rst: setup_sects (0: 4), payload_offset from the protected-mode code, payload_length.
    const start = ((reader.u8(0x1f1) || 4) + 1) * 512 + reader.u32(0x248);
    const payload = image.subarray(start, start + reader.u32(0x24c));
    return hasMagic(payload, GZIP_MAGIC) ? payload : payload.subarray(0, -SIZE_APPENDED);
  }
  if (ascii(image, 0, 2) === 'MZ' && ascii(image, 4, 4) === 'zimg') {
    // drivers/firmware/efi/libstub/zboot-header.S: payload offset and size.
    const start = reader.u32(8);
    return image.subarray(start, start + reader.u32(12));
  }
  return image;
}

const hasMagic = (bytes: Uint8Array, magic: string): boolean =>
  Buffer.from(bytes.subarray(0, magic.length / 2)).toString('hex') === magic;

async function unpack(packed: Uint8Array): Promise<Uint8Array> {
  if (hasMagic(packed, GZIP_MAGIC)) return gunzipSync(packed);
  const packer = PACKERS.find(({ magic }) => hasMagic(packed, magic));
  if (packer === undefined) return packed;
  const [tool, ...args] = packer.command;
  const result = await execa(tool, args, { input: packed, encoding: 'buffer', maxBuffer: 2 ** 30, reject: false });
  if (result.exitCode === 0) return result.stdout;
  throw new Error(
    result.exitCode === undefined
      ? `${tool} is missing: apt-get install ${packer.debianPackage}`
      : `${tool} failed: ${Buffer.from(result.stderr).toString()}`,
  );
}

/** Magic, version 1, no flags: the first four bytes of a BTF (include/uapi/linux/btf.h). */
const STARTS: readonly { order: ByteOrder; bytes: Buffer }[] = [
  { order: 'little', bytes: Buffer.from('9feb0100', 'hex') },
  { order: 'big', bytes: Buffer.from('eb9f0100', 'hex') },
];

/** The largest BTF in `kernel` that decodes whole, or undefined. */
function findBtf(kernel: Uint8Array): Uint8Array | undefined {
  const haystack = Buffer.from(kernel.buffer, kernel.byteOffset, kernel.byteLength);
  let best: Uint8Array | undefined;
  for (const { order, bytes } of STARTS) {
    for (let at = haystack.indexOf(bytes); at >= 0; at = haystack.indexOf(bytes, at + 1)) {
      const found = btfAt(kernel.subarray(at), order);
      if (found !== undefined && found.length > (best?.length ?? 0)) best = found;
    }
  }
  return best;
}

/** The BTF that `bytes` starts with: its end is where the last section of its header ends. */
function btfAt(bytes: Uint8Array, order: ByteOrder): Uint8Array | undefined {
  if (bytes.length < 24) return undefined;
  const reader = new EndianReader(bytes, order);
  const end = reader.u32(4) + Math.max(reader.u32(8) + reader.u32(12), reader.u32(16) + reader.u32(20));
  if (end > bytes.length) return undefined;
  try {
    Btf.decode(bytes.subarray(0, end));
    return bytes.subarray(0, end);
  } catch (error) {
    if (error instanceof CodedError) return undefined; // the magic by chance, or in code
    throw error;
  }
}

async function main([input, output]: readonly string[]): Promise<void> {
  if (input === undefined || output === undefined) throw new Error('usage: extract-btf VMLINUZ OUTPUT');
  const kernel = await unpack(payloadOf(readFileSync(input)));
  const btf = findBtf(kernel);
  if (btf === undefined) throw new Error(`no BTF in ${input} (${kernel.length} bytes unpacked)`);
  writeFileSync(`${output}.partial`, btf);
  renameSync(`${output}.partial`, output);
  process.stdout.write(`${output}: ${btf.length} bytes, ${Btf.decode(btf).count} types\n`);
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`extract-btf: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 4;
}
