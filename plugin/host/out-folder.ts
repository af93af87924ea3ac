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
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { type FileSource, pieces, withFile } from '../bytes/source.js';
import { CodedError } from '../errors.js';
import { hashSource, sha256 } from './hash.js';
import { isAbandoned, stagingPrefix } from './staging.js';
import { asWriteFailed } from './write-failure.js';
import { writePieces } from './write-whole.js';

/** Written last and removed first: an out folder without it is no result. */
export const SPLIT_JSON = 'split.json';
/** Re-based modules, below it as below the folder that they come from. */
export const MODULES_FOLDER = 'modules';

/** Below the staging folder: where the result of an earlier run waits until the new one is in place. */
const FORMER = '.former';

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
  #stranded = false;

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
      writePieces(this.staged(name), pieces, mode);
    });
  }

  /** Makes room for a file that somebody else writes to where it is staged. */
  reserve(name: string): void {
    const top = name.split('/')[0];
    if (!this.#names.includes(top)) this.#names.push(top);
    if (top !== name) attempt(join(this.path, name), () => mkdirSync(dirname(this.staged(name)), { recursive: true }));
  }

  /** What a staged file is, whoever wrote it. Throws `file-unreadable`. */
  describe(name: string): WrittenFile {
    return withFile(this.staged(name), source => ({ name, bytes: source.size, sha256: hashSource(source) }));
  }

  /** Takes a staged file away again. */
  discard(name: string): void {
    attempt(join(this.path, name), () => unlinkSync(this.staged(name)));
  }

  /**
   * A copy of a file (shared blocks where the file system can), which `change` then edits through its descriptor. What is
   * copied is the file that is open, not what its path has come to name.
   */
  copy(name: string, from: FileSource, change: (fd: number) => void): void {
    const mode = Number(from.state.stat.mode) & 0o777;
    if (!existsSync(from.openPath)) this.writePieces(name, contentsOf(from));
    attempt(join(this.path, name), () => {
      if (existsSync(from.openPath)) copyFileSync(from.openPath, this.staged(name), constants.COPYFILE_FICLONE);
      // The copy has the mode of its original, which may forbid to write.
      chmodSync(this.staged(name), mode | constants.S_IWUSR);
      const fd = openSync(this.staged(name), 'r+');
      try {
        change(fd);
      } finally {
        closeSync(fd);
      }
    });
    this.reserve(name);
  }

  /**
   * Moves the result of an earlier run to the staging folder, `split.json` first, then the new one into place, `split.json`
   * last: at no moment do files of two runs look like one result. When a step fails, every one before it is taken back.
   */
  commit(all: readonly string[]): void {
    const last = (name: string): number => Number(name === SPLIT_JSON);
    const moves: Move[] = [];
    const move = (name: string, from: string, to: string): void =>
      attempt(join(this.path, name), () => {
        renameSync(from, to);
        moves.push({ from, to });
      });
    try {
      attempt(this.path, () => mkdirSync(this.staged(FORMER)));
      for (const name of all.toSorted((a, b) => last(b) - last(a)))
        if (this.#hasFormer(name)) move(name, join(this.path, name), this.#former(name));
      for (const name of this.#names.toSorted((a, b) => last(a) - last(b)))
        move(name, this.staged(name), join(this.path, name));
    } catch (error) {
      this.#takeBack(moves);
      if (!this.#stranded || !(error instanceof CodedError)) throw error;
      throw new CodedError(
        error.code,
        `${error.detail}; what was there before is in ${this.#staging}`,
        error.place,
        error,
      );
    }
    unfinished.delete(this);
    try {
      for (const name of all) removeFile(this.#former(name));
      rmdirSync(this.staged(FORMER));
      rmdirSync(this.#staging);
    } catch {
      // The result is in place; the next run removes what is left of the former one.
    }
  }

  #former(name: string): string {
    return join(this.staged(FORMER), name);
  }

  #hasFormer(name: string): boolean {
    const path = join(this.path, name);
    const there = lstatSync(path, { throwIfNoEntry: false });
    // No split makes a folder of this name: it is somebody's.
    if (there?.isDirectory() && name !== MODULES_FOLDER) throw new CodedError('write-failed', 'EISDIR', { file: path });
    return there !== undefined;
  }

  #takeBack(moves: readonly Move[]): void {
    for (const { from, to } of moves.toReversed())
      try {
        renameSync(to, from);
      } catch {
        this.#stranded = true;
      }
  }

  /** Leaves the folder as it was found; what a failed run calls. Throws nothing: why the run failed counts. */
  abandon(): void {
    unfinished.delete(this);
    // What could not be moved back is all that there is of the former result.
    if (this.#stranded) return;
    try {
      rmSync(this.#staging, { recursive: true, force: true });
      if (this.#created && readdirSync(this.path).length === 0) rmdirSync(this.path);
    } catch {
      // The next run removes it.
    }
  }
}

function* contentsOf(source: FileSource): Generator<Uint8Array> {
  for (const { bytes } of pieces(source)) yield bytes;
}

interface Move {
  readonly from: string;
  readonly to: string;
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
