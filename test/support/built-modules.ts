import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fixture } from './fixtures.js';
import type { LinkedKernel } from './linked-tree.js';

/** Modules of a tree, by their place in it, and the fixture that each one is. */
export type Modules = Readonly<Record<string, string>>;

/**
 * Adds modules to a tree of linkingTree: `modules.order`, what their last link left, and what stands for objcopy. The modules have
 * the types of the unsplit kernel already: pahole, resolve_btfids and objcopy find their work done.
 */
export function addModules(kernel: LinkedKernel, objtree: string, modules: Modules): void {
  for (const [name, from] of Object.entries(modules)) {
    const linked = join(objtree, 'linked', name);
    mkdirSync(dirname(linked), { recursive: true });
    copyFileSync(fixture(`${kernel}/${from}`), linked);
  }
  writeFileSync(
    join(objtree, 'modules.order'),
    Object.keys(modules)
      .map(name => `${name.replace(/\.ko$/, '.o')}\n`)
      .join(''),
  );
  mkdirSync(join(objtree, 'scripts'));
  writeFileSync(join(objtree, 'scripts', 'objcopy'), '#!/bin/sh\ncp "$3" "$4"\n', { mode: 0o755 });
}

/** Links every module again and runs on it what the kernel's build runs: of 6.x, or of 7.x. `variables`: those of make. */
export function buildModules(objtree: string, series: 6 | 7, variables: Record<string, string>): void {
  const { PAHOLE: pahole, RESOLVE_BTFIDS: resolver } = variables;
  const env = { ...process.env, objtree: '.', OBJCOPY: './scripts/objcopy', ...variables };
  const run = (program: string, ...words: string[]): void => {
    execFileSync(program, words, { cwd: objtree, env, stdio: 'inherit' });
  };
  for (const name of readFileSync(join(objtree, 'modules.order'), 'utf8').trim().split('\n')) {
    const file = name.replace(/\.o$/, '.ko');
    mkdirSync(dirname(join(objtree, file)), { recursive: true });
    copyFileSync(join(objtree, 'linked', file), join(objtree, file));
    if (series === 6) {
      run(pahole, '-J', '--btf_gen_floats', '--btf_base', 'vmlinux', file);
      run(resolver, '-b', 'vmlinux', file);
    } else {
      run(pahole, '-J', '--btf_base', './vmlinux', `--btf_encode_detached=${file}.BTF.1`, file);
      run(resolver, '--btf_base', './vmlinux', '--btf', `${file}.BTF.1`, file);
    }
  }
}
