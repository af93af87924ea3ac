import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { splitAtLink } from './link.js';
import { decodeOptions, type LinkOptions } from './options.js';
import { BuiltRebaser } from './rebase-built.js';
import { ADAPTERS, type Adapter } from './side-files.js';

/** What a wrapper asks for once the tool that it stands for has run. */
export interface Request {
  readonly adapter: Adapter;
  /** Of a module the path below its object tree; of vmlinux on its way through the link its path. */
  readonly file: string;
  /** Absolute path; of a module only. */
  readonly objtree: string | undefined;
  readonly options: LinkOptions;
}

/** Does what wrappers ask for, one after the other; the modules of one link share what was decoded for the first. */
export class Requests {
  readonly #rebaser = new BuiltRebaser();

  /** Throws what {@link splitAtLink} and {@link BuiltRebaser.rebase} throw. */
  async answer({ adapter, file, objtree, options }: Request): Promise<void> {
    if (objtree === undefined) splitAtLink(adapter, file, dirname(resolve(file)), options);
    else await this.#rebaser.rebase({ adapter, file, objtree, options });
  }
}

/**
 * A request as a wrapper writes it, a line each: the tool that has run; the object tree, which is empty for vmlinux; the file; the folder that
 * the wrapper runs in; and the options of the build, which may be none. Undefined for what is no such request, as when a path has a newline in it.
 */
export function readRequest(path: string): Request | undefined {
  const lines = readFileSync(path, 'utf8').split('\n');
  const [adapter, objtree, file, folder, text] = lines;
  if (lines.length !== 6 || !isAdapter(adapter)) return undefined;
  const options = decodeOptions(text);
  return objtree === ''
    ? { adapter, file: resolve(folder, file), objtree: undefined, options }
    : { adapter, file, objtree: resolve(folder, objtree), options };
}

function isAdapter(text: string): text is Adapter {
  return (ADAPTERS as readonly string[]).includes(text);
}
