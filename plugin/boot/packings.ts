import { crc32 } from 'node:zlib';
import { EndianReader } from '../bytes/endian.js';
import type { ByteSource } from '../bytes/source.js';
import { matches, windows } from '../bytes/window.js';

/** What kernels, modules and boot images are packed with, as the kernel's Kconfig calls it. */
export type PackingName = 'gzip' | 'bzip2' | 'xz' | 'lzma' | 'zstd' | 'lz4' | 'lzo';

interface Packing {
  readonly name: PackingName;
  readonly magic: Buffer;
  /** Whether the bytes that follow fit as well; `header` starts with the magic and has at least {@link HEADER_BYTES}, or ends with the file. */
  readonly fits: (header: EndianReader) => boolean;
}

/** Of a stream, from its magic on: as much as any `fits` looks at. */
const HEADER_BYTES = 16;
/** The largest block of legacy lz4: 8 MiB that do not shrink (LZ4_COMPRESSBOUND). */
export const LZ4_LARGEST_BLOCK = (8 << 20) + (((8 << 20) / 255) | 0) + 16;

const magic = (hex: string): Buffer => Buffer.from(hex, 'hex');

/**
 * Magics, and the fields behind them that only a stream has: three bytes alone come by chance, and the decompressor in front of
 * a payload has the magics in its code. Sources: RFC 1952; the .xz format, 2.1.1; lzma-file-format.txt of LZMA Utils; RFC 8878, 3.1.1;
 * lz4_Frame_format.md; lzop's own header; bzip2's blocks begin with the digits of pi.
 */
const PACKINGS: readonly Packing[] = [
  {
    name: 'gzip',
    magic: magic('1f8b08'),
    fits: header => (header.u8(3) & 0xe0) === 0 && [0, 2, 4].includes(header.u8(8)) && isGzipSystem(header.u8(9)),
  },
  { name: 'bzip2', magic: magic('425a68'), fits: isPi },
  {
    name: 'xz',
    magic: magic('fd377a585a00'),
    fits: header => header.u8(6) === 0 && crc32(Uint8Array.of(0, header.u8(7))) === header.u32(8),
  },
  {
    // lc 3, lp 0, pb 2; a dictionary of 2^n or 3 * 2^n bytes; a size below 256 GB or -1; the range coder's first byte is zero.
    name: 'lzma',
    magic: magic('5d0000'),
    fits: header =>
      isDictionary(header.u32(1)) &&
      (header.u64(5) === 0xffff_ffff_ffff_ffffn || header.u64(5) < 1n << 38n) &&
      header.u8(13) === 0,
  },
  { name: 'zstd', magic: magic('28b52ffd'), fits: header => (header.u8(4) & 0x18) === 0 },
  { name: 'lz4', magic: magic('02214c18'), fits: header => header.u32(4) > 0 && header.u32(4) <= LZ4_LARGEST_BLOCK },
  {
    name: 'lz4',
    magic: magic('04224d18'),
    fits: header => (header.u8(4) & 0xc2) === 0x40 && (header.u8(5) & 0x8f) === 0,
  },
  { name: 'lzo', magic: magic('894c5a4f000d0a1a0a'), fits: header => header.u8(9) <= 0x20 },
];

function isGzipSystem(system: number): boolean {
  return system <= 19 || system === 255;
}

/** A level from 1 to 9, and the magic of a block. */
function isPi(header: EndianReader): boolean {
  const level = header.u8(3);
  return level >= 0x31 && level <= 0x39 && header.u32(4) === 0x26594131 && header.u16(8) === 0x5953;
}

function isDictionary(bytes: number): boolean {
  const highest = 2 ** Math.floor(Math.log2(bytes));
  return bytes >= 4096 && (bytes === highest || bytes === highest * 1.5);
}

/** A compressed stream in a file. */
export interface Stream {
  readonly packing: PackingName;
  /** In bytes. */
  readonly offset: number;
}

/** What the stream at an offset is packed with; undefined where none starts. */
export function packingAt(source: ByteSource, offset: number): PackingName | undefined {
  if (offset + HEADER_BYTES > source.size) return undefined;
  const bytes = source.read(offset, HEADER_BYTES);
  return PACKINGS.find(
    packing => packing.magic.equals(bytes.subarray(0, packing.magic.length)) && fitsAt(packing, bytes),
  )?.name;
}

function fitsAt({ fits }: Packing, header: Uint8Array): boolean {
  return header.length >= HEADER_BYTES && fits(new EndianReader(header, 'little'));
}

/** Every place where a compressed stream may start, in order; one pass over the source. */
export function* findStreams(source: ByteSource): Generator<Stream> {
  for (const window of windows(source, HEADER_BYTES)) {
    const found = PACKINGS.flatMap(packing =>
      [...matchesOf(packing, window.bytes, window.fresh)].map(at => ({
        packing: packing.name,
        offset: window.offset + at,
      })),
    );
    yield* found.sort((a, b) => a.offset - b.offset);
  }

  function* matchesOf(packing: Packing, bytes: Buffer, fresh: number): Generator<number> {
    for (const at of matches({ offset: 0, bytes, fresh }, packing.magic))
      if (fitsAt(packing, bytes.subarray(at, at + HEADER_BYTES))) yield at;
  }
}
