import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { withFile } from '../bytes/source.js';
import { ElfFile } from '../elf/file.js';
import { CodedError } from '../errors.js';
import { TOOL } from '../version.js';
import { checkLinked } from './finish.js';
import { objectHashes } from './link.js';
import { linkCommands } from './make.js';
import { sameNames } from './module-roots.js';
import type { LinkOptions } from './options.js';
import { type LinkRecord, SideFolder } from './side-files.js';

/**
 * Why the vmlinux of an object tree has to be linked again although make sees nothing newer than it: it was never split, was split with
 * other options or by another version, or was linked since without us. Undefined when it is good, or not there.
 */
export function staleLink(objtree: string, options: LinkOptions): string | undefined {
  const vmlinux = join(objtree, 'vmlinux');
  if (!existsSync(vmlinux)) return undefined;
  const folder = new SideFolder(objtree);
  const link = folder.link();
  if (link === undefined) return 'it was linked without a split';
  if (link.tool.version !== TOOL.version) return `it was split by version ${link.tool.version}`;
  if (!isDeepStrictEqual(link.options, options)) return 'it was split with other options';
  if (!isDeepStrictEqual(link.objects, objectHashes(options))) return 'a BPF object whose needs are kept has changed';
  if (!sameNames(link.moduleRoots, folder.moduleRoots())) return 'its modules need other types in the base';
  return isBaseOf(vmlinux, link) ? undefined : 'it was linked again without a split';
}

function isBaseOf(vmlinux: string, link: LinkRecord): boolean {
  try {
    withFile(vmlinux, source => checkLinked(ElfFile.open(source), link));
    return true;
  } catch (error) {
    if (error instanceof CodedError) return false;
    throw error;
  }
}

/** Makes the next make link again. */
export function forgetLink(objtree: string): void {
  for (const file of linkCommands(objtree)) rmSync(file, { force: true });
}
