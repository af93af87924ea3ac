import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import { execa } from 'execa';
import { ERROR_LINE, sha256Of } from '../support/cli.js';
import { ElfPatch } from '../support/elf-patch.js';
import { linkingTree } from '../support/linked-tree.js';
import { scratchFolder } from '../support/scratch.js';
import { haveTool } from '../support/tools.js';
import { KERNELS, type Kernel, leftOver, markStarts, serve, starts, wrappers } from '../support/unbased-tree.js';

const folder = scratchFolder(test, 'kbuild-service-link');
const LINKED = '.tmp_vmlinux1';

/** An object tree on its way through the link; each start of Node leaves its mark. */
async function tree(name: string, kernel: Kernel = 'armv7-virt'): Promise<string> {
  const objtree = join(folder, name);
  mkdirSync(objtree);
  await linkingTree(kernel, objtree);
  markStarts(objtree);
  return objtree;
}

/** Runs what the build runs on vmlinux. */
function link(objtree: string, service = '', kernel: Kernel = 'armv7-virt', shell = 'sh') {
  const [program, ...words] = shell.split(' ');
  const [wrapper, ...asked] =
    kernel === 'armv7-virt' ? ['pahole', '-J', LINKED] : ['resolve_btfids', '--btf', 'x', LINKED];
  return execa(program, [...words, join(wrappers, wrapper), ...asked], {
    cwd: objtree,
    env: {
      objtree: '.',
      VMLINUX_BTF_PAHOLE: join(objtree, 'pahole'),
      VMLINUX_BTF_NODE: join(objtree, 'node'),
      VMLINUX_BTF_SERVICE: service,
    },
    reject: false,
    stripFinalNewline: false,
  });
}

/** What a link leaves, by name: hashes. */
function left(objtree: string): Record<string, string> {
  const side = join(objtree, '.vmlinux-btf');
  const files = [
    ...readdirSync(objtree).filter(name => name.startsWith(LINKED)),
    ...readdirSync(side)
      .filter(name => statSync(join(side, name)).isFile())
      .map(name => join('.vmlinux-btf', name)),
  ];
  return Object.fromEntries(files.map(file => [file, sha256Of(join(objtree, file))]));
}

for (const kernel of KERNELS)
  test(`a kernel that kbuild splits is the one that a start of Node splits: ${kernel}`, async t => {
    for (const shell of ['dash', 'busybox', 'bash']) if (!haveTool(t, shell, shell)) return;
    const alone = await tree(`alone-${kernel}`, kernel);
    t.is((await link(alone, '', kernel)).exitCode, 0);
    t.is(starts(alone), 1);
    for (const shell of ['dash', 'busybox sh', 'bash']) {
      const objtree = await tree(`served-${kernel}-${shell.split(' ')[0]}`, kernel);
      const service = await serve(objtree);
      const run = await link(objtree, service.folder, kernel, shell);
      await service.end();
      t.deepEqual([run.exitCode, run.stdout, run.stderr], [0, '', ''], shell);
      t.is(starts(objtree), 0);
      t.deepEqual(left(objtree), left(alone));
      t.deepEqual(leftOver(objtree), []);
    }
  });

test('a second link of the same kbuild is split anew', async t => {
  const objtree = await tree('twice');
  const service = await serve(objtree);
  t.is((await link(objtree, service.folder)).exitCode, 0);
  const first = left(objtree);
  await linkingTree('armv7-virt', objtree);
  t.is((await link(objtree, service.folder)).exitCode, 0);
  await service.end();
  const log = join('.vmlinux-btf', 'log');
  t.deepEqual({ ...left(objtree), [log]: '' }, { ...first, [log]: '' });
  t.is(readFileSync(join(objtree, log), 'utf8').trim().split('\n').length, 2);
});

test('a BTF that is damaged: the line and the status that it has without a service, no file to link with, no record', async t => {
  const runs = [];
  for (const served of [false, true]) {
    const objtree = await tree(`damaged-${served}`);
    const file = join(objtree, LINKED);
    writeFileSync(file, new ElfPatch(readFileSync(file)).data('.BTF', 0, 0).bytes);
    const service = served ? await serve(objtree) : undefined;
    const { exitCode, stdout, stderr } = await link(objtree, service?.folder);
    await service?.end();
    t.regex(stderr, ERROR_LINE);
    t.false(existsSync(file));
    t.false(existsSync(join(objtree, '.vmlinux-btf', 'link.json')));
    t.is(starts(objtree), served ? 0 : 1);
    t.deepEqual(leftOver(objtree), []);
    runs.push([exitCode, stdout, stderr.replaceAll(`${objtree}/`, '')]);
  }
  t.is(runs[0][0], 3);
  t.deepEqual(runs[1], runs[0]);
});

for (const signal of ['SIGKILL', 'SIGTERM'] as const)
  test(`kbuild that gets ${signal} while the link waits: the link fails, nothing is tried again, and no file is left to link with`, async t => {
    const objtree = await tree(`ended-${signal}`);
    const service = await serve(objtree);
    service.kill('SIGSTOP');
    const linking = link(objtree, service.folder);
    while (!readdirSync(service.folder).some(name => name.endsWith('.request'))) await sleep(20);
    await sleep(200);
    service.kill(signal);
    service.kill('SIGCONT');
    const { exitCode, stderr } = await linking;
    await service.end().catch(() => {});
    t.is(starts(objtree), 0);
    // The request may have been heard before SIGTERM.
    if (signal === 'SIGTERM') t.true([0, 143].includes(exitCode ?? -1), String(exitCode));
    else {
      t.is(exitCode, 1);
      t.is(
        stderr,
        'vmlinux-btf: the kbuild that runs make has ended (it was killed): .tmp_vmlinux1: run make again [kbuild-ended]\n',
      );
    }
    t.is(existsSync(join(objtree, LINKED)), exitCode === 0);
  });
