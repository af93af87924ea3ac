import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { execa } from 'execa';
import { KIND_FUNC } from '../../plugin/btf/kinds.js';
import type { Reach } from '../../plugin/split/split.js';
import { fixture, repository } from '../support/fixtures.js';
import { compareBoots } from './support/boot-log.js';
import { dropKfunc, hideType } from './support/sabotage.js';
import { ARM64, bootSample, CARRIER, canBoot, MIPS32, type Sample, type SampleBoot } from './support/sample.js';

const folder = mkdtempSync(join(tmpdir(), 'vmlinux-btf-boot-'));
test.after.always(() => rmSync(folder, { recursive: true, force: true }));

const SAMPLES: readonly Sample[] = [MIPS32, ARM64];

const unsplitBoots = new Map<Sample, Promise<SampleBoot>>();

/** The boot that every test of a sample compares with, made once: the unsplit kernel, without the carrier. */
function bootUnsplit(sample: Sample): Promise<SampleBoot> {
  const boot = unsplitBoots.get(sample) ?? bootSample(sample, fixture(`${sample.name}/vmlinux`), folder);
  unsplitBoots.set(sample, boot);
  return boot;
}

const splits = new Map<string, Promise<string>>();

/** Folder with the split, made once. */
function split(sample: Sample, closure: Reach = 'complete'): Promise<string> {
  const key = `${sample.name} ${closure}`;
  const made = splits.get(key) ?? makeSplit(sample, closure);
  splits.set(key, made);
  return made;
}

async function makeSplit({ name }: Sample, closure: Reach): Promise<string> {
  const out = join(folder, name, closure);
  mkdirSync(join(folder, name), { recursive: true });
  const cli = join(repository, 'build', 'bin', 'vmlinux-btf.cjs');
  await execa(process.execPath, [
    cli,
    'split',
    fixture(`${name}/vmlinux`),
    '-o',
    out,
    '--closure',
    closure,
    '--sizes',
    'none',
  ]);
  return out;
}

function shown(path: string): { size: number; sha256: string } {
  const bytes = readFileSync(path);
  return { size: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
}

// One after the other: two emulators at once would starve each other of the time that their timeouts count.
for (const sample of SAMPLES)
  test.serial(`${sample.name}: the unsplit kernel boots, shows its BTF and takes its modules`, async t => {
    if (!canBoot(t, sample)) return;
    const { log, probe, text } = await bootUnsplit(sample);
    if (!log.complete) t.log(text.slice(-4000));
    t.deepEqual(compareBoots(log, log), [], 'the log is one that proves something');
    t.is(probe.progLoad, 0);
    t.deepEqual(
      sample.modules.map(name => [name, probe.insmod.get(`/${name}`)]),
      sample.modules.map(name => [name, 0]),
    );
    t.deepEqual(
      [...probe.btf.keys()].sort(),
      ['vmlinux', ...sample.modules.map(name => name.slice(0, -'.ko'.length))].sort(),
    );
    t.deepEqual(log.taints, []);
  });

for (const sample of SAMPLES) {
  for (const closure of ['complete', 'forward'] as const)
    test.serial(
      `${sample.name}: the kernel that was split post-link (${closure}) boots as the unsplit one does`,
      async t => {
        if (!canBoot(t, sample)) return;
        const out = await split(sample, closure);
        const before = await bootUnsplit(sample);
        const after = await bootSample(sample, join(out, 'vmlinux'), folder, join(out, CARRIER));

        if (!after.log.complete) t.log(after.text.slice(-4000));
        t.deepEqual(compareBoots(before.log, after.log), []);
        t.is(after.probe.progLoad, 0);

        t.deepEqual(after.probe.btf.get('vmlinux'), shown(join(out, 'base.btf')));
        t.is(after.probe.insmod.get(`/${CARRIER}`), 0);
        t.deepEqual(after.probe.btf.get('vmlinux_btf'), shown(join(out, 'rest.btf')));
        // CONFIG_MODVERSIONS=y: without the right CRC of module_layout insmod fails with -8 and one of these lines.
        t.notRegex(after.text, /no symbol version for|disagrees about version/);
        t.deepEqual(after.log.taints, ['vmlinux_btf: loading out-of-tree module taints kernel.']);

        // Each refers to types by their old ids and has to be refused.
        const refused = (name: string): number => (sample.dependent.includes(name) ? -2 : -22);
        t.deepEqual(
          sample.modules.map(name => [name, after.probe.insmod.get(`/${name}`)]),
          sample.modules.map(name => [name, refused(name)]),
        );
        t.log(`${before.log.initcalls.length} initcalls compared, ${before.log.messages.length} messages`);
        t.log(`MemTotal ${before.probe.memTotal} KiB unsplit, ${after.probe.memTotal} KiB split`);
      },
    );

  for (const [mistake, sabotage, finding] of [
    [
      'a struct_ops stub that was left out',
      (vmlinux: Uint8Array) => hideType(vmlinux, KIND_FUNC, 'bpf_tcp_ca_cong_avoid'),
      /Cannot find the stub function bpf_tcp_ca_cong_avoid in btf/,
    ],
    [
      'a kfunc that was left out',
      (vmlinux: Uint8Array) => dropKfunc(vmlinux, 'bpf_task_acquire'),
      // 64-bit kernels have a second kfunc_init, in kernel/bpf/arena.c.
      /initcall kfunc_init returned 0(?:, 0)?, now -22/,
    ],
  ] as const)
    test.serial(`${sample.name}, negative control: ${mistake} is found`, async t => {
      if (!canBoot(t, sample)) return;
      const out = await split(sample);
      const broken = join(folder, sample.name, 'broken');
      writeFileSync(broken, sabotage(readFileSync(join(out, 'vmlinux'))));
      const before = await bootUnsplit(sample);
      const after = await bootSample(sample, broken, folder, join(out, CARRIER));
      const differences = compareBoots(before.log, after.log);
      t.true(after.log.complete, 'the sabotage went too far: the kernel has to boot, or the control proves nothing');
      t.regex(differences.join('\n'), finding);
    });
}
