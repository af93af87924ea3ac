import type { ByteSource } from '../bytes/source.js';
import { LZ4_LARGEST_BLOCK, type PackingName } from './packings.js';

/** Blocks of a stream that are followed: of 128 KiB as a rule, where zstd splits them of some KiB. */
const MOST_BLOCKS = 1 << 18;
const LZ4_LEGACY_MAGIC = 0x184c2102;
const ZSTD_MAGIC = 0xfd2fb528;

export interface StreamEnd {
  /** In bytes from the start of the source. */
  readonly end: number;
  /** Of what it unpacks to, in bytes, where only this number tells that a stream was cut off. */
  readonly size?: number | undefined;
}

/**
 * Where a stream ends that starts at `offset`; undefined where the unpacker finds that out itself. zstd and lz4 take what stands
 * behind a stream for damage, and behind a payload stands its size (size_append in scripts/Makefile.lib), in a zImage more.
 * `broken`: the stream does not end before its source does.
 */
export function streamEnd(source: ByteSource, packing: PackingName, offset: number): StreamEnd | 'broken' | undefined {
  if (packing !== 'zstd' && packing !== 'lz4') return undefined;
  const magic = u32(source, offset);
  const legacy = magic === LZ4_LEGACY_MAGIC;
  const end =
    magic === ZSTD_MAGIC
      ? zstdEnd(source, offset)
      : legacy
        ? legacyLz4End(source, offset + 4)
        : lz4FrameEnd(source, offset);
  if (end === 'broken') return end;
  return { end, size: legacy && end + 4 <= source.size ? u32(source, end) : undefined };
}

/** A little-endian number of `bytes` bytes; zero where the source ends before it does. */
function numberAt(source: ByteSource, offset: number, bytes: 1 | 3 | 4): number {
  return offset + bytes > source.size ? 0 : Buffer.from(source.read(offset, bytes)).readUIntLE(0, bytes);
}

function u32(source: ByteSource, offset: number): number {
  return numberAt(source, offset, 4);
}

/** Follows blocks: `next` has the offset of the block behind the one at an offset, or undefined at the end mark, which is `mark` bytes. */
function follow(
  source: ByteSource,
  from: number,
  next: (at: number) => { to: number; last: boolean },
): number | 'broken' {
  let at = from;
  for (let blocks = 0; blocks < MOST_BLOCKS; blocks++) {
    const { to, last } = next(at);
    if (to > source.size) return 'broken';
    if (last) return to;
    at = to;
  }
  return 'broken';
}

/** RFC 8878, 3.1.1: descriptor, window, dictionary id, content size; blocks of a header of 3 bytes; a checksum of 4. */
function zstdEnd(source: ByteSource, offset: number): number | 'broken' {
  const descriptor = numberAt(source, offset + 4, 1);
  const single = (descriptor >> 5) & 1;
  const contentSize = [single, 2, 4, 8][descriptor >> 6];
  const dictionary = [0, 1, 2, 4][descriptor & 3];
  const end = follow(source, offset + 5 + (1 - single) + dictionary + contentSize, at => {
    const header = numberAt(source, at, 3);
    // A block of one repeated byte has its length here, and that byte behind it.
    const length = ((header >> 1) & 3) === 1 ? 1 : header >> 3;
    return { to: at + 3 + length, last: (header & 1) === 1 };
  });
  const checksum = (descriptor >> 2) & 1 ? 4 : 0;
  return end === 'broken' || end + checksum > source.size ? 'broken' : end + checksum;
}

/** lz4_Frame_format.md, legacy frames: blocks until the file ends, or until what cannot be the size of a block. */
function legacyLz4End(source: ByteSource, from: number): number | 'broken' {
  return follow(source, from, at => {
    const size = u32(source, at);
    const block = size > 0 && size <= LZ4_LARGEST_BLOCK && at + 4 + size <= source.size;
    return block ? { to: at + 4 + size, last: false } : { to: at, last: true };
  });
}

/** The same, frames: a header of 7 to 19 bytes; blocks, each with a checksum where the flags say so; an end mark of zeros; a checksum. */
function lz4FrameEnd(source: ByteSource, offset: number): number | 'broken' {
  const flags = numberAt(source, offset + 4, 1);
  const header = 7 + ((flags >> 3) & 1 ? 8 : 0) + (flags & 1 ? 4 : 0);
  const blockChecksum = (flags >> 4) & 1 ? 4 : 0;
  const contentChecksum = (flags >> 2) & 1 ? 4 : 0;
  return follow(source, offset + header, at => {
    const size = u32(source, at) & 0x7fff_ffff;
    return size === 0
      ? { to: at + 4 + contentChecksum, last: true }
      : { to: at + 4 + size + blockChecksum, last: false };
  });
}
