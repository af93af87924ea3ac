import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { execa } from 'execa';
import { fixture, repository } from '../support/fixtures.js';
import { scratchFolder } from '../support/scratch.js';
import { haveTool } from '../support/tools.js';

const folder = scratchFolder(test, 'documents');
const document = readFileSync(join(repository, 'docs', 'packagers.md'), 'utf8');
const RELEASE = '6.12.117';

/** The indented block of docs/packagers.md that begins with `first`, with its VERSION, RELEASE, KERNELRELEASE and ARCH filled in. */
function block(first: string): string {
  const rest = document.slice(document.indexOf(`    ${first}`));
  const lines = rest.slice(0, rest.search(/\n\n(?! {4})/)).split('\n');
  return `${lines.map(line => line.slice(4)).join('\n')}\n`
    .replaceAll('KERNELRELEASE', RELEASE)
    .replace('(ARCH)', '(armv7h)')
    .replace(/([=:] ?)VERSION$/m, `$1${RELEASE}`)
    .replace(/([=:] ?)RELEASE$/m, '$13');
}

/** An object tree with what the second package takes from it. */
function objtree(): string {
  const tree = join(folder, 'obj');
  mkdirSync(join(tree, '.vmlinux-btf'), { recursive: true });
  mkdirSync(join(tree, 'include', 'config'), { recursive: true });
  copyFileSync(fixture('armv7-virt/dummy.ko'), join(tree, '.vmlinux-btf', 'vmlinux_btf.ko'));
  writeFileSync(join(tree, 'include', 'config', 'kernel.release'), `${RELEASE}\n`);
  return tree;
}

test('the PKGBUILD of docs/packagers.md finds the carrier from where makepkg runs it, and wants one kernel', async t => {
  const tree = objtree();
  const start = join(folder, 'pkg');
  const source = join(start, 'src');
  mkdirSync(source, { recursive: true });
  writeFileSync(join(start, 'PKGBUILD'), block('pkgname='));
  const script =
    'set -e; startdir=$1; pkgdir=$1/made; source "$1/PKGBUILD"; package; echo "$pkgname $pkgver-$pkgrel" "$depends"';
  const { stdout } = await execa('bash', ['-c', script, 'bash', start], { cwd: source });
  t.is(stdout, `linux-upstream-btf ${RELEASE}-3 linux-upstream=${RELEASE}-3`);
  const made = readFileSync(join(start, 'made', 'usr', 'lib', 'modules', RELEASE, 'updates', 'vmlinux_btf.ko'));
  t.true(made.equals(readFileSync(join(tree, '.vmlinux-btf', 'vmlinux_btf.ko'))));
});

test('the spec of docs/packagers.md is built by rpmbuild, and wants one kernel', async t => {
  if (!haveTool(t, 'rpmbuild', 'rpm')) return;
  const spec = join(folder, 'kernel-btf.spec');
  writeFileSync(spec, block('%global debug_package'));
  const top = join(folder, 'rpm');
  await execa('rpmbuild', [
    ...['-bb', '--target', 'arm-linux', '--define', `objtree ${objtree()}`, '--define', `_topdir ${top}`],
    spec,
  ]);
  const file = join(top, 'RPMS', 'arm', `kernel-btf-${RELEASE}-3.arm.rpm`);
  const ask = async (...args: string[]): Promise<string[]> =>
    (await execa('rpm', ['-qp', ...args, file])).stdout.split('\n');
  t.true((await ask('--requires')).includes(`kernel = ${RELEASE}-3`));
  t.deepEqual(await ask('--list'), [`/lib/modules/${RELEASE}/updates/vmlinux_btf.ko`]);
  t.regex((await ask('--scripts')).join('\n'), new RegExp(`^depmod ${RELEASE}$`, 'm'));
});
