import { copyFileSync, mkdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { execa } from 'execa';
import { sha256Of, splitQuickly } from '../support/cli.js';
import { fixture, repository } from '../support/fixtures.js';
import { scratchFolder } from '../support/scratch.js';
import { haveTool } from '../support/tools.js';

const folder = scratchFolder(test, 'packaging');
const scripts = join(repository, 'scripts', 'packaging');
const RELEASE = '6.12.117';

function haveTools(t: ExecutionContext): boolean {
  return haveTool(t, 'dpkg-deb', 'dpkg') && haveTool(t, 'modinfo', 'kmod');
}

let made: Promise<string> | undefined;

/** Out folder of the ARM fixture. */
function out(): Promise<string> {
  const path = join(folder, 'out');
  made ??= splitQuickly(fixture('armv7-virt/vmlinux'), path).then(() => path);
  return made;
}

function write(file: string, text: string): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}

/** What a `make bindeb-pkg` through the hook leaves, as far as the package is made of it. */
async function objectTree(name: string): Promise<string> {
  const tree = join(folder, name, 'obj');
  const side = join(tree, '.vmlinux-btf');
  write(join(tree, 'include/config/kernel.release'), `${RELEASE}\n`);
  write(join(tree, 'debian/arch'), 'armhf\n');
  write(
    join(tree, 'debian/changelog'),
    `linux-upstream (6.12.117-3) unstable; urgency=low\n\n  * Custom built Linux kernel.\n\n -- Somebody <root@host>  Thu, 01 Jan 2026 00:00:00 +0000\n`,
  );
  write(
    join(tree, 'debian/control'),
    `Source: linux-upstream\nMaintainer: Somebody <root@host>\n\nPackage: linux-image-${RELEASE}\nArchitecture: armhf\n`,
  );
  write(join(side, 'report.txt'), 'the report\n');
  for (const file of ['vmlinux_btf.ko', 'base.btf']) copyFileSync(join(await out(), file), join(side, file));
  return tree;
}

function pack(...args: readonly string[]) {
  return execa(join(scripts, 'btf-deb.sh'), args, { reject: false });
}

test('the package has the carrier below updates/, depends on that very kernel, and is the same twice', async t => {
  if (!haveTools(t)) return;
  const tree = await objectTree('twice');
  const hashes: string[] = [];
  for (const name of ['one', 'two']) {
    const to = join(folder, name);
    mkdirSync(to);
    const { exitCode, stderr } = await pack('--autoload', tree, to);
    t.is(exitCode, 0, stderr);
    hashes.push(sha256Of(join(to, `linux-btf-${RELEASE}_6.12.117-3_armhf.deb`)));
  }
  t.is(hashes[0], hashes[1]);
  const deb = join(folder, 'one', `linux-btf-${RELEASE}_6.12.117-3_armhf.deb`);
  const { stdout: depends } = await execa('dpkg-deb', ['-f', deb, 'Depends', 'Maintainer', 'Section']);
  t.deepEqual(depends.split('\n'), [
    'Depends: linux-image-6.12.117 (= 6.12.117-3), kmod',
    'Maintainer: Somebody <root@host>',
    'Section: kernel',
  ]);
  const root = join(folder, 'root');
  await execa('dpkg-deb', ['-R', deb, root]);
  const carrier = join(root, 'lib/modules', RELEASE, 'updates/vmlinux_btf.ko');
  t.is(sha256Of(carrier), sha256Of(join(tree, '.vmlinux-btf/vmlinux_btf.ko')));
  t.is(readFileSync(join(root, `usr/lib/modules-load.d/linux-btf-${RELEASE}.conf`), 'utf8'), 'vmlinux_btf\n');
  for (const script of ['postinst', 'postrm']) await execa('sh', ['-n', join(root, 'DEBIAN', script)]);
  const { stdout: listing } = await execa('dpkg-deb', ['-c', deb]);
  t.true(listing.split('\n').every(line => / root\/root /.test(line)));
});

test('without the flag nothing is loaded at boot', async t => {
  if (!haveTools(t)) return;
  const tree = await objectTree('quiet');
  t.is((await pack(tree)).exitCode, 0);
  const deb = join(tree, '..', `linux-btf-${RELEASE}_6.12.117-3_armhf.deb`);
  t.false((await execa('dpkg-deb', ['-c', deb])).stdout.includes('modules-load.d'));
});

test('a carrier of another base, and a tree without a kernel, a package or a carrier, are one line and no package', async t => {
  if (!haveTools(t)) return;
  for (const [name, spoil, says] of [
    ['base', (tree: string) => write(join(tree, '.vmlinux-btf/base.btf'), 'other'), /is not of base\.btf/],
    ['carrier', (tree: string) => rmSync(join(tree, '.vmlinux-btf/vmlinux_btf.ko')), /vmlinux_btf\.ko is missing/],
    [
      'linked',
      (tree: string) => {
        // The packed image is older than the link.
        const image = join(tree, '..', `linux-image-${RELEASE}_6.12.117-3_armhf.deb`);
        write(image, 'packed');
        utimesSync(image, 1, 1);
        write(join(tree, '.vmlinux-btf/link.json'), '{}');
      },
      /was linked after .*linux-image-6\.12\.117_6\.12\.117-3_armhf\.deb was packed/,
    ],
    ['control', (tree: string) => rmSync(join(tree, 'debian/control')), /control is missing: run bindeb-pkg first/],
    [
      'release',
      (tree: string) => write(join(tree, 'include/config/kernel.release'), '6.1.0\n'),
      /no linux-image-6\.1\.0/,
    ],
    ['empty', (tree: string) => rmSync(join(tree, 'include'), { recursive: true }), /no kernel was built here/],
  ] as const) {
    const tree = await objectTree(name);
    spoil(tree);
    const { exitCode, stderr, stdout } = await pack(tree);
    t.is(exitCode, 3, name);
    t.is(stdout, '');
    t.regex(stderr.split('\n').at(-1) ?? '', says);
    t.false((await execa('ls', [join(tree, '..')])).stdout.includes('linux-btf'));
  }
  t.is((await pack()).exitCode, 2);
});

/** An initramfs with these modules of a kernel. */
async function initramfs(name: string, modules: Readonly<Record<string, string>>): Promise<string> {
  const root = join(folder, `${name}-root`);
  for (const [place, text] of Object.entries(modules)) write(join(root, 'usr/lib/modules', RELEASE, place), text);
  const { stdout } = await execa('sh', ['-c', 'find . | cpio --quiet -o -H newc | gzip -9'], {
    cwd: root,
    encoding: 'buffer',
  });
  const image = join(folder, `${name}.img`);
  writeFileSync(image, stdout);
  return image;
}

test('an initramfs with modules of before, or with the carrier, is noticed', async t => {
  if (!haveTool(t, 'unmkinitramfs', 'initramfs-tools-core') || !haveTool(t, 'cpio', 'cpio')) return;
  const installed = join(folder, RELEASE);
  const now = { 'kernel/fs/ext4/ext4.ko': 'ext4 on the base', 'kernel/net/dummy.ko.xz': 'dummy' };
  for (const [place, text] of Object.entries(now)) write(join(installed, place), text);
  const check = async (image: string, of = installed) =>
    execa(join(scripts, 'initramfs-check.sh'), [image, of], { reject: false });
  const good = await check(await initramfs('good', now));
  t.deepEqual([good.exitCode, good.stderr], [0, '']);
  t.regex(good.stdout, /good\.img: 2 modules, 0 wrong$/);
  const old = await check(
    await initramfs('old', {
      ...now,
      'kernel/fs/ext4/ext4.ko': 'ext4 on the whole BTF',
      'kernel/gone.ko': '',
      'updates/vmlinux_btf.ko': '',
    }),
  );
  t.is(old.exitCode, 1);
  const slash = await check(join(folder, 'old.img'), `${installed}/`);
  t.deepEqual([slash.exitCode, slash.stdout, slash.stderr], [old.exitCode, old.stdout, old.stderr]);
  t.regex(old.stderr, /kernel\/fs\/ext4\/ext4\.ko: it is not the one that is installed/);
  t.regex(old.stderr, /kernel\/gone\.ko: it is not installed/);
  t.regex(old.stderr, /updates\/vmlinux_btf\.ko: the carrier/);
  t.regex(old.stdout, /4 modules, 3 wrong$/);
  writeFileSync(join(folder, 'none.img'), 'no initramfs');
  t.is((await check(join(folder, 'none.img'))).exitCode, 3);
  const other = join(folder, '6.1.0');
  mkdirSync(other);
  const foreign = await check(join(folder, 'old.img'), other);
  t.is(foreign.exitCode, 3);
  t.regex(foreign.stderr, /old\.img: no module of 6\.1\.0 is in it/);
  t.is((await execa(join(scripts, 'initramfs-check.sh'), [], { reject: false })).exitCode, 2);
});

test('the scripts are what shellcheck lets pass', async t => {
  if (!haveTool(t, 'shellcheck', 'shellcheck')) return;
  const files = ['btf-deb.sh', 'initramfs-check.sh'].map(name => join(scripts, name));
  const { stdout, exitCode } = await execa('shellcheck', files, { reject: false });
  t.is(exitCode, 0, stdout);
});
