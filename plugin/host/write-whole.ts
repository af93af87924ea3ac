import { randomBytes } from 'node:crypto';
import { renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { CodedError } from '../errors.js';
import { asWriteFailed } from './write-failure.js';

/**
 * Writes a file all at once: under another name beside it, then renamed. `inputs`: files that it must not replace. Throws
 * `out-is-input`, `write-failed`.
 */
export function writeWhole(path: string, bytes: Uint8Array, inputs: readonly string[]): void {
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
    writeFileSync(staged, bytes, { flag: 'wx' });
    renameSync(staged, path);
  } catch (error) {
    rmSync(staged, { force: true });
    throw asWriteFailed(error, path);
  }
}
