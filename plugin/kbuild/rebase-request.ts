import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { decodeOptions } from './options.js';
import type { BuiltModule } from './rebase-built.js';
import { ADAPTERS, type Adapter } from './side-files.js';

/**
 * What a wrapper asks for, a line each: the tool that has run, the object tree, the module below it, the folder that the wrapper runs in, and the
 * options of the build, which may be none. Undefined for what is no such request, as when a path has a newline in it.
 */
export function readRequest(path: string): BuiltModule | undefined {
  const lines = readFileSync(path, 'utf8').split('\n');
  const [adapter, objtree, file, folder, options] = lines;
  if (lines.length !== 6 || !isAdapter(adapter)) return undefined;
  return { adapter, file, objtree: resolve(folder, objtree), options: decodeOptions(options) };
}

function isAdapter(text: string): text is Adapter {
  return (ADAPTERS as readonly string[]).includes(text);
}
