import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { execa } from 'execa';
import { sectionBytes } from '../elf/readelf.js';
import { splitQuickly } from '../support/cli.js';
import { fixture } from '../support/fixtures.js';
import { scratchFolder } from '../support/scratch.js';
import { haveTool } from '../support/tools.js';

const folder = scratchFolder(test, 'stripped');

/** The bytes of what the kernel reads of a carrier, by section. */
function read(file: string): Record<string, string> {
  const names = ['.BTF', '.modinfo', '.gnu.linkonce.this_module'];
  return Object.fromEntries(names.map(name => [name, sectionBytes(file, name).toString('hex')]));
}

/** What build systems do to a module on its way into an image: modules_install with INSTALL_MOD_STRIP=1, and OpenWrt's strip-kmod.sh. */
const STRIPS: Readonly<Record<string, (tools: string, file: string) => Promise<unknown>>> = {
  modules_install: (tools, file) => execa(`${tools}strip`, ['--strip-debug', file]),
  'strip-kmod.sh': async (tools, file) => {
    const gone = ['.comment', '.pdr', '.mdebug.abi32', '.note.gnu.build-id', '.gnu.attributes', '.reginfo'];
    const drop = gone.flatMap(section => ['-R', section]);
    await execa(`${tools}objcopy`, ['--strip-unneeded', ...drop, '-G', '__this_module', '-x', file]);
    const { stdout } = await execa(`${tools}nm`, [file]);
    const locals = stdout.split('\n').map(line => / [brtd] (.+)$/.exec(line)?.[1]);
    const rename = locals.filter(name => name !== undefined).map((name, i) => `--redefine-sym=${name}=_${i}`);
    await execa(`${tools}objcopy`, [...rename, file]);
  },
};

for (const [kernel, tools, debian] of [
  ['armv7-virt', 'arm-linux-gnueabihf-', 'binutils-arm-linux-gnueabihf'],
  ['mips32-malta-be', 'mips-linux-gnu-', 'binutils-mips-linux-gnu'],
] as const)
  test(`what the kernel reads of a carrier is there once it was stripped: ${kernel}`, async t => {
    if (!haveTool(t, `${tools}objcopy`, debian)) return;
    const out = join(folder, kernel);
    t.is((await splitQuickly(fixture(`${kernel}/vmlinux`), out)).exitCode, 0);
    const carrier = join(out, 'vmlinux_btf.ko');
    for (const [name, strip] of Object.entries(STRIPS)) {
      const file = join(folder, `${kernel}-${name}.ko`);
      copyFileSync(carrier, file);
      await strip(tools, file);
      t.deepEqual(read(file), read(carrier), name);
    }
  });
