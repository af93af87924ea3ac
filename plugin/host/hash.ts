import { createHash } from 'node:crypto';
import { type ByteSource, passingPieces } from '../bytes/source.js';

/** Hex SHA-256. */
export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Hex SHA-256 of a whole file, which is never held whole. */
export function hashSource(source: ByteSource): string {
  const hash = createHash('sha256');
  for (const bytes of passingPieces(source)) hash.update(bytes);
  return hash.digest('hex');
}
