import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { execa } from 'execa';
import { cacheFolder } from '../support/cache.js';
import { cliPath } from '../support/cli.js';
import { haveTool } from '../support/tools.js';
import { compareBoots } from './support/boot-log.js';
import { VIRT_ARM } from './support/qemu.js';
import { bootModules, CARRIER, type Sample, type SampleBoot } from './support/sample.js';

const folder = mkdtempSync(join(tmpdir(), 'vmlinux-btf-linked-'));
test.after.always(() => rmSync(folder, { recursive: true, force: true }));

const ARMV7: Sample = { name: 'armv7-virt', machine: VIRT_ARM, modules: ['tcp_bbr.ko', 'dummy.ko'], dependent: [] };
const MODULES: Readonly<Record<string, string>> = {
  'tcp_bbr.ko': 'net/ipv4/tcp_bbr.ko',
  'dummy.ko': 'drivers/net/dummy.ko',
  [CARRIER]: `.vmlinux-btf/${CARRIER}`,
};
const ZIMAGE = 'arch/arm/boot/zImage';
const MINUTE = 60_000;

const built = join(cacheFolder, 'kernels', 'armv7-virt');
const source = join(cacheFolder, 'src', 'linux-source-6.12');

/** scripts/kernels/build.sh builds with these: the same input gives the same bytes. */
const ENVIRONMENT = {
  KBUILD_BUILD_TIMESTAMP: '2026-01-01 00:00:00 UTC',
  KBUILD_BUILD_USER: 'builder',
  KBUILD_BUILD_HOST: 'vmlinux-btf',
};

/** Half an hour of compiling stands before this test: it runs when asked for, where scripts/kernels/build.sh armv7-virt has been. */
function canLink(t: ExecutionContext): boolean {
  t.timeout(30 * MINUTE, 'linking a kernel twice and booting it under emulation');
  if (process.env.VMLINUX_BTF_LINK === undefined) {
    t.log('not tested: VMLINUX_BTF_LINK=1 asks for it');
    t.pass();
    return false;
  }
  if (!existsSync(join(built, 'vmlinux.o')) || !existsSync(source)) {
    t.fail(`no object tree in ${built}: scripts/kernels/build.sh armv7-virt`);
    return false;
  }
  return (
    haveTool(t, VIRT_ARM.qemu, VIRT_ARM.qemuPackage) &&
    haveTool(t, 'arm-linux-gnueabihf-gcc', VIRT_ARM.crossPackage) &&
    haveTool(t, 'pahole', 'dwarves')
  );
}

const make = (objtree: string): string[] => [
  'make',
  '-s',
  '-C',
  source,
  `O=${objtree}`,
  'ARCH=arm',
  'CROSS_COMPILE=arm-linux-gnueabihf-',
  '-j2',
  'zImage',
  'modules',
];

async function hooked(objtree: string, ...options: readonly string[]): Promise<void> {
  await execa(process.execPath, [cliPath, 'kbuild', '--sizes', 'none', '--quiet', ...options, '--', ...make(objtree)], {
    env: ENVIRONMENT,
    stdin: 'ignore',
  });
}

function bootTree(objtree: string, names: readonly string[]): Promise<SampleBoot> {
  return bootModules(ARMV7, join(objtree, ZIMAGE), folder, names, name => join(objtree, MODULES[name]));
}

function shown(path: string): { size: number; sha256: string } {
  const bytes = readFileSync(path);
  return { size: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
}

test.serial('ARMv7, linked through the hook: it boots as the unsplit kernel does, with more memory', async t => {
  if (!canLink(t)) return;
  const unsplit = join(folder, 'unsplit');
  const split = join(folder, 'split');
  await execa('cp', ['-a', built, unsplit]);
  await execa('make', make(unsplit).slice(1), { env: ENVIRONMENT, stdin: 'ignore' });
  await execa('cp', ['-a', unsplit, split]);
  const before = await bootTree(unsplit, ARMV7.modules);
  t.is(before.probe.progLoad, 0);

  for (const closure of ['complete', 'forward']) {
    await hooked(split, '--closure', closure);
    const linked = statSync(join(split, 'vmlinux')).mtimeMs;
    await hooked(split, '--closure', closure);
    t.is(statSync(join(split, 'vmlinux')).mtimeMs, linked, 'nothing changed, nothing is linked');

    const alone = await bootTree(split, ARMV7.modules);
    const after = await bootTree(split, [...ARMV7.modules, CARRIER]);
    const carrierFirst = await bootTree(split, [CARRIER, ...ARMV7.modules]);
    for (const boot of [alone, after, carrierFirst]) {
      t.deepEqual(compareBoots(before.log, boot.log), []);
      t.is(boot.probe.progLoad, 0);
      t.true([...boot.probe.insmod.values()].every(result => result === 0));
      t.deepEqual(boot.probe.btf.get('vmlinux'), shown(join(split, '.vmlinux-btf', 'base.btf')));
    }
    t.deepEqual(after.probe.btf.get('vmlinux_btf'), shown(join(split, '.vmlinux-btf', 'rest.btf')));
    const { size } = shown(join(split, '.vmlinux-btf', 'base.btf'));
    const left = (before.probe.btf.get('vmlinux')?.size ?? 0) - size;
    const gained = ((alone.probe.memTotal ?? 0) - (before.probe.memTotal ?? 0)) * 1024;
    // Sections of the image are aligned: less than a megabyte more or less.
    t.true(Math.abs(gained - left) < 1 << 20, `${left} bytes of BTF left, MemTotal gained ${gained}`);
    const images = [unsplit, split].map(objtree => statSync(join(objtree, ZIMAGE)).size);
    t.true(images[1] < images[0] * 0.9);
    t.log(`${closure}: .BTF ${size + left} → ${size}, zImage ${images[0]} → ${images[1]}, MemTotal + ${gained}`);
    t.log(`MemAvailable ${before.probe.memAvailable} → ${alone.probe.memAvailable}, ${after.probe.memAvailable} KiB`);
  }
});
