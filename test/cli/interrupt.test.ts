import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, existsSync, mkdirSync, readdirSync, watch } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import test from 'ava';
import { cliPath } from '../support/cli.js';
import { fixture } from '../support/fixtures.js';
import { scratchFolder } from '../support/scratch.js';

const MODULES = 400;
const folder = scratchFolder(test, 'interrupt');
const name = (nth: number): string => `m${String(nth).padStart(4, '0')}.ko`;

for (const [signal, code] of [
  ['SIGTERM', 143],
  ['SIGINT', 130],
] as const)
  test.serial(`${signal} is heard between two modules, and leaves nothing`, async t => {
    const modules = join(folder, `modules-${signal}`);
    mkdirSync(modules);
    for (let nth = 0; nth < MODULES; nth++) copyFileSync(fixture('armv7-virt/dummy.ko'), join(modules, name(nth)));
    const out = join(folder, `out-${signal}`);
    const args = [
      'split',
      fixture('armv7-virt/vmlinux'),
      '-o',
      out,
      '--sizes',
      'none',
      '--quiet',
      '--modules',
      modules,
    ];
    const child = spawn(process.execPath, [cliPath, ...args], { stdio: 'ignore' });
    const ended = once(child, 'exit');
    const staged = (): string | undefined =>
      existsSync(out) ? readdirSync(out).find(entry => existsSync(join(out, entry, 'modules'))) : undefined;
    let staging = staged();
    for (; staging === undefined; staging = staged()) {
      if (child.exitCode !== null) throw new Error(`the split ended with ${child.exitCode} before it wrote modules`);
      await setTimeout(1);
    }
    // The kernel keeps what happens in the folder for whoever watches it: no file is missed.
    const written = new Set<string>();
    const watcher = watch(join(out, staging, 'modules'), (_, file) => written.add(file ?? ''));
    t.teardown(() => watcher.close());
    const already = readdirSync(join(out, staging, 'modules')).length;
    child.kill(signal);
    t.deepEqual(await ended, [code, null]);
    await setTimeout(100);
    t.true(already < MODULES / 2, `${already} modules were written before the signal`);
    t.false(written.has(name(MODULES - 1)), `${written.size} modules were written or removed after the signal`);
    t.false(existsSync(out));
  });
