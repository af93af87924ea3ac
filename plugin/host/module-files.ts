import { readdirSync, realpathSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { CodedError } from '../errors.js';

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

/** More than any module takes unpacked; a small file must not fill the memory. */
const MAX_UNPACKED = 256 << 20;
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

function realPath(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined;
  }
}

/** The bytes of a compressed module. Throws `tool-missing`, `module-damaged`. */
export async function unpackModule(path: string, packing: Packing): Promise<Uint8Array> {
  const { execa } = await import('execa');
  const [program, ...options] = PACKERS[packing].unpack;
  const result = await execa(program, options, {
    inputFile: path,
    encoding: 'buffer',
    maxBuffer: MAX_UNPACKED,
    stripFinalNewline: false,
    stderr: 'ignore',
    reject: false,
  });
  if (result.code === 'ENOENT') throw new CodedError('tool-missing', program, { file: path });
  if (result.isMaxBuffer)
    throw new CodedError('module-damaged', `more than ${MAX_UNPACKED} bytes unpacked`, { file: path });
  if (result.failed) throw new CodedError('module-damaged', `${program} does not unpack it`, { file: path });
  return result.stdout;
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
