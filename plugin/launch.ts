/**
 * What the command `vmlinux-btf` starts: the bundled program, with the bytecode that the build kept of it. A split is done
 * in a fraction of a second, so most of its time would go into reading and compiling its own code. Bytecode of another
 * Node version is refused by V8 and simply not used.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Script } from 'node:vm';

/** The build sets it for one run, at whose end the bytecode of every function that ran is kept. */
const KEEP_BYTECODE = 'VMLINUX_BTF_KEEP_BYTECODE';

const file = join(import.meta.dirname, 'cli.cjs');
const bytecodeFile = join(import.meta.dirname, 'cli.bytecode');

function keptBytecode(): Buffer | undefined {
  try {
    return readFileSync(bytecodeFile);
  } catch {
    return undefined; // a build without it
  }
}

type Program = (require: NodeJS.Require, bundleUrl: string) => void;

/** In stack traces, and in the bytecode, which is published: the folder of the build is nobody's business. */
const NAME = 'vmlinux-btf/cli.cjs';

const cachedData = keptBytecode();
// `bundleUrl` stands for import.meta.url in the bundle.
const script = new Script(`((require, bundleUrl) => {${readFileSync(file, 'utf8')}\n})`, {
  filename: NAME,
  ...(cachedData === undefined ? {} : { cachedData }),
});
if (process.env[KEEP_BYTECODE] !== undefined)
  process.on('exit', () => writeFileSync(bytecodeFile, script.createCachedData()));
(script.runInThisContext() as Program)(createRequire(file), pathToFileURL(file).href);
