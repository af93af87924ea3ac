import { Readable } from 'node:stream';
import { CodedError } from '../errors.js';
import type { COMPRESSOR_NAMES, Compressed } from '../report/model.js';

/** What a size is measured with: the host's programs, at one thread. */
export const COMPRESSORS = {
  gzip: ['gzip', '-9', '--no-name', '--stdout'],
  xz: ['xz', '-6', '--threads=1', '--check=crc32', '--stdout'],
  zstd: ['zstd', '-19', '--single-thread', '--quiet', '--stdout'],
} as const satisfies Record<(typeof COMPRESSOR_NAMES)[number], readonly string[]>;

export type Compressor = keyof typeof COMPRESSORS;

export function isCompressor(name: string): name is Compressor {
  return Object.hasOwn(COMPRESSORS, name);
}

/** Makes the pieces of one datum anew for each compressor, so that a large image is never held whole. */
export type Pieces = () => Iterable<Uint8Array>;

/** Which of the compressors the host lacks. */
export class Compression {
  readonly #wanted: readonly Compressor[];
  readonly #missing = new Set<Compressor>();

  constructor(wanted: readonly Compressor[]) {
    this.#wanted = wanted;
  }

  /** Compressed sizes in bytes; null for a compressor that the host lacks. Throws `tool-failed`. */
  async measure(pieces: Pieces): Promise<Compressed> {
    const sizes = await Promise.all(this.#wanted.map(async name => [name, await this.#size(name, pieces)] as const));
    return Object.fromEntries(sizes);
  }

  /** Command line of each compressor, or that it is missing. */
  describe(): Record<string, string> {
    return Object.fromEntries(
      this.#wanted.map(name => [
        name,
        this.#missing.has(name) ? `not measured: ${name} is not installed` : COMPRESSORS[name].join(' '),
      ]),
    );
  }

  async #size(name: Compressor, pieces: Pieces): Promise<number | null> {
    if (this.#missing.has(name)) return null;
    const size = await toolSize(name, pieces);
    if (size === null) this.#missing.add(name);
    return size;
  }
}

async function toolSize(name: Compressor, pieces: Pieces): Promise<number | null> {
  const { execa } = await import('execa');
  const [program, ...options] = COMPRESSORS[name];
  const child = execa(program, options, {
    input: Readable.from(pieces()),
    buffer: false,
    encoding: 'buffer',
    stderr: 'ignore',
    reject: false,
  });
  let size = 0;
  child.stdout?.on('data', (chunk: Uint8Array) => {
    size += chunk.length;
  });
  const result = await child;
  if (result.code === 'ENOENT') return null;
  if (result.failed) throw new CodedError('tool-failed', result.shortMessage ?? program);
  return size;
}
