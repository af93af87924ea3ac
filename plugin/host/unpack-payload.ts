import { randomBytes } from 'node:crypto';
import { closeSync, openSync, unlinkSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { PackingName } from '../boot/packings.js';
import { streamEnd } from '../boot/stream-end.js';
import { type ByteSource, FileSource, pieces } from '../bytes/source.js';
import { CodedError } from '../errors.js';
import { runUnpacker } from './unpacker.js';
import { asWriteFailed } from './write-failure.js';

interface Unpacker {
  readonly command: readonly [program: string, ...options: string[]];
  readonly debianPackage: string;
  /** Exit code for "all is unpacked, something stands behind it". */
  readonly warns?: number;
}

/** Programs of the host. Something stands behind most payloads; xz is told to leave it alone. */
const UNPACKERS: Readonly<Record<PackingName, Unpacker>> = {
  gzip: { command: ['gzip', '-dcq'], debianPackage: 'gzip', warns: 2 },
  bzip2: { command: ['bzip2', '-dcq'], debianPackage: 'bzip2' },
  xz: { command: ['xz', '-dcq', '--format=xz', '--single-stream'], debianPackage: 'xz-utils' },
  lzma: { command: ['xz', '-dcq', '--format=lzma', '--single-stream'], debianPackage: 'xz-utils' },
  zstd: { command: ['zstd', '-dcq'], debianPackage: 'zstd' },
  lz4: { command: ['lz4', '-dcq'], debianPackage: 'lz4' },
  lzo: { command: ['lzop', '-dcq'], debianPackage: 'lzop', warns: 2 },
};

/** How many bytes may be unpacked, for all attempts at one file: a kernel has some 60 MB, with its DWARF some 500. */
export class UnpackLimit {
  #left = 512 << 20;

  /** Whether as many bytes were left. */
  take(bytes: number): boolean {
    this.#left -= bytes;
    return this.#left >= 0;
  }
}

/** A temporary file without a name: it is gone when it is closed, and when the program ends, in whatever way. */
function openNameless(): number {
  const path = join(tmpdir(), `.vmlinux-btf-${process.pid}-${randomBytes(6).toString('hex')}`);
  try {
    const fd = openSync(path, 'wx+', 0o600);
    unlinkSync(path);
    return fd;
  } catch (error) {
    throw asWriteFailed(error, path);
  }
}

/**
 * Unpacks the stream at `offset` into a temporary file, which the caller closes. Returns why not when the stream is damaged or
 * none. Throws `tool-missing`, `image-limit`, `write-failed`.
 */
export async function unpackStream(
  source: ByteSource,
  packing: PackingName,
  offset: number,
  limit: UnpackLimit,
): Promise<FileSource | string> {
  const stream = streamEnd(source, packing, offset);
  if (stream === 'broken') return `the ${packing} stream does not end before the file does`;
  const { command, debianPackage, warns = 0 } = UNPACKERS[packing];
  const fd = openNameless();
  let size = 0;
  try {
    const input = Readable.from(piecesOf(source, offset, stream?.end ?? source.size));
    const run = await runUnpacker(command, { input }, chunk => {
      if (!limit.take(chunk.length)) return 'limit';
      size += chunk.length;
      writeAll(fd, chunk);
      return undefined;
    });
    const place = { file: source.name };
    if (run.missing) throw new CodedError('tool-missing', `${command[0]}, of Debian’s ${debianPackage}`, place);
    if (run.refused !== undefined) throw new CodedError('image-limit', 'more than 512 MiB unpacked', place);
    const done = run.exitCode === 0 || run.exitCode === warns;
    const cut = stream?.size !== undefined && stream.size !== size;
    if (done && size > 0 && !cut) return FileSource.adopt(fd, source.name);
    closeSync(fd);
    return `${command[0]} does not unpack ${done && !cut ? 'anything' : 'all of it'}`;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

function* piecesOf(source: ByteSource, offset: number, end: number): Generator<Uint8Array> {
  for (const { bytes } of pieces(source, offset, end - offset)) yield bytes;
}

function writeAll(fd: number, bytes: Uint8Array): void {
  try {
    for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done);
  } catch (error) {
    throw asWriteFailed(error, tmpdir());
  }
}
