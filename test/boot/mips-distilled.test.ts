import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { Btf } from '../../plugin/btf/btf.js';
import { MemorySource } from '../../plugin/bytes/source.js';
import { ElfFile } from '../../plugin/elf/file.js';
import { SymbolTable } from '../../plugin/elf/symbols.js';
import { runSplit } from '../../plugin/pipeline/split.js';
import { verifyOut } from '../../plugin/pipeline/verify.js';
import { readBtfIds } from '../../plugin/roots/btf-ids.js';
import { distill, writeDistilled } from '../support/distill.js';
import { fixture } from '../support/fixtures.js';
import { scratchFolder } from '../support/scratch.js';
import { haveTool } from '../support/tools.js';
import { compareBoots } from './support/boot-log.js';
import { MALTA } from './support/qemu.js';
import { bootSteps, type SampleBoot } from './support/sample.js';
import { moduleSteps } from './support/steps.js';

const KERNEL = 'mips32-malta-be';
const MODULES = ['tcp_bbr.ko', 'dummy.ko'];
const folder = scratchFolder(test, 'mips-distilled');

function open(path: string) {
  const elf = ElfFile.open(new MemorySource(readFileSync(path), path));
  return { elf, bytes: elf.data(elf.section('.BTF')) };
}

/** The modules of the fixture as an out-of-tree build makes them since 6.11: with `.BTF.base`. */
function makeDistilled(to: string): void {
  mkdirSync(to, { recursive: true });
  const original = Btf.decode(open(fixture(`${KERNEL}/vmlinux`)).bytes);
  for (const name of MODULES) {
    const from = fixture(`${KERNEL}/${name}`);
    const { elf, bytes } = open(from);
    const module = Btf.decode(bytes, original);
    const distilled = distill(original, module);
    const ids = readBtfIds(elf, SymbolTable.read(elf), module);
    const words = ids === undefined ? undefined : Buffer.from(elf.data(ids.section));
    for (const { offset, id } of ids?.slots ?? []) words?.writeUInt32BE(distilled.newId(id) ?? 0, offset);
    writeDistilled(`${MALTA.cross}objcopy`, from, join(to, name), distilled, words);
  }
}

const bootWith = (kernel: string, from: string): Promise<SampleBoot> =>
  bootSteps(
    MALTA,
    kernel,
    folder,
    moduleSteps(MODULES, name => join(from, name)),
  );

test.serial(
  'modules with .BTF.base load on a split kernel whose base has the types that they name, and on no other',
  async t => {
    t.timeout(600_000, 'booting under emulation');
    if (!haveTool(t, MALTA.qemu, MALTA.qemuPackage) || !haveTool(t, `${MALTA.cross}gcc`, MALTA.crossPackage)) return;
    const vmlinux = fixture(`${KERNEL}/vmlinux`);
    const from = join(folder, 'from');
    makeDistilled(from);
    const unsplit = await bootWith(vmlinux, from);
    for (const name of MODULES) t.is(unsplit.probe.insmod.get(`/${name}`), 0, name);

    const keep = join(folder, 'keep');
    const report = await runSplit({ file: vmlinux, out: keep, compressors: [], modules: from });
    t.deepEqual(
      report.warnings.filter(text => /BTF\.base/.test(text)),
      [],
    );
    for (const name of MODULES)
      t.is(
        Buffer.compare(readFileSync(join(keep, 'modules', name)), readFileSync(join(from, name))),
        0,
        'the kernel re-bases it',
      );
    await t.notThrowsAsync(verifyOut(keep));
    const kept = await bootWith(join(keep, 'vmlinux'), join(keep, 'modules'));
    t.deepEqual(compareBoots(unsplit.log, kept.log), []);
    for (const name of MODULES) t.is(kept.probe.insmod.get(`/${name}`), 0, name);

    const prune = join(folder, 'prune');
    await runSplit({ file: vmlinux, out: prune, compressors: [], modules: from, moduleMode: 'prune' });
    await t.notThrowsAsync(verifyOut(prune));
    const pruned = await bootWith(join(prune, 'vmlinux'), join(prune, 'modules'));
    t.deepEqual(compareBoots(unsplit.log, pruned.log), []);
    t.true((pruned.probe.btf.get('tcp_bbr')?.size ?? 0) < (kept.probe.btf.get('tcp_bbr')?.size ?? 0));

    // Split without a look at the modules, the base lacks names that they need.
    const blind = join(folder, 'blind');
    await runSplit({ file: vmlinux, out: blind, compressors: [] });
    const refused = await bootWith(join(blind, 'vmlinux'), from);
    t.true(MODULES.some(name => refused.probe.insmod.get(`/${name}`) === -22));
    t.regex(refused.text, /distilled base BTF type '\w+' \[\d+\] is not mapped to base BTF id/);
  },
);
