import type { ByteOrder } from '../bytes/endian.js';
import { type ByteSource, pieces } from '../bytes/source.js';
import { CodedError } from '../errors.js';
import type { IdSlot } from '../roots/btf-ids.js';

/** Bytes that replace a section's bytes, in place and of the same length. */
export interface Replacement {
  readonly section: string;
  /** File offset in bytes. */
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/**
 * `.BTF_ids` with the new ids. `bytes`: the section as it stands in the file; everything that is not an id (counts,
 * flags, unused words) stays. Returns a copy.
 */
export function remapIds(
  bytes: Uint8Array,
  slots: readonly IdSlot[],
  newIds: Uint32Array,
  order: ByteOrder,
): Uint8Array {
  const copy = Uint8Array.from(bytes);
  const view = new DataView(copy.buffer);
  for (const { offset, id } of slots) view.setUint32(offset, newIds[id], order === 'little');
  return copy;
}

/**
 * Compares two files outside the replaced ranges, in pieces of 1 MiB; throws `code` at the first byte that
 * differs, or when the replaced ranges do not hold the replacement.
 */
export function proveUntouched(
  before: ByteSource,
  after: ByteSource,
  replacements: readonly Replacement[],
  code: 'invariant' | 'verify' = 'invariant',
): void {
  if (before.size !== after.size)
    throw new CodedError(code, `the image has ${after.size} bytes, its original ${before.size}`, { file: after.name });
  for (const { offset, bytes: expected } of pieces(before)) {
    for (const replacement of replacements) overlay(expected, offset, replacement);
    const got = after.read(offset, expected.length);
    if (Buffer.compare(expected, got) === 0) continue;
    const at = expected.findIndex((byte, i) => byte !== got[i]);
    throw new CodedError(code, 'a byte outside .BTF and .BTF_ids changed', { file: after.name, offset: offset + at });
  }
}

/** Lays a replacement over a piece of its file that starts at `chunkOffset`, as far as the two overlap. */
export function overlay(chunk: Uint8Array, chunkOffset: number, replacement: Replacement): void {
  const from = Math.max(chunkOffset, replacement.offset);
  const to = Math.min(chunkOffset + chunk.length, replacement.offset + replacement.bytes.length);
  if (from < to)
    chunk.set(replacement.bytes.subarray(from - replacement.offset, to - replacement.offset), from - chunkOffset);
}
