import { readdirSync, realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type ByteSource, GrowingSource } from '../bytes/source.js';
import { ElfFile } from '../elf/file.js';
import { CodedError } from '../errors.js';
import { runUnpacker } from './unpacker.js';

/** How a module is compressed: by the suffix of its file, and with the options of the kernel's scripts/Makefile.modinst. */
const PACKERS = {
  '.gz': { unpack: ['gzip', '-dc'], pack: ['gzip', '-n', '-c'] },
  '.xz': { unpack: ['xz', '-dc'], pack: ['xz', '--threads=1', '--check=crc32', '--lzma2=dict=1MiB', '-c'] },
  '.zst': { unpack: ['zstd', '-dcq'], pack: ['zstd', '-q', '-c'] },
} as const;

export type Packing = keyof typeof PACKERS;

export interface ModulePath {
  readonly path: string;
  /** From the folder of modules, with `/`. */
  readonly name: string;
  /** Undefined for a module that is not compressed. */
  readonly packing: Packing | undefined;
}

/**
 * What a module may take unpacked, in bytes: the largest, amdgpu.ko, has some 100 MB with its DWARF and far below 64 MiB as it is
 * installed. It is held in memory, and a small file must not fill that.
 */
const MAX_UNPACKED = 128 << 20;
const ELF_MAGIC_BYTES = 4;
/** A tree of modules is some ten folders deep. */
const MAX_DEPTH = 64;

/**
 * Every module below a folder, in order of name; `except`: a folder that is not looked into. Links to folders (`build`,
 * `source`) are not followed, links to files are. Throws `modules-folder` when there is none.
 */
export function findModules(folder: string, except: string): ModulePath[] {
  const skipped = realPath(except);
  const found: ModulePath[] = [];
  const walk = (path: string, name: string, depth: number): void => {
    if (depth > MAX_DEPTH || realPath(path) === skipped) return;
    for (const entry of readFolder(path)) {
      const inside = join(path, entry.name);
      const relative = name === '' ? entry.name : `${name}/${entry.name}`;
      if (entry.isDirectory()) walk(inside, relative, depth + 1);
      else {
        const suffix = /\.ko(\.gz|\.xz|\.zst)?$/.exec(entry.name);
        if (suffix !== null && isFile(inside))
          found.push({ path: inside, name: relative, packing: suffix[1] as Packing | undefined });
      }
    }
  };
  walk(folder, '', 0);
  if (found.length === 0) throw new CodedError('modules-folder', 'no module in it', { file: folder });
  return found.sort((a, b) => (a.name < b.name ? -1 : 1));
}

function readFolder(path: string) {
  try {
    return readdirSync(path, { withFileTypes: true });
  } catch (error) {
    throw new CodedError(
      'modules-folder',
      (error as NodeJS.ErrnoException).code ?? 'read failed',
      { file: path },
      error,
    );
  }
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true;
}

/** A path without links; undefined when nothing is there. */
export function realPath(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined;
  }
}

/**
 * A compressed module, unpacked into memory. What is no ELF file is given up at its first bytes, and what is too large before it is
 * held: a few KB may unpack to gigabytes. Throws `tool-missing`, `module-damaged`.
 */
export async function unpackModule(path: string, packing: Packing): Promise<ByteSource> {
  const unpacked = new GrowingSource(path);
  const { unpack } = PACKERS[packing];
  const run = await runUnpacker(unpack, { inputFile: path }, chunk => {
    const before = unpacked.size;
    if (before + chunk.length > MAX_UNPACKED) return `more than ${MAX_UNPACKED} bytes unpacked`;
    unpacked.append(chunk);
    return before < ELF_MAGIC_BYTES && unpacked.size >= ELF_MAGIC_BYTES && !ElfFile.isElf(unpacked)
      ? 'it does not unpack to an ELF file'
      : undefined;
  });
  if (run.refused !== undefined) throw new CodedError('module-damaged', run.refused, { file: path });
  if (run.missing) throw new CodedError('tool-missing', unpack[0], { file: path });
  if (run.exitCode !== 0) throw new CodedError('module-damaged', `${unpack[0]} does not unpack it`, { file: path });
  return unpacked;
}

/** Compresses a file into another. Throws `tool-missing`, `tool-failed`. */
export async function packModule(from: string, to: string, packing: Packing): Promise<void> {
  const { execa } = await import('execa');
  const [program, ...options] = PACKERS[packing].pack;
  const result = await execa(program, [...options, from], {
    stdin: 'ignore',
    stdout: { file: to },
    stderr: 'ignore',
    reject: false,
  });
  if (result.code === 'ENOENT') throw new CodedError('tool-missing', program, { file: to });
  if (result.failed) throw new CodedError('tool-failed', result.shortMessage ?? program, { file: to });
}
