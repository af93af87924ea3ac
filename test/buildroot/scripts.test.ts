import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { execa } from 'execa';
import { cliPath, splitQuickly } from '../support/cli.js';
import { fixture, repository } from '../support/fixtures.js';
import { scratchFolder } from '../support/scratch.js';
import { haveTool } from '../support/tools.js';

/** The scripts that Buildroot calls, in an environment like Buildroot's, on a real split. */

const folder = scratchFolder(test, 'post-scripts');
const tree = join(repository, 'buildroot-example');
const script = (name: string): string => join(tree, 'scripts', name);

interface Build {
  readonly out: string;
  readonly target: string;
  readonly images: string;
  run(name: string, ...words: string[]): Promise<{ code: number | undefined; stdout: string; stderr: string }>;
}

let split: Promise<string> | undefined;

async function splitOnce(): Promise<string> {
  const out = join(folder, 'split');
  const { exitCode, stderr } = await splitQuickly(fixture('mips32-malta-be/vmlinux'), out);
  if (exitCode !== 0) throw new Error(stderr);
  return out;
}

/** Folders of a build whose carrier is installed; `gzip`: compressed. */
async function build(gzip = false): Promise<Build> {
  split ??= splitOnce();
  const out = await split;
  const base = mkdtempSync(join(folder, 'build-'));
  const [target, images] = [join(base, 'target'), join(base, 'images')];
  const updates = join(target, 'lib', 'modules', '6.12.0', 'updates');
  for (const path of [updates, images, join(base, 'host', 'bin')]) mkdirSync(path, { recursive: true });
  cpSync(join(out, 'vmlinux_btf.ko'), join(updates, 'vmlinux_btf.ko'));
  if (gzip) await execa('gzip', [join(updates, 'vmlinux_btf.ko')]);
  writeFileSync(join(base, 'host', 'bin', 'vmlinux-btf'), `#!/bin/sh\nexec '${process.execPath}' '${cliPath}' "$@"\n`, {
    mode: 0o755,
  });
  const run: Build['run'] = async (name, ...words) => {
    const env = { HOST_DIR: join(base, 'host'), VMLINUX_BTF: '' };
    const ran = await execa(script(name), words, { cwd: base, env, reject: false });
    return { code: ran.exitCode, stdout: ran.stdout, stderr: ran.stderr };
  };
  return { out, target, images, run };
}

function budgets(...list: readonly object[]): string {
  const path = join(mkdtempSync(join(folder, 'budgets-')), 'vmlinux-btf.config.json');
  writeFileSync(path, JSON.stringify({ budgets: list }));
  return path;
}

test('shellcheck finds nothing in the scripts of the tree', async t => {
  if (!haveTool(t, 'shellcheck', 'shellcheck')) return;
  const files = readdirSync(tree, { recursive: true, encoding: 'utf8' })
    .map(name => join(tree, name))
    .filter(file => /\.sh$|\/btf-probe$/.test(file));
  t.is(files.length, 7);
  const { stdout } = await execa('shellcheck', ['--external-sources', ...files], { reject: false });
  t.is(stdout, '');
});

for (const gzip of [false, true])
  test(`post-build: budgets that hold pass, one that is broken does not${gzip ? ' (compressed carrier)' : ''}`, async t => {
    const { out, target, run } = await build(gzip);
    const good = await run(
      'post-build.sh',
      target,
      '--source',
      out,
      '--budgets',
      budgets({ metric: 'btf.base', max: '50 %' }),
    );
    t.is(good.code, 0, good.stderr);
    t.regex(good.stdout, /ok +btf\.base/);
    const broken = await run(
      'post-build.sh',
      target,
      '--source',
      out,
      '--budgets',
      budgets({ metric: 'btf.base', max: '1 KiB' }),
    );
    t.is(broken.code, 1);
    t.regex(broken.stdout, /error +btf\.base/);
    t.is((await run('post-build.sh', target, '--source', out)).code, 0, 'no budgets, no check');
  });

test('post-build: a carrier of another kernel ends the build', async t => {
  const { out, target, run } = await build();
  const other = mkdtempSync(join(folder, 'other-'));
  cpSync(out, other, { recursive: true });
  writeFileSync(join(other, 'base.btf'), 'another');
  const { code, stderr } = await run('post-build.sh', target, '--source', other);
  t.is(code, 1);
  t.regex(
    stderr,
    /^vmlinux-btf: the carrier is of another kernel build: \S+vmlinux_btf\.ko wants BTF [0-9a-f]{64}, \S+ is [0-9a-f]{64}: run make linux-rebuild, or remove it when it is left from before$/,
  );
});

test('post-build: an increase above the baseline counts, and the first build has none', async t => {
  const { out, target, run } = await build();
  const rules = budgets({ metric: 'btf.base', maxIncrease: '2 %' });
  const baseline = join(mkdtempSync(join(folder, 'baseline-')), 'old.json');
  const words = [target, '--source', out, '--budgets', rules, '--baseline', baseline];
  t.is((await run('post-build.sh', ...words)).code, 0);
  const report = JSON.parse(readFileSync(join(out, 'report.json'), 'utf8'));
  report.base.bytes = Math.round(report.base.bytes / 2);
  writeFileSync(baseline, JSON.stringify(report));
  t.is((await run('post-build.sh', ...words)).code, 1);
});

test('post-image: reports, carrier and all types are beside the images, also when a budget is broken', async t => {
  const { out, images, run } = await build();
  mkdirSync(join(images, 'vmlinux-btf'));
  writeFileSync(join(images, 'vmlinux-btf', 'of-another-build'), '');
  const rules = budgets({ metric: 'btf.base', max: '1 KiB' });
  const words = ['--formats', 'text,html,file-sizes', '--budgets', rules, '--baseline', join(folder, 'not-there')];
  const { code, stderr } = await run('post-image.sh', images, '--source', out, ...words);
  t.is(code, 0, stderr);
  t.deepEqual(readdirSync(join(images, 'vmlinux-btf')).sort(), [
    'base.btf',
    'btf-file-size-stats.csv',
    'budgets.xml',
    'full.btf',
    'report.html',
    'report.json',
    'report.txt',
    'vmlinux_btf.ko',
  ]);
  t.regex(readFileSync(join(images, 'vmlinux-btf', 'budgets.xml'), 'utf8'), /failures="1"/);
});

test('both know the words of the other, and refuse what neither knows', async t => {
  const { out, target, images, run } = await build();
  const all = [
    '--source',
    out,
    '--formats',
    'text',
    '--budgets',
    budgets({ metric: 'btf.base', max: '50 %' }),
    '--baseline',
    'x',
  ];
  for (const [name, at] of [
    ['post-build.sh', target],
    ['post-image.sh', images],
  ] as const) {
    t.is((await run(name, at, ...all)).code, 0, name);
    for (const [words, code, says] of [
      [[], 2, /no folder/],
      [[at], 2, /no --source/],
      [[at, '--source'], 2, /--source without a value/],
      [[at, '--sauce', out], 2, /wrong usage \(--sauce\)/],
      [[at, '--source', images], 3, /no split here/],
    ] as const) {
      const ran = await run(name, ...words);
      t.is(ran.code, code, `${name} ${words.join(' ')}`);
      t.regex(ran.stderr, says);
    }
  }
});

test('without the package the program is named, or found on PATH', async t => {
  const { out, target } = await build();
  const words = [target, '--source', out, '--budgets', budgets({ metric: 'btf.base', max: '50 %' })];
  const bin = mkdtempSync(join(folder, 'bin-'));
  const program = join(bin, 'vmlinux-btf');
  const ran = (env: Record<string, string>): Promise<{ exitCode?: number | undefined; stderr: string }> =>
    execa(script('post-build.sh'), words, {
      env: { PATH: '/usr/bin:/bin', HOST_DIR: folder, ...env },
      extendEnv: false,
      reject: false,
    });
  const missing = await ran({});
  t.is(missing.exitCode, 4);
  t.regex(missing.stderr, /tool of the host is missing \(vmlinux-btf\)/);
  writeFileSync(program, `#!/bin/sh\nexec '${process.execPath}' '${cliPath}' "$@"\n`, { mode: 0o755 });
  t.is((await ran({ VMLINUX_BTF: program })).exitCode, 0);
  t.is((await ran({ PATH: `${bin}:/usr/bin:/bin` })).exitCode, 0);
});

test('the command of a host folder runs with the node of that folder, wherever it is', async t => {
  const host = mkdtempSync(join(folder, 'host-'));
  for (const path of ['bin', 'share/vmlinux-btf/build/bin']) mkdirSync(join(host, path), { recursive: true });
  cpSync(join(tree, 'package', 'vmlinux-btf', 'vmlinux-btf.sh'), join(host, 'bin', 'vmlinux-btf'));
  writeFileSync(join(host, 'bin', 'node'), '#!/bin/sh\necho "$0" "$@"\n', { mode: 0o755 });
  await execa('chmod', ['+x', join(host, 'bin', 'vmlinux-btf')]);
  await execa('ln', ['-s', join(host, 'bin', 'vmlinux-btf'), join(folder, 'link')]);
  const { stdout } = await execa(join(folder, 'link'), ['--version']);
  t.is(stdout, `${host}/bin/node ${host}/share/vmlinux-btf/build/bin/vmlinux-btf.cjs --version`);
});

function haveBusybox(t: ExecutionContext): boolean {
  return haveTool(t, 'busybox', 'busybox');
}

test('the probe of the boards is a script for busybox ash', async t => {
  if (!haveBusybox(t)) return;
  const probe = join(tree, 'board', 'rootfs-overlay', 'usr', 'bin', 'btf-probe');
  t.true(existsSync(probe));
  t.is((await execa('busybox', ['ash', '-n', probe])).exitCode, 0);
});
