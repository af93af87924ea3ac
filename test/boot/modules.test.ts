import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { MemorySource } from '../../plugin/bytes/source.js';
import { ElfFile } from '../../plugin/elf/file.js';
import type { ModuleMode } from '../../plugin/modules/needs.js';
import { runSplit } from '../../plugin/pipeline/split.js';
import type { Reach } from '../../plugin/split/split.js';
import { scratchFolder } from '../support/scratch.js';
import { compareBoots } from './support/boot-log.js';
import {
  ARM64,
  bootModules,
  CARRIER,
  canBoot,
  MIPS32,
  type Sample,
  type SampleBoot,
  sampleFile,
  sampleModules,
} from './support/sample.js';

const folder = scratchFolder(test, 'boot-modules');

/** What /sys/kernel/btf must show of a module: the bytes of its `.BTF`; nothing for an empty one. */
function btfOf(path: string): { size: number; sha256: string } | undefined {
  const elf = ElfFile.open(new MemorySource(readFileSync(path), path));
  const bytes = elf.data(elf.section('.BTF'));
  return bytes.length === 0
    ? undefined
    : { size: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
}

/** Makes each value once: later tests find it by its key. */
function once<T>(make: () => Promise<T>, made: Map<string, Promise<T>>, key: string): Promise<T> {
  const value = made.get(key) ?? make();
  made.set(key, value);
  return value;
}

const unsplit = new Map<string, Promise<SampleBoot>>();
const splits = new Map<string, Promise<string>>();

function bootUnsplit(sample: Sample): Promise<SampleBoot> {
  const from = (name: string): string => sampleFile(sample, name);
  return once(() => bootModules(sample, from('vmlinux'), folder, sample.modules, from), unsplit, sample.name);
}

/** Folder with the split. */
function splitOut(sample: Sample, moduleMode: ModuleMode, closure: Reach): Promise<string> {
  const out = join(folder, `${sample.name}-${moduleMode}-${closure}`);
  const modules = sampleModules(sample, join(folder, sample.name));
  const file = sampleFile(sample, 'vmlinux');
  const make = () => runSplit({ file, out, compressors: [], modules, moduleMode, reach: closure }).then(() => out);
  return once(make, splits, out);
}

interface Case {
  readonly sample: Sample;
  readonly mode: ModuleMode;
  readonly closure: Reach;
  readonly carrier: 'first' | 'last';
}

/** By file: which modules keep a BTF in which mode. Those that register nothing lose theirs when pruned. */
const REGISTERS = ['tcp_bbr.ko', 'nf_conntrack.ko', 'nf_nat.ko'];
const CASES: readonly Case[] = [
  ...(['keep', 'prune', 'strip'] as const).flatMap(mode =>
    (['first', 'last'] as const).map(carrier => ({ sample: MIPS32, mode, closure: 'complete' as const, carrier })),
  ),
  { sample: ARM64, mode: 'keep', closure: 'complete', carrier: 'first' },
  { sample: ARM64, mode: 'keep', closure: 'complete', carrier: 'last' },
  { sample: ARM64, mode: 'keep', closure: 'forward', carrier: 'last' },
  { sample: ARM64, mode: 'prune', closure: 'complete', carrier: 'first' },
  { sample: ARM64, mode: 'strip', closure: 'complete', carrier: 'last' },
];

for (const { sample, mode, closure, carrier } of CASES)
  test.serial(`${sample.name}: re-based modules load (${mode}, ${closure}), the carrier ${carrier}`, async t => {
    if (!canBoot(t, sample)) return;
    const out = await splitOut(sample, mode, closure);
    const file = (name: string): string => join(out, name === CARRIER ? name : join('modules', name));
    const names = carrier === 'first' ? [CARRIER, ...sample.modules] : [...sample.modules, CARRIER];
    const before = await bootUnsplit(sample);
    const after = await bootModules(sample, join(out, 'vmlinux'), folder, names, file);

    if (!after.log.complete) t.log(after.text.slice(-4000));
    for (const name of names) t.is(after.probe.insmod.get(`/${name}`), 0, name);
    for (const name of sample.modules) {
      const module = name.slice(0, -'.ko'.length);
      t.is(before.probe.insmod.get(`/${name}`), 0);
      t.deepEqual(after.probe.btf.get(module), btfOf(file(name)), name);
      t.is(after.probe.btf.has(module), mode === 'keep' || (mode === 'prune' && REGISTERS.includes(name)), name);
    }
    t.true(after.log.initcalls.some(({ name, value }) => /bbr_register/.test(name) && value === 0));
    // Without its BTF a module registers no kfunc, and the kernel says so. That is all.
    const differences = compareBoots(before.log, after.log);
    const expected = mode === 'strip' ? [/^new message \(\d+\): .*missing module BTF, cannot register kfunc$/] : [];
    t.is(differences.length, expected.length, differences.join('\n'));
    for (const [i, pattern] of expected.entries()) t.regex(differences[i], pattern);
  });

for (const [sample, name, init] of [
  [MIPS32, 'tcp_bbr.ko', /bbr_register/],
  [ARM64, 'nf_conntrack.ko', /nf_conntrack_standalone_init/],
] as const)
  test.serial(`${sample.name}, negative control: ${name} whose ids stayed as they were registers nothing`, async t => {
    if (!canBoot(t, sample)) return;
    const out = await splitOut(sample, 'keep', 'complete');
    const good = join(out, 'modules', name);
    const broken = readFileSync(good);
    const old = readFileSync(sampleFile(sample, name));
    const section = ElfFile.open(new MemorySource(broken, good)).section('.BTF_ids');
    const before = ElfFile.open(new MemorySource(old, 'old')).section('.BTF_ids');
    broken.set(old.subarray(before.offset, before.offset + before.size), section.offset);
    const path = join(folder, name);
    writeFileSync(path, broken);
    const names = sample.modules.slice(0, sample.modules.indexOf(name) + 1);
    const from = (module: string): string => (module === name ? path : join(out, 'modules', module));
    const { probe, log } = await bootModules(sample, join(out, 'vmlinux'), folder, names, from);
    t.true(log.complete);
    t.is(probe.insmod.get(`/${name}`), -22);
    t.true(log.initcalls.some(initcall => init.test(initcall.name) && initcall.value === -22));
  });
