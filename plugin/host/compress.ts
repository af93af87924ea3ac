import { Readable } from 'node:stream';
import { CodedError } from '../errors.js';
import { type COMPRESSOR_NAMES, type Compressed, KERNEL_COMPRESSOR } from '../report/model.js';
import type { CommandLine } from './kernel-compressor.js';

/** What a size is measured with: the host's programs, at one thread. */
export const COMPRESSORS = {
  gzip: ['gzip', '-9', '--no-name', '--stdout'],
  xz: ['xz', '-6', '--threads=1', '--check=crc32', '--stdout'],
  zstd: ['zstd', '-19', '--single-thread', '--quiet', '--stdout'],
} as const satisfies Record<(typeof COMPRESSOR_NAMES)[number], readonly string[]>;

/** `kernel`: what the kernel itself is compressed with, and it alone. */
export type Compressor = keyof typeof COMPRESSORS | typeof KERNEL_COMPRESSOR;

export function isCompressor(name: string): name is Compressor {
  return Object.hasOwn(COMPRESSORS, name) || name === KERNEL_COMPRESSOR;
}

/** Makes the pieces of one datum anew for each compressor, so that a large image is never held whole. */
export type Pieces = () => Iterable<Uint8Array>;

/** Which of the compressors the host lacks. */
export class Compression {
  readonly #wanted: readonly Compressor[];
  readonly #commands: ReadonlyMap<Compressor, readonly CommandLine[]>;
  /** What each was measured with; null for one that the host lacks. */
  readonly #used = new Map<Compressor, CommandLine | null>();

  /** `kernel`: as in kernelCommands(); without any, the kernel's own compressor is left out. */
  constructor(wanted: readonly Compressor[], kernel: readonly CommandLine[] = []) {
    this.#wanted = wanted.filter(name => name !== KERNEL_COMPRESSOR || kernel.length > 0);
    this.#commands = new Map(
      wanted.map(name => [name, name === KERNEL_COMPRESSOR ? kernel : [COMPRESSORS[name]]] as const),
    );
  }

  /** Compressed sizes in bytes; null for a compressor that the host lacks. Throws `tool-failed`. */
  measure(pieces: Pieces): Promise<Compressed> {
    return this.#measure(
      this.#wanted.filter(name => name !== KERNEL_COMPRESSOR),
      pieces,
    );
  }

  /** The same of a kernel image, with the kernel's own compressor. */
  measureImage(pieces: Pieces): Promise<Compressed> {
    return this.#measure(this.#wanted, pieces);
  }

  /** Command line of each compressor, or that it is missing. */
  describe(): Record<string, string> {
    return Object.fromEntries(
      this.#wanted.flatMap(name => {
        const [first] = this.#commands.get(name) ?? [];
        // The kernel's own compresses images: without one it had nothing to do.
        if (name === KERNEL_COMPRESSOR && !this.#used.has(name)) return [];
        const command = this.#used.get(name);
        return [
          [
            name,
            command === null ? `not measured: ${first[0]} is not installed` : (command ?? first).join(' '),
          ] as const,
        ];
      }),
    );
  }

  async #measure(names: readonly Compressor[], pieces: Pieces): Promise<Compressed> {
    const sizes = await Promise.all(names.map(async name => [name, await this.#size(name, pieces)] as const));
    return Object.fromEntries(sizes);
  }

  async #size(name: Compressor, pieces: Pieces): Promise<number | null> {
    const used = this.#used.get(name);
    if (used === null) return null;
    const commands = used === undefined ? (this.#commands.get(name) ?? []) : [used];
    for (const [nth, command] of commands.entries()) {
      const size = await toolSize(command, pieces, nth === commands.length - 1);
      if (size === undefined) continue;
      this.#used.set(name, size === null ? null : command);
      return size;
    }
    return null;
  }
}

/** Null when the program is not installed; undefined when it failed and is not `last`. Throws `tool-failed`. */
async function toolSize(command: CommandLine, pieces: Pieces, last: boolean): Promise<number | null | undefined> {
  const { execa } = await import('execa');
  const [program, ...options] = command;
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
  if (!result.failed) return size;
  if (!last) return undefined;
  throw new CodedError('tool-failed', result.shortMessage ?? program);
}
