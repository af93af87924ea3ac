import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { execa } from 'execa';
import { runSplit } from '../../plugin/pipeline/split.js';
import { fixture, repository } from '../support/fixtures.js';
import { scratchFolder } from '../support/scratch.js';
import { haveTool, toolEnvironment } from '../support/tools.js';

/** What of scripts/target needs no kernel to be booted; test/boot/target-loader.test.ts has the rest. */

const folder = scratchFolder(test, 'target');
const target = join(repository, 'scripts', 'target');
const loader = join(target, 'vmlinux-btf-load');
const SCRIPTS = [loader, join(target, 'init.d', 'vmlinux-btf')];
const DEVICE = join(repository, 'docs', 'device.md');

/** Shells that a target may have. */
const SHELLS = [
  ['dash', 'dash', []],
  ['busybox', 'busybox', ['ash']],
] as const;

interface Ran {
  readonly code: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

async function run(shell: readonly [string, string, readonly string[]], ...options: string[]): Promise<Ran> {
  const [program, , first] = shell;
  const { exitCode, stdout, stderr } = await execa(program, [...first, loader, ...options], { reject: false });
  return { code: exitCode, stdout, stderr };
}

const haveShell = (
  t: ExecutionContext,
  [program, debianPackage]: readonly [string, string, readonly string[]],
): boolean => haveTool(t, program, debianPackage);

test('shellcheck finds nothing in the scripts of the target', async t => {
  if (!haveTool(t, 'shellcheck', 'shellcheck')) return;
  const { stdout } = await execa('shellcheck', ['--shell=sh', ...SCRIPTS], { reject: false });
  t.is(stdout, '');
});

for (const shell of SHELLS) {
  const [name] = shell;
  test(`${name}: the scripts parse`, async t => {
    if (!haveShell(t, shell)) return;
    const [program, , first] = shell;
    for (const script of SCRIPTS) {
      const { stdout, stderr } = await execa(program, [...first, '-n', script]);
      t.is(stdout + stderr, '', script);
    }
  });

  test(`${name}: --check --base compares a carrier with the base of an image`, async t => {
    if (!haveShell(t, shell)) return;
    const { base, other, carrier } = await images();
    t.deepEqual(await run(shell, '--check', '--base', base, carrier), {
      code: 0,
      stdout: `vmlinux-btf-load: fits: ${carrier}: ${base}`,
      stderr: '',
    });
    const refused = await run(shell, '--check', '--base', other, carrier);
    t.is(refused.code, 1);
    const [wanted, found] = await Promise.all([base, other].map(sha256sum));
    t.is(
      refused.stderr,
      `vmlinux-btf-load: the carrier is of another kernel build: ${carrier} wants BTF ${wanted}, ${other} is ${found}: install that of this build`,
    );
    t.is(refused.stdout, '');
  });

  test(`${name}: what is no use is refused`, async t => {
    if (!haveShell(t, shell)) return;
    const { base, carrier } = await images();
    const cases: readonly (readonly [readonly string[], number, RegExp])[] = [
      [['--check', '--base'], 2, /: wrong usage: --base without a file/],
      [['--base', base, carrier], 2, /: wrong usage: --base without --check/],
      [['--check', '--unload'], 2, /: wrong usage: --check and --unload/],
      [['--unload', carrier], 2, /: wrong usage: --unload of a file/],
      [[carrier, base], 2, /: wrong usage: one carrier, not /],
      [['--check', ''], 2, /: wrong usage: a carrier without a name/],
      [['--check', '--base', join(folder, 'nothing'), carrier], 3, /: no such file, or not to be read: \S+nothing: /],
      [['--check', '--base', base, join(folder, 'nothing')], 3, /: no such file, or not to be read: \S+nothing: /],
      [['--check', '--base', base, folder], 3, /: no such file, or not to be read: /],
      [['--check', '--base', base, base], 3, /: no btf_base_sha256 in it: /],
    ];
    for (const [options, code, says] of cases) {
      const ran = await run(shell, ...options);
      t.is(ran.code, code, ran.stderr);
      t.regex(ran.stderr, says);
      t.notRegex(ran.stderr, /\n/, 'one line');
      t.is(ran.stdout, '');
    }
  });
}

test('every exit code of the script stands in --help and in docs/device.md', async t => {
  const used = [...readFileSync(loader, 'utf8').matchAll(/\b(?:die|exit) (\d)\b/g)].map(([, code]) => Number(code));
  const { stdout } = await execa('sh', [loader, '--help']);
  const told = [...stdout.matchAll(/^ {2}(\d) {2}/gm)].map(([, code]) => Number(code));
  t.deepEqual([...new Set(used)].sort(), told);
  const documented = [...readFileSync(DEVICE, 'utf8').matchAll(/^\| (\d) \|/gm)].map(([, code]) => Number(code));
  t.deepEqual([...new Set(documented)].sort(), told);
});

test('with the fragment of modprobe.d, modprobe of kmod runs the loader and inserts nothing itself', async t => {
  if (!haveTool(t, 'modprobe', 'kmod') || !haveTool(t, 'depmod', 'kmod')) return;
  const { carrier } = await images();
  const root = join(folder, 'root');
  const modules = join(root, 'lib', 'modules', '6.12.117', 'updates');
  mkdirSync(modules, { recursive: true });
  copyFileSync(carrier, join(modules, 'vmlinux_btf.ko'));
  const tool = (name: string, options: readonly string[]): Promise<{ stdout: string; exitCode?: number }> =>
    execa(name, [...options], { env: toolEnvironment, reject: false });
  await tool('depmod', ['-b', root, '6.12.117']);
  const shown = (config: string) =>
    tool('modprobe', ['-C', config, '-d', root, '-S', '6.12.117', '--show-depends', 'vmlinux_btf']);
  const fragment = join(target, 'modprobe.d', 'vmlinux-btf.conf');
  t.is((await shown(fragment)).stdout.trim(), 'install /usr/sbin/vmlinux-btf-load');
  const empty = join(folder, 'empty.conf');
  writeFileSync(empty, '');
  t.regex((await shown(empty)).stdout, /^insmod .*\/vmlinux_btf\.ko/, 'without the fragment it would insert it');
});

interface Images {
  readonly base: string;
  readonly other: string;
  readonly carrier: string;
}

let made: Promise<Images> | undefined;

/** The base and the carrier of one split, and the base of another. */
function images(): Promise<Images> {
  made ??= makeImages();
  return made;
}

async function makeImages(): Promise<Images> {
  const file = fixture('mips32-malta-be/vmlinux');
  const [out, forward] = [join(folder, 'complete'), join(folder, 'forward')];
  await runSplit({ file, out, compressors: [] });
  await runSplit({ file, out: forward, compressors: [], reach: 'forward' });
  return { base: join(out, 'base.btf'), other: join(forward, 'base.btf'), carrier: join(out, 'vmlinux_btf.ko') };
}

async function sha256sum(path: string): Promise<string> {
  const { stdout } = await execa('sha256sum', [path]);
  return stdout.split(' ')[0];
}
