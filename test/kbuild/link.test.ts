import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import test from 'ava';
import { execa } from 'execa';
import { FileSource } from '../../plugin/bytes/source.js';
import { readModinfo } from '../../plugin/carrier/modinfo.js';
import { SHF_ALLOC } from '../../plugin/elf/constants.js';
import { ElfFile } from '../../plugin/elf/file.js';
import type { Report } from '../../plugin/report/model.js';
import { sectionBytes } from '../elf/readelf.js';
import { bpftoolRaw } from '../support/bpftool.js';
import { cli, cliPath, ERROR_LINE, sha256Of, splitQuickly } from '../support/cli.js';
import { ElfPatch } from '../support/elf-patch.js';
import { fixture, repository } from '../support/fixtures.js';
import { type LinkedKernel, linkingTree, linkVmlinux } from '../support/linked-tree.js';
import { scratchFolder } from '../support/scratch.js';
import { haveTool } from '../support/tools.js';

const folder = scratchFolder(test, 'kbuild-link');
const wrappers = join(repository, 'build', 'bin', 'kbuild');

const WRAPPERS = {
  'armv7-virt': ['pahole', '-J', '-j', '.tmp_vmlinux1'],
  'mips32-malta-be': ['pahole', '-J', '--btf_gen_floats', '.tmp_vmlinux1'],
  'armv7-virt-7.2': ['resolve_btfids', '--btf', '.tmp_vmlinux1.BTF.1', '.tmp_vmlinux1'],
} as const satisfies Record<LinkedKernel, readonly string[]>;

const KERNELS = Object.keys(WRAPPERS) as LinkedKernel[];

let trees = 0;

/** An object tree on its way through the link. */
async function tree(name: LinkedKernel): Promise<string> {
  const objtree = join(folder, `${name}-${trees++}`);
  mkdirSync(objtree);
  await linkingTree(name, objtree);
  return objtree;
}

/** Runs what the kernel's script runs. */
async function hook(name: LinkedKernel, objtree: string, options?: string) {
  const [wrapper, ...words] = WRAPPERS[name];
  return execa(join(wrappers, wrapper), words, {
    cwd: objtree,
    env: {
      objtree: '.',
      VMLINUX_BTF_PAHOLE: join(objtree, 'pahole'),
      VMLINUX_BTF_NODE: process.execPath,
      ...(options === undefined ? {} : { VMLINUX_BTF_OPTIONS: encodeURIComponent(options) }),
    },
    reject: false,
    stripFinalNewline: false,
  });
}

const side = (objtree: string, name: string): string => join(objtree, '.vmlinux-btf', name);
const json = (file: string) => JSON.parse(readFileSync(file, 'utf8'));

for (const name of KERNELS)
  for (const closure of ['complete', 'forward'] as const)
    test(`the split between two links is the one after the link: ${name}, ${closure}`, async t => {
      if (!haveTool(t, 'bpftool', 'bpftool')) return;
      const objtree = await tree(name);
      const before = readFileSync(join(objtree, '.tmp_vmlinux1'));
      const run = await hook(name, objtree, JSON.stringify({ closure, keep: [], keepFor: [], moduleBtf: 'keep' }));
      t.deepEqual([run.exitCode, run.stdout, run.stderr], [0, '', '']);
      const out = join(objtree, 'out');
      t.is((await splitQuickly(fixture(`${name}/vmlinux`), out, '--closure', closure)).exitCode, 0);

      t.is(sha256Of(side(objtree, 'permutation.u32')), sha256Of(join(out, 'permutation.u32')));
      t.deepEqual(json(side(objtree, 'roots.json')), json(join(out, 'split.json')).roots);
      const ids = readFileSync(side(objtree, 'btf_ids.bin'));
      t.true(ids.equals(sectionBytes(join(out, 'vmlinux'), '.BTF_ids')));
      // Padding moves the strings of the rest, and nothing else.
      t.is((await bpftoolRaw(side(objtree, 'base.btf'))).text, (await bpftoolRaw(join(out, 'base.btf'))).text);
      const rest = await bpftoolRaw(side(objtree, 'rest.btf'), side(objtree, 'base.btf'));
      t.truthy(rest.text);
      t.is(rest.text, (await bpftoolRaw(join(out, 'rest.btf'), join(out, 'base.btf'))).text);
      t.is(sha256Of(side(objtree, 'full.btf')), sha256Of(join(out, 'full.btf')));

      const base = readFileSync(side(objtree, 'base.btf'));
      const linked = join(objtree, '.tmp_vmlinux1');
      if (WRAPPERS[name][0] === 'resolve_btfids') {
        t.true(readFileSync(`${linked}.BTF`).equals(base));
        t.true(readFileSync(`${linked}.BTF_ids`).equals(ids));
        t.true(readFileSync(linked).equals(before));
      } else {
        t.true(sectionBytes(linked, '.BTF').equals(base));
        const expected = new ElfPatch(before);
        expected.bytes.set(base, expected.section('.BTF').offset);
        expected.header('.BTF', 'size', base.length);
        t.true(readFileSync(linked).equals(expected.bytes), 'nothing else in the file changed');
      }
    });

test('a .BTF that llvm-objcopy put where lld left no room, so that it seems to lie over .data, is split as any other', async t => {
  const objtree = await tree('armv7-virt');
  t.is((await hook('armv7-virt', objtree)).exitCode, 0);
  const parts = ['base.btf', 'btf_ids.bin', 'roots.json'];
  const expected = parts.map(name => sha256Of(side(objtree, name)));
  const linked = await linkingTree('armv7-virt', objtree);
  const patch = new ElfPatch(readFileSync(linked));
  const at = patch.bytes.length;
  patch.header('.BTF', 'flags', SHF_ALLOC).header('.BTF', 'offset', at);
  patch.header('.BTF', 'addr', Number(patch.section('.data').addr) - 1000);
  writeFileSync(linked, Buffer.concat([patch.bytes, patch.elf.data(patch.section('.BTF'))]));
  const run = await hook('armv7-virt', objtree);
  t.deepEqual([run.exitCode, run.stderr], [0, '']);
  t.deepEqual(
    parts.map(name => sha256Of(side(objtree, name))),
    expected,
  );
  t.is(sha256Of(side(objtree, 'base.btf')), createHash('sha256').update(sectionBytes(linked, '.BTF')).digest('hex'));
});

test('a .BTF that a segment loads is left alone: this file is no step of a link', async t => {
  const objtree = await tree('armv7-virt');
  const linked = join(objtree, '.tmp_vmlinux1');
  writeFileSync(linked, new ElfPatch(readFileSync(linked)).header('.BTF', 'flags', SHF_ALLOC).bytes);
  const { exitCode, stderr } = await hook('armv7-virt', objtree);
  t.is(exitCode, 3);
  t.regex(stderr, /the section is loaded.* \[elf-sections\]/);
});

test('a BTF that is damaged: one line, the status of the error, no file to link with, no record of a split', async t => {
  const objtree = await tree('armv7-virt');
  t.is((await hook('armv7-virt', objtree)).exitCode, 0);
  t.true(existsSync(side(objtree, 'link.json')));
  const linked = await linkingTree('armv7-virt', objtree);
  const patch = new ElfPatch(readFileSync(linked));
  writeFileSync(linked, patch.data('.BTF', 0, 0).bytes);
  const { exitCode, stderr } = await hook('armv7-virt', objtree);
  t.is(exitCode, 3);
  t.regex(stderr, ERROR_LINE);
  t.regex(stderr, /\.tmp_vmlinux1/);
  t.false(existsSync(linked));
  t.false(existsSync(side(objtree, 'link.json')));
});

test('a type that a keep rule names and the kernel has not: one line, and no file to link with', async t => {
  const objtree = await tree('armv7-virt');
  const options = JSON.stringify({
    closure: 'complete',
    keep: ['struct:no_such_struct'],
    keepFor: [],
    moduleBtf: 'keep',
  });
  const { exitCode, stderr } = await hook('armv7-virt', objtree, options);
  t.is(exitCode, 2);
  t.regex(stderr, /no_such_struct[^\n]*\[keep-unknown\]\n$/);
  t.false(existsSync(join(objtree, '.tmp_vmlinux1')));
});

test('the end of a build: carrier and report of the vmlinux that was linked with the base', async t => {
  const name = 'mips32-malta-be';
  const objtree = await tree(name);
  await hook(name, objtree);
  const base = readFileSync(side(objtree, 'base.btf'));
  linkVmlinux(name, objtree, base, readFileSync(side(objtree, 'btf_ids.bin')));
  const run = await cli(['kbuild', '--finish', objtree, '--sizes', 'none']);
  t.is(run.stderr, '');
  t.is(run.exitCode, 0);
  const carrier = side(objtree, 'vmlinux_btf.ko');
  t.true(sectionBytes(carrier, '.BTF').equals(readFileSync(side(objtree, 'rest.btf'))));
  const source = FileSource.open(carrier);
  t.is(readModinfo(ElfFile.open(source)).get('btf_base_sha256'), sha256Of(side(objtree, 'base.btf')));
  source.close();

  const report = json(side(objtree, 'report.json')) as Report;
  const whole = sectionBytes(fixture(`${name}/vmlinux`), '.BTF').length;
  t.is(report.padding, 0);
  t.is(report.input.btfBytes, whole);
  const left = whole - base.length;
  t.is(report.image?.linked, true);
  t.is(report.image?.ramSaved, left + report.rest.types * 4);
  t.is(report.image?.ramSavedByRelinking, 0);
  const { before, after } = report.image ?? {};
  t.is((before?.bytes ?? 0) - (after?.bytes ?? 0), left);
  t.is(run.stdout, `${readFileSync(side(objtree, 'report.txt'), 'utf8')}\n${carrier}: written\n`);
  t.regex(run.stdout, /was linked with the base: besides flash it saves/);
  t.notRegex(run.stdout, /made after the link|A kernel linked with the base would/);
  t.regex(readFileSync(side(objtree, 'report.md'), 'utf8'), /linked with the base/);
});

test('the end of a build: what is wrong is one line with its code', async t => {
  const name = 'armv7-virt';
  const objtree = await tree(name);
  const finish = () => cli(['kbuild', '--finish', objtree, '--sizes', 'none']);
  const nothing = await finish();
  t.is(nothing.exitCode, 3);
  t.regex(nothing.stderr, /\[kbuild-none\]\n$/);

  await hook(name, objtree);
  copyFileSync(fixture(`${name}/vmlinux`), join(objtree, 'vmlinux'));
  const other = await finish();
  t.is(other.exitCode, 1);
  t.regex(other.stderr, ERROR_LINE);
  t.regex(other.stderr, /the last link that was split, \.tmp_vmlinux1 after pahole, made base\.btf of \d+ bytes/);
  t.regex(other.stderr, /\[kbuild-link\]\n$/);

  const ids = readFileSync(side(objtree, 'btf_ids.bin'));
  linkVmlinux(name, objtree, readFileSync(side(objtree, 'base.btf')), ids.fill(0, 0, 64));
  const unresolved = await finish();
  t.is(unresolved.exitCode, 1);
  t.regex(unresolved.stderr, /made btf_ids\.bin[^\n]+\.BTF_ids[^\n]+\[kbuild-link\]\n$/);

  writeFileSync(join(objtree, '.config'), 'CONFIG_PAHOLE_VERSION=124\nCONFIG_BPF_SYSCALL=y\n');
  const bare = await finish();
  t.is(bare.exitCode, 2);
  t.regex(bare.stderr, /needs debug information[^\n]+\[kbuild-config\]\n$/);
});

test('make is run with the variables; it links again when options or the last link changed, and only then', async t => {
  const name = 'armv7-virt';
  const objtree = await tree(name);
  copyFileSync(join(objtree, '.tmp_vmlinux1'), join(objtree, 'pristine'));
  const make = join(dirname(cliPath), '..', 'test', 'support', 'fake-make.js');
  const real = join(objtree, 'pahole');
  const build = (options: readonly string[], ...more: readonly string[]) =>
    cli([
      'kbuild',
      '--sizes',
      'none',
      ...options,
      '--',
      process.execPath,
      make,
      `KERNEL=${name}`,
      `O=${objtree}`,
      `PAHOLE=${real}`,
      ...more,
    ]);
  const links = (): number => readFileSync(join(objtree, 'links'), 'utf8').length;

  const first = await build(['--quiet']);
  t.deepEqual([first.exitCode, first.stdout, first.stderr], [0, '', '']);
  t.is(links(), 1);
  const words = readFileSync(join(objtree, 'words'), 'utf8');
  t.is(
    words,
    `KERNEL=${name} O=${objtree} PAHOLE=${wrappers}/pahole RESOLVE_BTFIDS=${wrappers}/resolve_btfids VMLINUX_BTF_PAHOLE=${real}\n`,
  );
  t.true(existsSync(side(objtree, 'vmlinux_btf.ko')));

  await build([]);
  t.is(links(), 1, 'nothing changed');
  const forward = await build(['--closure', 'forward', '--keep', 'func:tcp_*', '--json']);
  t.is(links(), 2, 'other options');
  t.is((JSON.parse(forward.stdout) as Report).closure, 'forward');
  await build(['--closure', 'forward', '--keep', 'func:tcp_*']);
  t.is(links(), 2, 'the same options');

  copyFileSync(fixture(`${name}/vmlinux`), join(objtree, 'vmlinux'));
  t.is((await build(['--closure', 'forward', '--keep', 'func:tcp_*'])).exitCode, 0);
  t.is(links(), 3, 'linked without us in between');

  const failed = await build(['--closure', 'forward', '--keep', 'func:tcp_*'], 'FAIL=1');
  t.is(failed.exitCode, 4);
  t.regex(failed.stderr, /exited with 2[^\n]*\[tool-failed\]\n$/);

  rmSync(join(objtree, '.config'));
  writeFileSync(join(objtree, '.config'), '');
  t.is((await cli(['kbuild', '--', 'true', `O=${objtree}`, 'menuconfig'])).exitCode, 0);
  const lost = await cli(['kbuild', '--', 'true', `O=${objtree}`, 'olddefconfig']);
  t.is(lost.exitCode, 2);
  t.regex(lost.stderr, /\[kbuild-config\]\n$/);
  writeFileSync(join(objtree, '.config'), 'CONFIG_DEBUG_INFO_BTF=y\n# CONFIG_MODULES is not set\n');
  const alone = await cli(['kbuild', '--', 'true', `O=${objtree}`, 'olddefconfig']);
  t.is(alone.exitCode, 3);
  t.regex(
    alone.stderr,
    /\(CONFIG_MODULES is not set\): [^\n]+\.config: build the kernel with CONFIG_MODULES=y \[module-layout\]\n$/,
  );
});

test('without make it prints the variables; a path that make cannot take is refused', async t => {
  const plain = await cli(['kbuild']);
  t.is(plain.stdout, `PAHOLE=${wrappers}/pahole RESOLVE_BTFIDS=${wrappers}/resolve_btfids\n`);
  const kept = await cli(['kbuild', '--keep', 'tp_btf']);
  t.regex(kept.stdout, / VMLINUX_BTF_OPTIONS=[\w%.-]+\n$/);
  const spaced = join(folder, 'with space');
  mkdirSync(spaced);
  writeFileSync(join(spaced, 'pahole'), '#!/bin/sh\n', { mode: 0o755 });
  const refused = await cli(['kbuild', '--pahole', join(spaced, 'pahole')]);
  t.is(refused.exitCode, 2);
  t.regex(refused.stderr, /\[kbuild-path\]\n$/);
  const missing = await cli(['kbuild', '--pahole', '/nowhere/pahole']);
  t.is(missing.exitCode, 4);
  t.regex(missing.stderr, /\[tool-missing\]\n$/);
  const itself = await cli(['kbuild', '--pahole', join(wrappers, 'pahole')]);
  t.is(itself.exitCode, 2);
});

test('the configuration may name the real pahole, from its own folder; the command line goes before it', async t => {
  const project = join(folder, 'project');
  mkdirSync(join(project, 'tools'), { recursive: true });
  const told = join(project, 'tools', 'pahole');
  const other = join(project, 'pahole-1.30');
  for (const path of [told, other]) writeFileSync(path, '#!/bin/sh\n', { mode: 0o755 });
  const config = join(project, 'vmlinux-btf.config.json');
  writeFileSync(config, JSON.stringify({ pahole: 'tools/pahole' }));
  const shown = async (...args: readonly string[]): Promise<string | undefined> =>
    / VMLINUX_BTF_PAHOLE=(\S+)/.exec((await cli(['kbuild', ...args])).stdout)?.[1];
  t.is(await shown('--config', config), told);
  t.is(await shown('--config', config, '--pahole', other), other);
  const { stdout } = await cli(['kbuild'], { cwd: project });
  t.true(stdout.includes(` VMLINUX_BTF_PAHOLE=${told}`));
  writeFileSync(config, JSON.stringify({ pahole: 'no-such-pahole' }));
  const missing = await cli(['kbuild', '--config', config]);
  t.is(missing.exitCode, 4);
  t.regex(missing.stderr, /no-such-pahole.*\[tool-missing\]\n$/);
});
