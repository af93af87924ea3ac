import { createHash } from 'node:crypto';
import {
  closeSync,
  constants,
  copyFileSync,
  existsSync,
  fsyncSync,
  mkdtempSync,
  openSync,
  readdirSync,
  renameSync,
  rmdirSync,
  writeSync,
} from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { ensureDirSync, removeSync } from 'fs-extra/esm';
import { CodedError } from '../errors.js';

/** Written last and removed first: an out folder without it is no result. */
export const SPLIT_JSON = 'split.json';
const STAGING = '.vmlinux-btf-';

export interface WrittenFile {
  readonly name: string;
  readonly bytes: number;
  readonly sha256: string;
}

/**
 * An out folder that is filled all at once: files are written to a staging folder inside it, synced, and renamed when
 * everything was proved. Until then nothing stands under a final name; a run that is killed leaves only the staging
 * folder, which the next run removes.
 */
export class OutFolder {
  readonly path: string;
  readonly #staging: string;
  readonly #created: boolean;
  readonly #names: string[] = [];

  private constructor(path: string, staging: string, created: boolean) {
    this.path = path;
    this.#staging = staging;
    this.#created = created;
  }

  /** `names`: the files that a run may make. Throws `write-failed`, and `out-is-input` when `input` is one of them. */
  static open(path: string, names: readonly string[], input: string): OutFolder {
    if (names.some(name => resolve(path, name) === resolve(input)))
      throw new CodedError('out-is-input', resolve(input), { file: input });
    return attempt(path, () => {
      const created = !existsSync(path);
      ensureDirSync(path);
      for (const stale of readdirSync(path).filter(isAbandoned)) removeSync(join(path, stale));
      return new OutFolder(path, mkdtempSync(join(path, `${STAGING}${process.pid}-`)), created);
    });
  }

  /** Where a file of this name stands until {@link commit}. */
  staged(name: string): string {
    return join(this.#staging, name);
  }

  write(name: string, bytes: Uint8Array): WrittenFile {
    attempt(join(this.path, name), () => {
      const fd = openSync(this.staged(name), 'wx');
      try {
        for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done);
        fsyncSync(fd);
      } finally {
        closeSync(fd);
      }
    });
    this.#names.push(name);
    return { name, bytes: bytes.length, sha256: sha256(bytes) };
  }

  /** A copy of a file (shared blocks where the file system can), which `change` then edits through its descriptor. */
  copy(name: string, from: string, change: (fd: number) => void): void {
    attempt(join(this.path, name), () => {
      copyFileSync(from, this.staged(name), constants.COPYFILE_FICLONE);
      const fd = openSync(this.staged(name), 'r+');
      try {
        change(fd);
        fsyncSync(fd);
      } finally {
        closeSync(fd);
      }
    });
    this.#names.push(name);
  }

  /** Renames everything into place, `split.json` last. Files of an earlier run that this run did not make go. */
  commit(all: readonly string[]): void {
    attempt(this.path, () => {
      for (const name of [SPLIT_JSON, ...all.filter(name => !this.#names.includes(name))])
        removeSync(join(this.path, name));
      for (const name of this.#names.filter(name => name !== SPLIT_JSON))
        renameSync(this.staged(name), join(this.path, name));
      if (this.#names.includes(SPLIT_JSON)) renameSync(this.staged(SPLIT_JSON), join(this.path, SPLIT_JSON));
      rmdirSync(this.#staging);
    });
  }

  /** Leaves the folder as it was found; what a failed run calls. */
  abandon(): void {
    removeSync(this.#staging);
    if (this.#created && readdirSync(this.path).length === 0) rmdirSync(this.path);
  }
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** A staging folder of a process that is gone. */
function isAbandoned(name: string): boolean {
  const match = /^\.vmlinux-btf-(\d+)-/.exec(basename(name));
  if (match === null) return false;
  try {
    process.kill(Number(match[1]), 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}

function attempt<T>(file: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (error instanceof CodedError) throw error;
    throw new CodedError('write-failed', (error as NodeJS.ErrnoException).code ?? String(error), { file }, error);
  }
}
