import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { FORMATS } from '../../plugin/report/formats.js';
import { cli } from '../support/cli.js';
import { repository } from '../support/fixtures.js';

/** What holds the files of the tree together, where neither Kconfig nor make would say that something is missing. */

const tree = join(repository, 'buildroot-example');
const read = (...path: string[]): string => readFileSync(join(tree, ...path), 'utf8');
const docs = readFileSync(join(repository, 'docs', 'buildroot.md'), 'utf8');
const PREFIX = 'BR2_LINUX_KERNEL_EXT_VMLINUX_BTF';

interface Option {
  readonly name: string;
  /** Whether somebody can choose it. */
  readonly shown: boolean;
  readonly help: boolean;
}

function options(...path: string[]): Option[] {
  const blocks = read(...path)
    .split(/^(?=config )/m)
    .slice(1);
  return blocks.map(block => {
    const [own] = block.split(/^(?=\w)/m).slice(0, 1);
    return {
      name: /^config (\w+)/.exec(own)?.[1] ?? '',
      shown: /^\t(?:bool|string) "/m.test(own),
      help: /^\thelp\n\t {2}\S/m.test(own),
    };
  });
}

const linux = options('linux', 'Config.ext.in');
const all = [...linux, ...options('package', 'vmlinux-btf', 'Config.in.host')];

test('every option has help, and stands in the documentation', t => {
  const shown = all.filter(option => option.shown);
  t.true(shown.length > 15);
  for (const { name, help } of shown) {
    t.true(help, name);
    t.true(docs.includes(`\`${name.replace(`${PREFIX}_`, '…_')}\``), `${name} in docs/buildroot.md`);
  }
});

test('the documentation names no option that is not there', t => {
  const known = new Set(all.map(({ name }) => name));
  const named = [...docs.matchAll(/`(…|BR2_LINUX_KERNEL_EXT_VMLINUX_BTF)((?:_[A-Z]+)*)`/g)].map(
    ([, , ending]) => PREFIX + ending,
  );
  t.deepEqual(
    named.filter(name => !known.has(name)),
    [],
  );
});

test('the makefiles ask for options that are there', t => {
  const known = new Set(all.map(({ name }) => name));
  for (const path of ['linux/linux-ext-vmlinux-btf.mk', 'package/vmlinux-btf/vmlinux-btf.mk'])
    for (const [name] of read(path).matchAll(/BR2_\w*VMLINUX_BTF\w*/g))
      t.true(known.has(name) || name === 'BR2_EXTERNAL_VMLINUX_BTF_PATH', name);
});

test('each option that somebody can choose is asked for somewhere, or is what holds without the others of its choice', t => {
  const text = ['linux/linux-ext-vmlinux-btf.mk', 'linux/Config.ext.in', 'package/vmlinux-btf/vmlinux-btf.mk']
    .map(path => read(path).replaceAll(/^config .*$/gm, ''))
    .join();
  for (const { name, shown } of all) if (shown) t.regex(text, new RegExp(`\\b${name}\\b`), name);
});

test('boards: what they name is there, and their budgets can be checked', async t => {
  const known = new Set(all.map(({ name }) => name));
  const configs = readdirSync(join(tree, 'configs'));
  t.deepEqual(configs, ['qemu_arm_virt_btf_defconfig', 'qemu_mips32_malta_btf_defconfig']);
  for (const config of configs) {
    const text = read('configs', config);
    for (const [name] of text.matchAll(/BR2_\w*EXT_VMLINUX_BTF\w*/g)) t.true(known.has(name), name);
    const paths = [...text.matchAll(/\$\(BR2_EXTERNAL_VMLINUX_BTF_PATH\)\/([^" ]+)/g)].map(([, path]) => path);
    t.true(paths.length >= 4);
    for (const path of paths) t.true(statSync(join(tree, path)).size > 0, path);
    const formats = /_REPORTS="(.*)"/.exec(text)?.[1].split(',') ?? [];
    for (const format of formats)
      t.true(
        FORMATS.some(({ name }) => name === format),
        format,
      );
    const rules = paths.find(path => path.endsWith('.json')) ?? '';
    const report = join(repository, 'package.json');
    // Read before the report, which is none: a wrong configuration ends with 2.
    t.is((await cli(['check', report, '--config', join(tree, rules)])).exitCode, 3, rules);
  }
});

test('boards: their kernels leave to the package what BTF needs', t => {
  for (const board of ['qemu-arm-virt', 'qemu-mips32-malta'])
    t.notRegex(read('board', board, 'linux.config'), /CONFIG_(?:DEBUG_INFO|BPF_SYSCALL|DEBUG_KERNEL)/);
});

test('nothing in the tree fetches Buildroot', t => {
  const files = readdirSync(tree, { recursive: true, encoding: 'utf8' }).filter(
    name => statSync(join(tree, name)).isFile() && !/\.(?:tar|hash)$/.test(name),
  );
  t.true(files.length > 15);
  for (const name of files) t.notRegex(read(name), /\b(?:git clone|wget|curl)\b/, name);
});
