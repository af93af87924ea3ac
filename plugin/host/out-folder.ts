import {
  chmodSync,
  closeSync,
  constants,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { CodedError } from '../errors.js';
import { sha256 } from './hash.js';
import { isAbandoned, stagingPrefix } from './staging.js';
import { asWriteFailed } from './write-failure.js';

/** Written last and removed first: an out folder without it is no result. */
export const SPLIT_JSON = 'split.json';
/** Re-based modules, below it as below the folder that they come from. */
export const MODULES_FOLDER = 'modules';

export interface WrittenFile {
  readonly name: string;
  readonly bytes: number;
  readonly sha256: string;
}

/**
 * An out folder that is filled all at once: files are written to a staging folder inside it and renamed when
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

  /**
   * `names`: the files that a run may make, replace or remove. Throws `write-failed`; `out-is-input` when `input` is one
   * of them; `out-foreign` when one of them stands in a folder that no split has filled.
   */
  static open(path: string, names: readonly string[], input: string): OutFolder {
    return attempt(path, () => {
      const created = !existsSync(path);
      mkdirSync(path, { recursive: true });
      if (names.some(name => isSameFile(join(path, name), input)))
        throw new CodedError('out-is-input', path, { file: input });
      const inUse = [...unfinished].map(folder => basename(folder.#staging));
      const stale = readdirSync(path).filter(name => isAbandoned(name, inUse));
      const foreign = names.find(
        name =>
          existsSync(join(path, name)) &&
          (!existsSync(join(path, SPLIT_JSON)) || (name === MODULES_FOLDER && !hasModules(path))),
      );
      if (foreign !== undefined && stale.length === 0)
        throw new CodedError('out-foreign', foreign, { file: join(path, foreign) });
      // In this order there is at no moment a half-filled folder that is taken for somebody else's.
      const folder = new OutFolder(path, mkdtempSync(join(path, stagingPrefix())), created);
      for (const name of stale) rmSync(join(path, name), { recursive: true, force: true });
      unfinished.add(folder);
      return folder;
    });
  }

  /** Where a file of this name stands until {@link commit}. */
  staged(name: string): string {
    return join(this.#staging, name);
  }

  write(name: string, bytes: Uint8Array): WrittenFile {
    this.writePieces(name, [bytes]);
    return { name, bytes: bytes.length, sha256: sha256(bytes) };
  }

  /** Writes a file piece by piece; `name` may lead into a folder, with `/`, which is made. `mode`: its permissions. */
  writePieces(name: string, pieces: Iterable<Uint8Array>, mode = 0o666): void {
    attempt(join(this.path, name), () => {
      this.reserve(name);
      const fd = openSync(this.staged(name), 'wx', mode);
      try {
        for (const bytes of pieces) for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done);
      } finally {
        closeSync(fd);
      }
    });
  }

  /** Makes room for a file that somebody else writes to where it is staged. */
  reserve(name: string): void {
    const top = name.split('/')[0];
    if (!this.#names.includes(top)) this.#names.push(top);
    if (top !== name) attempt(join(this.path, name), () => mkdirSync(dirname(this.staged(name)), { recursive: true }));
  }

  /** Takes a staged file away again. */
  discard(name: string): void {
    attempt(join(this.path, name), () => unlinkSync(this.staged(name)));
  }

  /** A copy of a file (shared blocks where the file system can), which `change` then edits through its descriptor. */
  copy(name: string, from: string, change: (fd: number) => void): void {
    attempt(join(this.path, name), () => {
      copyFileSync(from, this.staged(name), constants.COPYFILE_FICLONE);
      // The copy has the mode of its original, which may forbid to write.
      chmodSync(this.staged(name), statSync(from).mode | constants.S_IWUSR);
      const fd = openSync(this.staged(name), 'r+');
      try {
        change(fd);
      } finally {
        closeSync(fd);
      }
    });
    this.#names.push(name);
  }

  /**
   * Takes the result of an earlier run away, `split.json` first, then renames everything into place, `split.json` last:
   * at no moment do files of two runs look like one result.
   */
  commit(all: readonly string[]): void {
    attempt(this.path, () => {
      for (const name of [SPLIT_JSON, ...all]) removeFile(join(this.path, name));
      for (const name of this.#names.filter(name => name !== SPLIT_JSON))
        renameSync(this.staged(name), join(this.path, name));
      if (this.#names.includes(SPLIT_JSON)) renameSync(this.staged(SPLIT_JSON), join(this.path, SPLIT_JSON));
      rmdirSync(this.#staging);
    });
    unfinished.delete(this);
  }

  /** Leaves the folder as it was found; what a failed run calls. Throws nothing: why the run failed counts. */
  abandon(): void {
    unfinished.delete(this);
    try {
      rmSync(this.#staging, { recursive: true, force: true });
      if (this.#created && readdirSync(this.path).length === 0) rmdirSync(this.path);
    } catch {
      // The next run removes it.
    }
  }
}

/** Neither committed nor abandoned yet. */
const unfinished = new Set<OutFolder>();

/** What an interrupted program calls. */
export function abandonAll(): void {
  for (const folder of unfinished) folder.abandon();
}

/** True when the name stands for the very file, whatever links lead to it. A link at `path` itself is another file. */
function isSameFile(path: string, input: string): boolean {
  const there = lstatSync(path, { bigint: true, throwIfNoEntry: false });
  const given = statSync(input, { bigint: true, throwIfNoEntry: false });
  return there !== undefined && there.dev === given?.dev && there.ino === given.ino;
}

/** rmSync with `force` does the same, and loads a good deal of Node to do it: it is asked for the folder only. */
function removeFile(path: string): void {
  try {
    if (basename(path) === MODULES_FOLDER && isFolder(path)) rmSync(path, { recursive: true });
    else unlinkSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

function isFolder(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

/** Whether the split.json of an out folder says that the folder of modules is a result. */
function hasModules(path: string): boolean {
  try {
    return typeof JSON.parse(readFileSync(join(path, SPLIT_JSON), 'utf8'))?.modules === 'object';
  } catch {
    return false;
  }
}

function attempt<T>(file: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw asWriteFailed(error, file);
  }
}
