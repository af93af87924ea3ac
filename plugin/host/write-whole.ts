import { randomBytes } from 'node:crypto';
import { appendFileSync, closeSync, openSync, renameSync, rmSync, statSync, writeSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { CodedError } from '../errors.js';
import { asWriteFailed } from './write-failure.js';

/**
 * Writes a file all at once: under another name beside it, then renamed. `pieces`: its bytes, which need not be in memory all at
 * once. `inputs`: files that it must not replace. Throws `out-is-input`, `write-failed`.
 */
export function writeWhole(path: string, pieces: Iterable<Uint8Array>, inputs: readonly string[]): void {
  const there = statSync(path, { bigint: true, throwIfNoEntry: false });
  if (there !== undefined)
    for (const input of inputs) {
      const given = statSync(input, { bigint: true, throwIfNoEntry: false });
      if (given?.dev === there.dev && given.ino === there.ino)
        throw new CodedError('out-is-input', path, { file: input });
    }
  const staged = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}`);
  try {
    if (there !== undefined && !there.isFile())
      throw Object.assign(new Error('not a regular file'), { code: 'EISDIR' });
    writePieces(staged, pieces);
    renameSync(staged, path);
  } catch (error) {
    rmSync(staged, { force: true });
    throw asWriteFailed(error, path);
  }
}

/** Appends to a file that others append to as well. Throws `write-failed`. */
export function appendTo(path: string, text: string): void {
  try {
    appendFileSync(path, text);
  } catch (error) {
    throw asWriteFailed(error, path);
  }
}

/** Writes a new file piece by piece. */
export function writePieces(path: string, pieces: Iterable<Uint8Array>, mode?: number): void {
  const fd = openSync(path, 'wx', mode);
  try {
    for (const bytes of pieces) for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done);
  } finally {
    closeSync(fd);
  }
}
