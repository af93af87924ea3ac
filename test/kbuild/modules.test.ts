import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { execa } from 'execa';
import { withFile } from '../../plugin/bytes/source.js';
import { ElfFile } from '../../plugin/elf/file.js';
import { resizeSections } from '../../plugin/elf/resize-sections.js';
import type { Report } from '../../plugin/report/model.js';
import { sectionBytes } from '../elf/readelf.js';
import { bpftoolRaw } from '../support/bpftool.js';
import { addModules, buildModules, type Modules } from '../support/built-modules.js';
import { cli, cliPath, ERROR_LINE, splitQuickly } from '../support/cli.js';
import { fixture, repository } from '../support/fixtures.js';
import { type LinkedKernel, linkingTree, linkVmlinux } from '../support/linked-tree.js';
import { scratchFolder } from '../support/scratch.js';
import { haveTool } from '../support/tools.js';

const folder = scratchFolder(test, 'kbuild-modules');
const wrappers = join(repository, 'build', 'bin', 'kbuild');
const ALONE: Modules = { 'drivers/net/dummy.ko': 'dummy.ko', 'net/ipv4/tcp_bbr.ko': 'tcp_bbr.ko' };
/** What one dummy.ko refers to, two share: under closure forward that is struct net_device and others. */
const SHARING: Modules = { ...ALONE, 'drivers/net/other.ko': 'dummy.ko' };

type Reach = 'complete' | 'forward';
type Mode = 'keep' | 'prune' | 'strip';

let trees = 0;

async function tree(kernel: LinkedKernel, modules: Modules): Promise<string> {
  const objtree = join(folder, `${kernel}-${trees++}`);
  mkdirSync(objtree);
  await linkingTree(kernel, objtree);
  addModules(kernel, objtree, modules);
  copyFileSync(join(objtree, '.tmp_vmlinux1'), join(objtree, 'pristine'));
  return objtree;
}

function variables(objtree: string, mode: Mode, closure: Reach): Record<string, string> {
  return {
    PAHOLE: join(wrappers, 'pahole'),
    RESOLVE_BTFIDS: join(wrappers, 'resolve_btfids'),
    VMLINUX_BTF_PAHOLE: join(objtree, 'pahole'),
    VMLINUX_BTF_NODE: process.execPath,
    VMLINUX_BTF_OPTIONS: encodeURIComponent(JSON.stringify({ closure, keep: [], keepFor: [], moduleBtf: mode })),
  };
}

const WORDS = { 6: ['pahole', '-J', '.tmp_vmlinux1'], 7: ['resolve_btfids', '--btf', 'x', '.tmp_vmlinux1'] } as const;

/** Links vmlinux through a wrapper. */
async function link(kernel: LinkedKernel, objtree: string, mode: Mode, closure: Reach = 'complete'): Promise<void> {
  const [wrapper, ...words] = WORDS[kernel.endsWith('-7.2') ? 7 : 6];
  await execa(join(wrappers, wrapper), words, {
    cwd: objtree,
    env: { objtree: '.', ...variables(objtree, mode, closure) },
  });
  linkVmlinux(kernel, objtree, readFileSync(side(objtree, 'base.btf')), readFileSync(side(objtree, 'btf_ids.bin')));
}

const side = (objtree: string, name: string): string => join(objtree, '.vmlinux-btf', name);
const json = (file: string) => JSON.parse(readFileSync(file, 'utf8'));
const finish = (objtree: string) => cli(['kbuild', '--finish', objtree, '--sizes', 'none', '--json']);

/** The types of a module by bpftool: `.BTF` of the file, or what a file of BTF holds. */
async function types(file: string, base?: string): Promise<string | undefined> {
  return (await bpftoolRaw(file, base)).text;
}

test('what modules need is found when they are built, the kernel linked once more with it, and then no more', async t => {
  const kernel = 'armv7-virt';
  const objtree = await tree(kernel, SHARING);
  const make = join(dirname(cliPath), '..', 'test', 'support', 'fake-make.js');
  const words = [process.execPath, make, `KERNEL=${kernel}`, `O=${objtree}`, `PAHOLE=${join(objtree, 'pahole')}`];
  const build = () => cli(['kbuild', '--sizes', 'none', '--closure', 'forward', '--json', '--', ...words, 'MODULES=1']);
  const links = (): number => readFileSync(join(objtree, 'links'), 'utf8').length;

  const first = await build();
  t.is(first.exitCode, 0, first.stderr);
  t.is(links(), 2);
  t.regex(
    first.stderr,
    /the modules of this build need other types[^\n]+shared by dummy and other[^\n]+linking once more/,
  );
  const report = JSON.parse(first.stdout) as Report;
  t.deepEqual(
    report.modules?.rows.map(row => row.name),
    Object.keys(SHARING),
  );

  const known = json(side(objtree, 'link.json')).moduleRoots as { kind: string; name: string }[];
  t.true(known.length > 0);
  // Each of them is there now, whole, and the modules have no copy of it.
  const base = await types(side(objtree, 'base.btf'));
  for (const { kind, name } of known) {
    t.true(base?.includes(`${kind.toUpperCase()} '${name}'`), `${kind} ${name} in the base`);
    for (const module of ['dummy', 'other'])
      t.false(
        (await types(join(objtree, 'drivers', 'net', `${module}.ko`), side(objtree, 'base.btf')))?.includes(
          `${kind.toUpperCase()} '${name}'`,
        ),
        `${kind} ${name} not in ${module}.ko`,
      );
  }
  const second = await build();
  t.deepEqual([second.exitCode, second.stderr, links()], [0, '', 2], 'nothing changed');
  t.deepEqual(JSON.parse(second.stdout).modules, report.modules);

  // Without the other module nothing is shared, and the base is what it is without modules.
  rmSync(join(objtree, 'drivers', 'net', 'other.ko'));
  addOrder(objtree, ALONE);
  const third = await build();
  t.is(third.exitCode, 0, third.stderr);
  t.is(links(), 3);
  t.deepEqual(json(side(objtree, 'link.json')).moduleRoots, []);
});

function addOrder(objtree: string, modules: Modules): void {
  rmSync(join(objtree, 'linked'), { recursive: true });
  rmSync(join(objtree, 'scripts'), { recursive: true });
  addModules('armv7-virt', objtree, modules);
}

test('the end of a build without make: what is missing is one line, and the next link has it', async t => {
  const kernel = 'armv7-virt';
  const objtree = await tree(kernel, SHARING);
  await link(kernel, objtree, 'keep', 'forward');
  const early = await finish(objtree);
  t.is(early.exitCode, 0);
  const warnings = (JSON.parse(early.stdout) as Report).warnings.join('\n');
  t.regex(warnings, /modules were not built for this vmlinux yet/);
  t.is(JSON.parse(early.stdout).modules, undefined);

  buildModules(objtree, 6, variables(objtree, 'keep', 'forward'));
  const missing = await finish(objtree);
  t.is(missing.exitCode, 1);
  t.regex(missing.stderr, /\[kbuild-modules\]\n$/);
  t.regex(missing.stderr, ERROR_LINE);

  copyFileSync(join(objtree, 'pristine'), join(objtree, '.tmp_vmlinux1'));
  await link(kernel, objtree, 'keep', 'forward');
  buildModules(objtree, 6, variables(objtree, 'keep', 'forward'));
  const done = await finish(objtree);
  t.is(done.exitCode, 0, done.stderr);
  for (const row of (JSON.parse(done.stdout) as Report).modules?.rows ?? []) {
    t.is(row.before.bytes, sectionBytes(fixture(`${kernel}/${SHARING[row.name]}`), '.BTF').length);
    t.is(row.after.bytes, sectionBytes(join(objtree, row.name), '.BTF').length);
  }

  rmSync(side(objtree, 'modules/drivers/net/dummy.ko'));
  const unseen = await finish(objtree);
  t.is(unseen.exitCode, 1);
  t.regex(unseen.stderr, /drivers\/net\/dummy\.ko[^\n]*\[kbuild-copy\]\n$/);
  const old = new Date(2020, 1, 1);
  utimesSync(join(objtree, 'drivers/net/dummy.ko'), old, old);
  t.is((await finish(objtree)).exitCode, 0, 'a module that is older than vmlinux is not of this build');
});

/** What `split --modules` makes of the same modules. */
async function afterTheLink(kernel: LinkedKernel, objtree: string, mode: Mode): Promise<string> {
  const out = join(objtree, 'out');
  const modules = join(objtree, 'linked');
  const run = await splitQuickly(fixture(`${kernel}/vmlinux`), out, '--modules', modules, '--module-btf', mode);
  if (run.exitCode !== 0) throw new Error(run.stderr);
  return out;
}

async function sameModules(t: ExecutionContext, objtree: string, out: string): Promise<void> {
  for (const name of Object.keys(ALONE)) {
    const [wanted, made] = [join(out, 'modules', name), join(objtree, name)];
    if (sectionBytes(wanted, '.BTF').length === 0) t.is(sectionBytes(made, '.BTF').length, 0, name);
    else {
      const text = await types(made, side(objtree, 'base.btf'));
      t.truthy(text, name);
      t.is(text, await types(wanted, join(out, 'base.btf')), name);
    }
  }
}

/** What gen-btf.sh does at its end with `X.BTF` and `X.BTF_ids`: they become sections of the module. */
function putTogether(objtree: string): void {
  for (const name of Object.keys(ALONE)) {
    const file = join(objtree, name);
    const bytes = withFile(file, source => {
      const elf = ElfFile.open(source);
      const changes = ['.BTF', '.BTF_ids']
        .filter(wanted => existsSync(`${file}${wanted}`))
        .map(wanted => ({ section: elf.section(wanted), bytes: readFileSync(`${file}${wanted}`) }));
      return Buffer.concat([...resizeSections(elf, changes)]);
    });
    writeFileSync(file, bytes);
  }
}

for (const mode of ['keep', 'prune', 'strip'] as const)
  for (const kernel of ['armv7-virt', 'mips32-malta-be', 'armv7-virt-7.2'] as const)
    test(`--module-btf ${mode}, ${kernel}: modules of the build are what split makes of finished ones`, async t => {
      if (!haveTool(t, 'bpftool', 'bpftool')) return;
      const objtree = await tree(kernel, ALONE);
      await link(kernel, objtree, mode);
      const series = kernel === 'armv7-virt-7.2' ? 7 : 6;
      buildModules(objtree, series, variables(objtree, mode, 'complete'));
      if (series === 7) putTogether(objtree);
      if ((await finish(objtree)).exitCode !== 0) {
        await linkingTree(kernel, objtree);
        await link(kernel, objtree, mode);
        buildModules(objtree, series, variables(objtree, mode, 'complete'));
        if (series === 7) putTogether(objtree);
      }
      const done = await finish(objtree);
      t.is(done.exitCode, 0, done.stderr);
      t.is((JSON.parse(done.stdout) as Report).modules?.mode, mode);
      const out = await afterTheLink(kernel, objtree, mode);
      await sameModules(t, objtree, out);
      const ids = (name: string): Buffer => sectionBytes(join(out, 'modules', name), '.BTF_ids');
      const bbr = 'net/ipv4/tcp_bbr.ko';
      t.true(sectionBytes(join(objtree, bbr), '.BTF_ids').equals(ids(bbr)));
    });

test('a module that is not what its re-basing gives is refused at the end of the build', async t => {
  const objtree = await tree('armv7-virt', ALONE);
  await link('armv7-virt', objtree, 'keep');
  // Built with other options than the kernel was linked with.
  buildModules(objtree, 6, variables(objtree, 'prune', 'complete'));
  const { exitCode, stderr } = await finish(objtree);
  t.is(exitCode, 1);
  t.regex(stderr, /not what its re-basing gives[^\n]*\[invariant\]\n$/);
});
