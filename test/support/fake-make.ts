import { execFileSync } from 'node:child_process';
import { appendFileSync, copyFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildModules } from './built-modules.js';
import { type LinkedKernel, linkVmlinux } from './linked-tree.js';

/**
 * Stands for make on a kernel of 6.x: links once, and again only when the record of the command is gone (if_changed in
 * scripts/Kbuild.include). Variables of the command line go to the environment of what it runs, as make does it. Arguments:
 * KERNEL=name O=objtree PAHOLE=… …; `FAIL=1` ends it with 2, `MODULES=1` makes the modules of
 * addModules whenever it has linked.
 */
const variables: Record<string, string> = Object.fromEntries(
  process.argv
    .slice(2)
    .filter(word => word.includes('='))
    .map(word => [word.slice(0, word.indexOf('=')), word.slice(word.indexOf('=') + 1)]),
);
const { O: objtree, PAHOLE: pahole, KERNEL: kernel } = variables;
appendFileSync(join(objtree, 'words'), `${process.argv.slice(2).join(' ')}\n`);
if (variables.FAIL !== undefined) process.exit(2);
const command = join(objtree, '.vmlinux.cmd');
if (!existsSync(command)) {
  const linked = join(objtree, '.tmp_vmlinux1');
  copyFileSync(join(objtree, 'pristine'), linked);
  execFileSync(pahole, ['-J', '.tmp_vmlinux1'], {
    cwd: objtree,
    env: { ...process.env, ...variables },
    stdio: 'inherit',
  });
  const side = (name: string): Buffer => readFileSync(join(objtree, '.vmlinux-btf', name));
  linkVmlinux(kernel as LinkedKernel, objtree, side('base.btf'), side('btf_ids.bin'));
  writeFileSync(command, '');
  appendFileSync(join(objtree, 'links'), 'x');
  if (variables.MODULES !== undefined) buildModules(objtree, 6, variables);
}
