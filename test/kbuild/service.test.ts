import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { ERROR_LINE, sha256Of } from '../support/cli.js';
import { scratchFolder } from '../support/scratch.js';
import { haveTool } from '../support/tools.js';
import {
  KERNELS,
  type Kernel,
  leftOver,
  linkSplit,
  MODULES,
  rebase,
  results,
  serve,
  starts,
  unbasedTree,
} from '../support/unbased-tree.js';

const folder = scratchFolder(test, 'kbuild-service');
const AT_ONCE = 6;

const linked = (kernel: Kernel): string => join(folder, `linked-${kernel}`);

test.before(async () => {
  for (const kernel of KERNELS) await linkSplit(kernel, linked(kernel));
});

const tree = (name: string, kernel: Kernel = 'armv7-virt'): string =>
  unbasedTree(join(folder, name), kernel, linked(kernel));

async function inParallel<T>(items: readonly T[], atOnce: number, run: (item: T) => Promise<void>): Promise<void> {
  const left = [...items];
  const worker = async (): Promise<void> => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) await run(item);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

for (const [kernel, mode] of [
  ['armv7-virt', 'keep'],
  ['armv7-virt', 'prune'],
  ['armv7-virt-7.2', 'keep'],
  ['armv7-virt-7.2', 'strip'],
] as const)
  test(`modules of many wrappers at once are those that a Node for each makes: ${kernel}, ${mode}`, async t => {
    for (const shell of ['dash', 'busybox', 'bash']) if (!haveTool(t, shell, shell)) return;
    const objtree = tree(`many-${kernel}-${mode}`, kernel);
    const alone = tree(`alone-${kernel}-${mode}`, kernel);
    for (const file of MODULES.slice(0, 2)) t.is((await rebase(alone, file, { kernel, mode })).exitCode, 0);
    t.is(starts(alone), 2);
    const service = await serve(objtree);
    // Both kinds of tree, but all shells and more modules than slots on one of them only: starting them takes its time.
    const all = mode === 'keep' && kernel === 'armv7-virt';
    const shells = all ? ['dash', 'busybox sh', 'bash'] : ['sh'];
    const files = all ? MODULES : MODULES.slice(0, 12);
    await inParallel(files, AT_ONCE, async file => {
      const shell = shells[files.indexOf(file) % shells.length];
      const run = await rebase(objtree, file, { kernel, mode, service: service.folder, shell });
      t.deepEqual([run.exitCode, run.stdout, run.stderr], [0, '', ''], file);
    });
    await service.end();
    t.is(starts(objtree), 0);
    for (const [i, file] of files.entries())
      t.deepEqual(results(kernel, objtree, file), results(kernel, alone, MODULES[i % 2]), file);
    t.deepEqual(leftOver(objtree), []);
  });

test('a module that cannot be re-based: the line and the status that it has without a service; the next one is served', async t => {
  const objtree = tree('damaged');
  const [bad, good] = MODULES;
  writeFileSync(join(objtree, '.vmlinux-btf', 'modules', bad), 'no ELF');
  const alone = await rebase(objtree, bad);
  t.is(alone.exitCode, 3);
  t.regex(alone.stderr, ERROR_LINE);
  const service = await serve(objtree);
  const served = await rebase(objtree, bad, { service: service.folder });
  t.deepEqual([served.exitCode, served.stdout, served.stderr], [3, '', alone.stderr]);
  t.is((await rebase(objtree, good, { service: service.folder })).exitCode, 0);
  await service.end();
  t.is(starts(objtree), 1, 'without the service');
  t.deepEqual(leftOver(objtree), []);
});

test('after a new link modules are re-based onto it', async t => {
  const objtree = tree('relinked');
  const [file] = MODULES;
  const service = await serve(objtree);
  await rebase(objtree, file, { service: service.folder });
  const first = sha256Of(join(objtree, file));
  const side = join(objtree, '.vmlinux-btf');
  // A base that is the whole kernel: the module needs no copy of its types.
  const link = JSON.parse(readFileSync(join(side, 'link.json'), 'utf8'));
  const original = readFileSync(join(side, 'original.btf'));
  writeFileSync(join(side, 'base.btf'), original);
  const ids = readFileSync(join(side, 'in_base.u32'));
  for (let id = 0; id < ids.length / 4; id++) ids.writeUInt32LE(id, id * 4);
  writeFileSync(join(side, 'in_base.u32'), ids);
  for (const told of link.files) told.sha256 = sha256Of(join(side, told.name));
  writeFileSync(join(side, 'link.json'), JSON.stringify(link));
  await rebase(objtree, file, { service: service.folder });
  await service.end();
  const second = sha256Of(join(objtree, file));
  t.not(second, first);
  t.is(starts(objtree), 0);
  await rebase(objtree, file);
  t.is(sha256Of(join(objtree, file)), second);
});

test('services of two object trees do not meet', async t => {
  const trees = [tree('one'), tree('other')];
  const services = await Promise.all(trees.map(objtree => serve(objtree)));
  await Promise.all(
    trees.flatMap((objtree, i) =>
      MODULES.slice(0, 4).map(file => rebase(objtree, file, { service: services[i].folder })),
    ),
  );
  await services[0].end();
  t.deepEqual(leftOver(trees[0]), []);
  t.is((await rebase(trees[1], MODULES[4], { service: services[1].folder })).exitCode, 0);
  await services[1].end();
  for (const objtree of trees) {
    t.deepEqual([starts(objtree), leftOver(objtree)], [0, []]);
    for (const i of [0, 1, 2, 3])
      t.deepEqual(results('armv7-virt', objtree, MODULES[i]), results('armv7-virt', trees[0], MODULES[i % 2]));
  }
});
