import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { MemorySource } from '../../plugin/bytes/source.js';
import { ElfFile } from '../../plugin/elf/file.js';
import { MODULE_MODES, type ModuleMode } from '../../plugin/modules/needs.js';
import { runSplit } from '../../plugin/pipeline/split.js';
import { fixture } from '../support/fixtures.js';
import { scratchFolder } from '../support/scratch.js';
import { haveTool } from '../support/tools.js';
import { compareBoots, readBootLog } from './support/boot-log.js';
import { initramfs } from './support/initramfs.js';
import { compileProbe, readProbe } from './support/probe.js';
import { boot, MALTA } from './support/qemu.js';

const KERNEL = 'mips32-malta-be';
/** tcp_bbr registers kfuncs, dummy does not. */
const MODULES = ['tcp_bbr.ko', 'dummy.ko'];
const CARRIER = 'vmlinux_btf.ko';
const MINUTE = 60_000;

const folder = scratchFolder(test, 'mips-modules');

function haveTools(t: ExecutionContext): boolean {
  t.timeout(10 * MINUTE, 'booting under emulation');
  return haveTool(t, MALTA.qemu, MALTA.qemuPackage) && haveTool(t, `${MALTA.cross}gcc`, MALTA.crossPackage);
}

/** Boots a kernel and loads modules in the order given; a name's file is looked for in the folder. */
async function bootWith(kernel: string, names: readonly string[], from: (name: string) => string) {
  const modules = names.map(path => ({ path, data: readFileSync(from(path)) }));
  const list = names.map(name => `/${name}\n`).join('');
  const init = { path: 'init', data: readFileSync(compileProbe(MALTA.cross)), mode: 0o755 };
  const text = await boot(
    MALTA,
    kernel,
    initramfs([init, { path: 'modules.list', data: Buffer.from(list) }, ...modules]),
  );
  return { log: readBootLog(text), probe: readProbe(text), text };
}

function originals(): string {
  const modules = join(folder, 'originals');
  mkdirSync(modules, { recursive: true });
  for (const name of MODULES) copyFileSync(fixture(`${KERNEL}/${name}`), join(modules, name));
  return modules;
}

/** What /sys/kernel/btf must show of a module: the bytes of its `.BTF`; nothing for an empty one. */
function btfOf(path: string): { size: number; sha256: string } | undefined {
  const elf = ElfFile.open(new MemorySource(readFileSync(path), path));
  const bytes = elf.data(elf.section('.BTF'));
  return bytes.length === 0
    ? undefined
    : { size: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
}

/** Each module once before and once after the carrier. */
const ORDERS: readonly (readonly string[])[] = [
  ['tcp_bbr.ko', CARRIER, 'dummy.ko'],
  ['dummy.ko', CARRIER, 'tcp_bbr.ko'],
];
const unsplit = new Map<string, ReturnType<typeof bootWith>>();

function unsplitBoot(order: readonly string[]): ReturnType<typeof bootWith> {
  const names = order.filter(name => name !== CARRIER);
  const key = names.join();
  const known = unsplit.get(key) ?? bootWith(fixture(`${KERNEL}/vmlinux`), names, name => fixture(`${KERNEL}/${name}`));
  unsplit.set(key, known);
  return known;
}

const splits = new Map<ModuleMode, Promise<string>>();

function splitOut(mode: ModuleMode): Promise<string> {
  const out = join(folder, mode);
  const known =
    splits.get(mode) ??
    runSplit({
      file: fixture(`${KERNEL}/vmlinux`),
      out,
      compressors: [],
      modules: originals(),
      moduleMode: mode,
    }).then(() => out);
  splits.set(mode, known);
  return known;
}

for (const mode of MODULE_MODES)
  for (const order of ORDERS)
    test.serial(`a split MIPS kernel takes re-based modules (${mode}): ${order.join(', ')}`, async t => {
      if (!haveTools(t)) return;
      const out = await splitOut(mode);
      const file = (name: string): string => join(out, name === CARRIER ? name : join('modules', name));
      const before = await unsplitBoot(order);
      const after = await bootWith(join(out, 'vmlinux'), order, file);

      if (!after.log.complete) t.log(after.text.slice(-4000));
      for (const name of order) t.is(after.probe.insmod.get(`/${name}`), 0, name);
      for (const name of MODULES) {
        t.is(before.probe.insmod.get(`/${name}`), 0);
        t.deepEqual(after.probe.btf.get(name.replace('.ko', '')), btfOf(file(name)), name);
      }
      t.is(after.probe.btf.has('tcp_bbr'), mode !== 'strip');
      t.is(after.probe.btf.has('dummy'), mode === 'keep');
      t.true(after.log.initcalls.some(({ name, value }) => /bbr_register/.test(name) && value === 0));
      // Without its BTF a module registers no kfunc, and the kernel says so. That is all.
      const differences = compareBoots(before.log, after.log);
      const expected = mode === 'strip' ? [/^new message \(1\): .*missing module BTF, cannot register kfunc$/] : [];
      t.is(differences.length, expected.length, differences.join('\n'));
      for (const [i, pattern] of expected.entries()) t.regex(differences[i], pattern);
    });

test.serial(
  'negative control: a re-based module whose ids stayed as they were fails to register its kfuncs',
  async t => {
    if (!haveTools(t)) return;
    const out = await splitOut('keep');
    const good = join(out, 'modules', 'tcp_bbr.ko');
    const broken = readFileSync(good);
    const old = readFileSync(fixture(`${KERNEL}/tcp_bbr.ko`));
    const section = ElfFile.open(new MemorySource(broken, good)).section('.BTF_ids');
    const before = ElfFile.open(new MemorySource(old, 'old')).section('.BTF_ids');
    broken.set(old.subarray(before.offset, before.offset + before.size), section.offset);
    const path = join(folder, 'tcp_bbr.ko');
    writeFileSync(path, broken);
    const { probe, log } = await bootWith(join(out, 'vmlinux'), ['tcp_bbr.ko'], () => path);
    t.true(log.complete);
    t.is(probe.insmod.get('/tcp_bbr.ko'), -22);
    t.true(log.initcalls.some(({ name, value }) => /bbr_register/.test(name) && value === -22));
  },
);
