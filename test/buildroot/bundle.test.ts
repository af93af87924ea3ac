import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { execa } from 'execa';
import { packagesIn } from '../../scripts/licences.js';
import { fixture, repository } from '../support/fixtures.js';
import { scratchFolder } from '../support/scratch.js';

const folder = scratchFolder(test, 'bundle');
const { version } = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8')) as { version: string };
const name = `vmlinux-btf-${version}`;

/** The files that `npm run bundle` makes of a repository. */
async function bundle(from = repository): Promise<string> {
  const out = mkdtempSync(join(folder, 'out-'));
  await execa(process.execPath, [join(from, 'build', 'scripts', 'bundle-release.js'), out]);
  return out;
}

/** A second repository with what the bundle is made of, elsewhere and of other times and modes. */
function copyOfRepository(): string {
  const copy = mkdtempSync(join(folder, 'elsewhere-'));
  for (const path of [
    'build/bin',
    'build/scripts',
    'build/bundled-packages.json',
    'scripts/target',
    'package.json',
    'LICENSE',
    'LICENSES',
  ])
    cpSync(join(repository, path), join(copy, path), { recursive: true, mode: 0 });
  mkdirSync(join(copy, 'node_modules'));
  for (const entry of readdirSync(join(repository, 'node_modules')))
    symlinkSync(join(repository, 'node_modules', entry), join(copy, 'node_modules', entry));
  return copy;
}

async function unpacked(out: string): Promise<string> {
  await execa('tar', ['-C', out, '-xf', join(out, `${name}.tar`)]);
  return join(out, name);
}

test('the same bytes come out again, also of a copy elsewhere', async t => {
  const copy = copyOfRepository();
  await execa('chmod', ['-R', 'a-x,u+rwX', join(copy, 'build', 'bin')]);
  const [first, second] = [await bundle(), await bundle(copy)].map(out => readFileSync(join(out, `${name}.tar`)));
  t.true(first.equals(second));
});

test('nothing in it depends on the machine: names in order, one time, no owner, no bytecode', async t => {
  const out = await bundle();
  const { stdout } = await execa('tar', ['--utc', '--numeric-owner', '-tvf', join(out, `${name}.tar`)]);
  const lines = stdout.split('\n').map(line => line.split(/\s+/));
  const names = lines.map(fields => fields[5]);
  t.deepEqual(names, [...names].sort());
  t.deepEqual([...new Set(lines.map(fields => fields[1]))], ['0/0']);
  t.deepEqual([...new Set(lines.map(fields => `${fields[3]} ${fields[4]}`))], ['2026-01-01 00:00']);
  t.false(stdout.includes('bytecode'));
  t.false(readFileSync(join(out, `${name}.tar`)).includes(Buffer.from(repository)));
  const programs = lines.filter(fields => fields[0] === '-rwxr-xr-x').map(fields => fields[5].slice(name.length + 1));
  t.deepEqual(programs, [
    'build/bin/kbuild/pahole',
    'build/bin/kbuild/resolve_btfids',
    'build/bin/vmlinux-btf.cjs',
    'scripts/target/init.d/vmlinux-btf',
    'scripts/target/vmlinux-btf-load',
  ]);
});

test('it starts from where it is unpacked, splits, and finds its scripts', async t => {
  t.timeout(600_000, 'a split');
  const at = await unpacked(await bundle());
  const program = join(at, 'build', 'bin', 'vmlinux-btf.cjs');
  const run = (...args: string[]): Promise<{ stdout: string }> =>
    execa(process.execPath, [program, ...args], { cwd: at });
  t.is((await run('--version')).stdout, version);
  const { stdout } = await run('kbuild', '--pahole', '/bin/true');
  t.true(
    stdout.startsWith(`PAHOLE=${at}/build/bin/kbuild/pahole RESOLVE_BTFIDS=${at}/build/bin/kbuild/resolve_btfids`),
  );
  await run('split', fixture('mips32-malta-be/vmlinux'), '-o', join(folder, 'split'), '--sizes', 'none', '--quiet');
  t.true(statSync(join(folder, 'split', 'vmlinux_btf.ko')).size > 0);
});

test('the hash file has the tar and each file of licences', async t => {
  const out = await bundle();
  const at = await unpacked(out);
  const lines = readFileSync(join(out, 'vmlinux-btf.hash'), 'utf8')
    .split('\n')
    .filter(line => /^sha256 {2}/.test(line));
  t.is(lines.length, 5);
  for (const line of lines) {
    const [, hash, path] = line.split('  ');
    const file = path.endsWith('.tar') ? join(out, path) : join(at, path);
    t.is((await execa('sha256sum', [file])).stdout.split(' ')[0], hash, path);
  }
});

test('every package whose code is given along has its terms there, and its licence in the package of Buildroot', async t => {
  const at = await unpacked(await bundle());
  const text = readFileSync(join(at, 'LICENSES', 'bundled.txt'), 'utf8');
  const makefile = readFileSync(join(repository, 'buildroot-example/package/vmlinux-btf/vmlinux-btf.mk'), 'utf8');
  const listed = /^VMLINUX_BTF_LICENSE = GPL-2.0 or BSD-2-Clause, (.*) \(bundled packages\)$/m.exec(makefile)?.[1];
  const packages = packagesIn(repository).map(path =>
    JSON.parse(readFileSync(join(repository, path, 'package.json'), 'utf8')),
  );
  t.true(packages.length > 20);
  for (const one of packages) t.true(text.includes(`${one.name} ${one.version}: ${one.license}\n===`), one.name);
  t.is(listed, [...new Set(packages.map(one => one.license))].sort().join(', '));
  t.true((text.match(/without warranty|"as is"/gi) ?? []).length >= packages.length - 1, 'terms, not titles');
  t.regex(makefile, new RegExp(`^VMLINUX_BTF_VERSION = ${version}$`, 'm'));
});
