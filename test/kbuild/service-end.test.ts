import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { execa } from 'execa';
import { cliPath } from '../support/cli.js';
import { scratchFolder } from '../support/scratch.js';
import {
  leftOver,
  linkSplit,
  MODULES,
  rebase,
  results,
  serve,
  starts,
  unbasedTree,
  wrappers,
} from '../support/unbased-tree.js';

const folder = scratchFolder(test, 'kbuild-service-end');
const linked = join(folder, 'linked');
const [FIRST, , THIRD] = MODULES;

/** What a re-based module is. */
let expected: string[];

test.before(async () => {
  await linkSplit('armv7-virt', linked);
  const objtree = unbasedTree(join(folder, 'expected'), 'armv7-virt', linked);
  await rebase(objtree, FIRST);
  expected = results('armv7-virt', objtree, FIRST);
});

/**
 * Runs kbuild with a script in place of make, `wrapper FILE` in it being what the build runs on a module, and $PPID kbuild. A kbuild that is
 * stopped lets a wrapper wait.
 */
async function build(objtree: string, script: string) {
  const program = join(objtree, 'make');
  const text = `#!/bin/sh
export objtree=. VMLINUX_BTF_NODE='${objtree}/node'
cd '${objtree}' || exit
wrapper() { exec '${wrappers}/resolve_btfids' -b vmlinux "$1"; }
until ls "$VMLINUX_BTF_SERVICE"/*.slot >/dev/null 2>&1; do sleep 0.1; done
waiting() { until ls "$VMLINUX_BTF_SERVICE"/*.request >/dev/null 2>&1; do sleep 0.1; done; sleep 0.2; }
${script}`;
  writeFileSync(program, text, { mode: 0o755 });
  const words = [
    'kbuild',
    '--sizes',
    'none',
    '--pahole',
    join(linked, 'pahole'),
    '--',
    program,
    `O=${objtree}`,
    'modules',
  ];
  return execa(process.execPath, [cliPath, ...words], { stdin: 'ignore', reject: false });
}

const tree = (name: string): string => unbasedTree(join(folder, name), 'armv7-virt', linked);
/** What the script wrote down. */
const told = (objtree: string): string => readFileSync(join(objtree, 'told'), 'utf8').trim();

test('kbuild that is killed while a wrapper waits: the wrapper starts Node, and so do those after it', async t => {
  const objtree = tree('killed');
  await build(
    objtree,
    `kill -STOP $PPID
wrapper ${FIRST} & waiting
kill -KILL $PPID
wait $!; first=$?
(wrapper ${THIRD}); echo $first $? >told`,
  );
  t.is(told(objtree), '0 0');
  t.is(starts(objtree), 2);
  for (const file of [FIRST, THIRD]) t.deepEqual(results('armv7-virt', objtree, file), expected);
  t.is(leftOver(objtree).length, 1);
  await (await serve(objtree)).end();
  t.deepEqual(leftOver(objtree), [], 'the next one has removed its folder');
});

test('a wrapper that is killed while it waits: nothing is done for it, and others are served', async t => {
  const objtree = tree('wrapper-killed');
  await build(
    objtree,
    `kill -STOP $PPID
wrapper ${FIRST} & waiting
kill -KILL $!; wait $!
kill -CONT $PPID
(wrapper ${THIRD}); echo $? >told`,
  );
  t.is(told(objtree), '0');
  t.is(starts(objtree), 0);
  t.deepEqual(results('armv7-virt', objtree, THIRD), expected);
  t.notDeepEqual(results('armv7-virt', objtree, FIRST), expected);
  t.deepEqual(leftOver(objtree), []);
});

for (const [signal, status] of [
  ['INT', 130],
  ['TERM', 143],
] as const)
  test(`kbuild that gets SIG${signal} while a wrapper waits: it ends, and starts nothing`, async t => {
    const objtree = tree(`interrupted-${signal}`);
    const run = await build(
      objtree,
      `trap '' TERM
kill -STOP $PPID
wrapper ${FIRST} & waiting
kill -${signal} $PPID
kill -CONT $PPID
wait $!; echo $? >told`,
    );
    t.is(run.exitCode, status);
    // The request may have been heard before the signal.
    t.true(['0', '143'].includes(told(objtree)), told(objtree));
    t.is(starts(objtree), 0);
    t.deepEqual(leftOver(objtree), []);
  });

test('a build that fails, or has nothing to re-base, leaves nothing', async t => {
  const objtree = tree('failed');
  const run = await build(objtree, 'exit 7');
  t.is(run.exitCode, 4);
  t.regex(run.stderr, /exited with 7[^\n]*\[tool-failed\]$/);
  t.deepEqual(leftOver(objtree), []);
});

test('without mkfifo there is no service, and Node is started', async t => {
  const objtree = tree('no-mkfifo');
  const service = await serve(objtree, { PATH: '/nowhere' });
  await service.end();
  t.is(service.folder, '');
  t.deepEqual(leftOver(objtree), []);
  t.is((await rebase(objtree, FIRST, { service: join(objtree, '.vmlinux-btf', 'gone') })).exitCode, 0);
  t.deepEqual([starts(objtree), results('armv7-virt', objtree, FIRST)], [1, expected]);
  t.false(existsSync(join(objtree, '.vmlinux-btf', 'gone')));
});
