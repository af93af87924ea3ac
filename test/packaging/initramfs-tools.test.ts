import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import test from 'ava';
import { execa } from 'execa';
import { splitQuickly } from '../support/cli.js';
import { fixture } from '../support/fixtures.js';
import { scratchFolder } from '../support/scratch.js';
import { haveTool } from '../support/tools.js';

const folder = scratchFolder(test, 'initramfs-tools');
const RELEASE = '6.12.117-vmlinux-btf';

test('initramfs-tools leaves the carrier out, and takes the modules that it takes of any kernel', async t => {
  if (!haveTool(t, 'mkinitramfs', 'initramfs-tools-core') || !haveTool(t, 'depmod', 'kmod')) return;
  const out = join(folder, 'out');
  t.is((await splitQuickly(fixture('armv7-virt/vmlinux'), out)).exitCode, 0);
  const modules = join(folder, 'root', 'lib', 'modules');
  for (const [place, file] of [
    ['kernel/drivers/block/dummy.ko', fixture('armv7-virt/dummy.ko')],
    ['updates/vmlinux_btf.ko', join(out, 'vmlinux_btf.ko')],
  ]) {
    const to = join(modules, RELEASE, place);
    mkdirSync(dirname(to), { recursive: true });
    copyFileSync(file, to);
  }
  for (const name of ['order', 'builtin', 'builtin.modinfo'])
    writeFileSync(join(modules, RELEASE, `modules.${name}`), '');
  await execa('depmod', ['-b', join(folder, 'root'), RELEASE]);

  const config = join(folder, 'config');
  for (const name of ['conf.d', 'hooks', 'scripts']) mkdirSync(join(config, name), { recursive: true });
  writeFileSync(join(config, 'initramfs.conf'), 'MODULES=most\nBUSYBOX=n\nCOMPRESS=gzip\nFSTYPE=ext4\n');
  writeFileSync(join(config, 'modules'), '');
  const image = join(folder, 'initrd.img');
  const boot = join(folder, 'boot');
  mkdirSync(boot);
  writeFileSync(join(boot, `config-${RELEASE}`), 'CONFIG_RD_GZIP=y\n');
  // mkinitramfs looks in /lib/modules and /boot, which are ours here and nowhere else.
  const { all, exitCode } = await execa(
    'unshare',
    [
      ...['--map-root-user', '--mount', 'sh', '-c'],
      'mkdir -p /lib/modules && mount --bind "$1" /lib/modules && mount --bind "$2" /boot && exec mkinitramfs -d "$3" -o "$4" "$5"',
      ...['sh', modules, boot, config, image, RELEASE],
    ],
    { reject: false, all: true },
  );
  t.is(exitCode, 0, all);
  const unpacked = join(folder, 'unpacked');
  await execa('unmkinitramfs', [image, unpacked]);
  const { stdout } = await execa('find', [unpacked, '-name', '*.ko*', '-printf', '%f\\n']);
  t.deepEqual(stdout.split('\n'), ['dummy.ko']);
});
