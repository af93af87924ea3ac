import { type BigIntStats, closeSync, constants, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { CodedError } from '../errors.js';

/** Random access to bytes: a file is read piece by piece, never whole. */
export interface ByteSource {
  /** For error messages. */
  readonly name: string;
  /** In bytes. */
  readonly size: number;
  /**
   * Exactly `length` bytes from `offset`, both in bytes. The result is the caller's to keep and to change.
   * Throws `file-truncated` when the range leaves the file: a lying length in a header never allocates. `room`: at least as many bytes,
   * which the result may be a part of.
   */
  read(offset: number, length: number, room?: Uint8Array): Uint8Array;
}

/** Bytes that a pass over a file holds at a time. */
const PIECE_BYTES = 1 << 20;

export interface Piece {
  /** Of the file, in bytes. */
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/**
 * `length` bytes from `offset` on, in pieces of at most 1 MiB, each but the last a multiple of `entry` bytes. Throws what
 * `read` throws.
 */
export function* pieces(source: ByteSource, offset = 0, length = source.size, entry = 1): Generator<Piece> {
  const step = PIECE_BYTES - (PIECE_BYTES % entry);
  for (const end = offset + length; offset < end; offset += step)
    yield { offset, bytes: source.read(offset, Math.min(step, end - offset)) };
}

/**
 * All bytes, for who is done with a piece before the next one comes: they are read to one place. Memory of its own for each piece of a file
 * costs more time than reading it.
 */
export function* passingPieces(source: ByteSource): Generator<Uint8Array> {
  const room = new Uint8Array(Math.min(PIECE_BYTES, source.size));
  for (let at = 0; at < source.size; at += PIECE_BYTES)
    yield source.read(at, Math.min(PIECE_BYTES, source.size - at), room);
}

function checkRange(source: ByteSource, offset: number, length: number): void {
  if (
    !Number.isSafeInteger(offset) ||
    !Number.isSafeInteger(length) ||
    offset < 0 ||
    length < 0 ||
    offset + length > source.size
  ) {
    throw new CodedError('file-truncated', `${length} bytes wanted, the file has ${source.size}`, {
      file: source.name,
      offset,
    });
  }
}

export class MemorySource implements ByteSource {
  readonly name: string;
  readonly size: number;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array, name: string) {
    this.#bytes = bytes;
    this.size = bytes.length;
    this.name = name;
  }

  read(offset: number, length: number): Uint8Array {
    checkRange(this, offset, length);
    // Buffer overrides slice with one that does not copy.
    return Uint8Array.prototype.slice.call(this.#bytes, offset, offset + length);
  }
}

/** A file as it was when it was opened. */
export interface FileState {
  readonly path: string;
  readonly stat: BigIntStats;
}

/**
 * Throws `file-changed` when another file has come to the path, or the file was written to, since it was opened. The
 * time of a change (ctime) cannot be set back; it is as fine as the kernel's clock, some milliseconds.
 */
export function proveUnchanged({ path, stat }: FileState, cause?: unknown): void {
  const now = statSync(path, { bigint: true, throwIfNoEntry: false });
  const what =
    now === undefined
      ? 'it is gone'
      : now.dev !== stat.dev || now.ino !== stat.ino
        ? 'it is another file'
        : now.size !== stat.size
          ? `${now.size} bytes instead of ${stat.size}`
          : now.mtimeNs !== stat.mtimeNs || now.ctimeNs !== stat.ctimeNs
            ? 'it was written to'
            : undefined;
  if (what !== undefined) throw new CodedError('file-changed', what, { file: path }, cause);
}

/** `file-changed` in place of an error about a file, or about a proof, when one of the files has changed meanwhile. */
export function explainChange(states: readonly FileState[], error: unknown): unknown {
  const told = error instanceof CodedError && error.code !== 'file-changed' && [1, 3].includes(error.exitCode);
  if (!told) return error;
  try {
    for (const state of states) proveUnchanged(state, error);
    return error;
  } catch (changed) {
    return changed;
  }
}

/** Bytes that come bit by bit, held once: in blocks of 1 MiB, for what is to come is not known. */
export class GrowingSource implements ByteSource {
  readonly name: string;
  readonly #blocks: Uint8Array[] = [];
  #size = 0;

  constructor(name: string) {
    this.name = name;
  }

  get size(): number {
    return this.#size;
  }

  append(bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length; ) {
      const at = this.#size % PIECE_BYTES;
      if (at === 0) this.#blocks.push(new Uint8Array(PIECE_BYTES));
      const part = bytes.subarray(done, done + PIECE_BYTES - at);
      this.#blocks[this.#blocks.length - 1].set(part, at);
      this.#size += part.length;
      done += part.length;
    }
  }

  read(offset: number, length: number): Uint8Array {
    checkRange(this, offset, length);
    const bytes = new Uint8Array(length);
    for (let done = 0; done < length; ) {
      const at = (offset + done) % PIECE_BYTES;
      const block = this.#blocks[Math.floor((offset + done) / PIECE_BYTES)];
      const part = block.subarray(at, Math.min(at + length - done, PIECE_BYTES));
      bytes.set(part, done);
      done += part.length;
    }
    return bytes;
  }
}

export class FileSource implements ByteSource {
  readonly name: string;
  readonly size: number;
  readonly state: FileState;
  readonly #fd: number;

  private constructor(fd: number, stat: BigIntStats, name: string) {
    this.#fd = fd;
    this.size = Number(stat.size);
    this.state = { path: name, stat };
    this.name = name;
  }

  /** Opens read-only. Throws `file-unreadable` for what is missing, forbidden or no regular file. */
  static open(path: string): FileSource {
    let fd: number;
    try {
      // Without O_NONBLOCK, opening a named pipe waits for somebody who writes to it.
      fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    } catch (error) {
      throw new CodedError(
        'file-unreadable',
        (error as NodeJS.ErrnoException).code ?? 'open failed',
        { file: path },
        error,
      );
    }
    const stat = fstatSync(fd, { bigint: true });
    if (!stat.isFile()) {
      closeSync(fd);
      throw new CodedError('file-unreadable', 'not a regular file', { file: path });
    }
    return new FileSource(fd, stat, path);
  }

  /** A regular file that is open already, as it is now; `name`: what errors call it. */
  static adopt(fd: number, name: string): FileSource {
    return new FileSource(fd, fstatSync(fd, { bigint: true }), name);
  }

  read(offset: number, length: number, room?: Uint8Array): Uint8Array {
    checkRange(this, offset, length);
    const bytes = room?.subarray(0, length) ?? new Uint8Array(length);
    let done = 0;
    while (done < length) {
      const got = this.#readSome(bytes, done, length - done, offset + done);
      if (got === 0)
        throw new CodedError('file-changed', `it became shorter than ${this.size} bytes`, {
          file: this.name,
          offset: offset + done,
        });
      done += got;
    }
    return bytes;
  }

  #readSome(bytes: Uint8Array, at: number, length: number, offset: number): number {
    try {
      return readSync(this.#fd, bytes, at, length, offset);
    } catch (error) {
      throw new CodedError(
        'file-unreadable',
        (error as NodeJS.ErrnoException).code ?? 'read failed',
        { file: this.name, offset },
        error,
      );
    }
  }

  /** The same open file under a path, where the system has one for it, whatever has become of its name. */
  get openPath(): string {
    return `/proc/self/fd/${this.#fd}`;
  }

  /** What was thrown while this file was read, with the file named; see {@link explainChange}. */
  explain(error: unknown): unknown {
    return explainChange([this.state], error instanceof CodedError ? error.in(this.name) : error);
  }

  close(): void {
    closeSync(this.#fd);
  }
}

/** Opens a file, runs `use` on it, closes it. Throws what opening throws. */
export function withFile<T>(path: string, use: (source: FileSource) => T): T {
  const source = FileSource.open(path);
  try {
    return use(source);
  } finally {
    source.close();
  }
}
