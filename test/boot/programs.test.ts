import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { readKeepRequest } from '../../plugin/pipeline/keep.js';
import { runSplit } from '../../plugin/pipeline/split.js';
import type { Reach } from '../../plugin/split/split.js';
import { scratchFolder } from '../support/scratch.js';
import { compareBoots } from './support/boot-log.js';
import { KernelTypes } from './support/kernel-types.js';
import { programSteps } from './support/probe-program.js';
import {
  CARRIER_BTF,
  judgePrograms,
  otherOutcomes,
  outcome,
  STRUCT_OPS_MEMBERS,
  splitPrograms,
  unsplitPrograms,
} from './support/program-proof.js';
import { mandatoryPrograms, OPTIONAL_RULES, optionalPrograms, walkingProgram } from './support/programs.js';
import { dropKfunc } from './support/sabotage.js';
import { ARM64, bootModules, CARRIER, canBoot, type SampleBoot, sampleFile, sampleModules } from './support/sample.js';
import { moduleSteps, type Step } from './support/steps.js';

/** BPF programs on arm64: those that no base may break, and those that need more than a base has. */

const folder = scratchFolder(test, 'boot-programs');
const MODULES = ['nf_defrag_ipv4.ko', 'nf_defrag_ipv6.ko', 'nf_conntrack.ko', 'nf_nat.ko'];

const vmlinux = (): string => sampleFile(ARM64, 'vmlinux');
const btfName = (file: string): string => file.slice(0, -'.ko'.length);

let unsplitTypes: KernelTypes | undefined;
function original(): KernelTypes {
  const modules = new Map(MODULES.map(name => [btfName(name), sampleFile(ARM64, name)]));
  unsplitTypes ??= new KernelTypes(vmlinux(), modules);
  return unsplitTypes;
}

let unsplitBoot: Promise<SampleBoot> | undefined;
function bootUnsplit(): Promise<SampleBoot> {
  const steps = programSteps(unsplitPrograms(original()));
  unsplitBoot ??= bootModules(ARM64, vmlinux(), folder, MODULES, name => sampleFile(ARM64, name), steps);
  return unsplitBoot;
}

interface SplitKernel {
  readonly out: string;
  readonly types: KernelTypes;
}

async function split(name: string, reach: Reach, keep: readonly string[] = []): Promise<SplitKernel> {
  const out = join(folder, name);
  const modules = sampleModules(ARM64, join(folder, 'modules'));
  await runSplit({ file: vmlinux(), out, compressors: [], modules, reach, keep: readKeepRequest({ keep }) });
  const on = new Map(MODULES.map(file => [btfName(file), join(out, 'modules', file)]));
  return { out, types: new KernelTypes(join(out, 'base.btf'), on.set(CARRIER_BTF, join(out, 'rest.btf'))) };
}

/** Boots a split kernel, with its re-based modules. */
function bootSplit(out: string, steps: readonly Step[]): Promise<SampleBoot> {
  return bootModules(ARM64, join(out, 'vmlinux'), folder, MODULES, name => join(out, 'modules', name), steps);
}

const same = (t: ExecutionContext, before: SampleBoot, after: SampleBoot, names: readonly string[]) =>
  t.deepEqual(otherOutcomes(before.probe.programs, after.probe.programs, names), []);

test.serial('the unsplit kernel runs every program, and refuses the one that calls what is no kfunc', async t => {
  if (!canBoot(t, ARM64)) return;
  const { probe, log, text } = await bootUnsplit();
  if (!log.complete) t.log(text.slice(-4000));
  const { no_kfunc, variable, ...programs } = Object.fromEntries(probe.programs);
  t.deepEqual(no_kfunc, { load: -13, says: 'calling kernel function bpf_lsm_file_open is not allowed' });
  // Without CONFIG_KALLSYMS_ALL the kernel finds no address of a variable. It has found the type.
  t.deepEqual(variable, { load: -2, says: `ldimm64 failed to find the address for kernel symbol 'runqueues'.` });
  const attached = { load: 0, attach: 0, ran: true };
  t.deepEqual(Object.fromEntries(Object.entries(programs).map(([name, tried]) => [name, outcome(name, tried)])), {
    kfunc: { load: 0, return: 1 },
    fentry: attached,
    fexit: attached,
    fmod_ret: attached,
    lsm: attached,
    iter: { ...attached, wrote: false },
    raw_tracepoint: attached,
    seq_write: { ...attached, wrote: true },
    seq_print: { ...attached, wrote: true },
    conntrack: { load: 0, return: 1 },
    lookup: { load: 0, return: 16 },
    print: { load: 0, return: Buffer.from('(int').readUInt32LE() },
    boot_test: { load: 0, attach: 0, connect: 0 },
    init: { load: 0, ran: true },
    ssthresh: { load: 0 },
    undo_cwnd: { load: 0 },
    cong_avoid: { load: 0 },
    entry: attached,
    newtask: attached,
    newtask_or_null: attached,
    walk: { load: 0, return: 1 },
  });
});

for (const reach of ['complete', 'forward'] as const)
  test.serial(`closure ${reach}: programs on a split kernel, without the carrier and with it`, async t => {
    if (!canBoot(t, ARM64)) return;
    const { out, types } = await split(reach, reach);
    const [absent, loaded] = splitPrograms(original(), types);
    const before = await bootUnsplit();
    const after = await bootSplit(out, [
      ...programSteps(absent),
      ...moduleSteps([CARRIER], name => join(out, name)),
      ...programSteps(loaded),
    ]);
    if (!after.log.complete) t.log(after.text.slice(-4000));
    t.deepEqual(compareBoots(before.log, after.log), []);
    t.is(after.probe.insmod.get(`/${CARRIER}`), 0);
    t.deepEqual(judgePrograms(types, before.probe.programs, after.probe.programs, reach), []);
  });

for (const reach of ['complete', 'forward'] as const)
  test.serial(`closure ${reach}: with the carrier before all other modules, programs run as without it`, async t => {
    if (!canBoot(t, ARM64)) return;
    const { out, types } = await split(`loaded-${reach}`, reach);
    const mandatory = mandatoryPrograms(types);
    const steps = programSteps([...mandatory, walkingProgram(original())]);
    const from = (name: string): string => join(out, name === CARRIER ? name : join('modules', name));
    const before = await bootUnsplit();
    const after = await bootModules(ARM64, join(out, 'vmlinux'), folder, [CARRIER, ...MODULES], from, steps);
    if (!after.log.complete) t.log(after.text.slice(-4000));
    t.deepEqual(compareBoots(before.log, after.log), []);
    for (const name of [CARRIER, ...MODULES]) t.is(after.probe.insmod.get(`/${name}`), 0, name);
    const names = mandatory.map(({ name }) => name);
    same(t, before, after, reach === 'complete' ? [...names, 'walk'] : names);
    if (reach === 'forward')
      // The rest has the definition; the pointer that the verifier follows is the base's.
      t.deepEqual(after.probe.programs.get('walk'), { load: -13, says: "R1 invalid mem access 'scalar'" });
  });

for (const reach of ['complete', 'forward'] as const)
  test.serial(`closure ${reach}: keep rules bring to the base what those programs need`, async t => {
    if (!canBoot(t, ARM64)) return;
    const { out, types } = await split(`kept-${reach}`, reach, OPTIONAL_RULES);
    const programs = [...mandatoryPrograms(types), ...optionalPrograms(original(), types, ['vmlinux'])];
    const before = await bootUnsplit();
    const after = await bootSplit(out, programSteps(programs));
    if (!after.log.complete) t.log(after.text.slice(-4000));
    t.deepEqual(compareBoots(before.log, after.log), []);
    same(
      t,
      before,
      after,
      programs.map(({ name }) => name),
    );
  });

test.serial('negative control: with the type ids of the unsplit kernel no program works on the split one', async t => {
  if (!canBoot(t, ARM64)) return;
  const { out } = await split('other-ids', 'complete');
  // A raw tracepoint's program names no type.
  const without = [...STRUCT_OPS_MEMBERS, 'raw_tracepoint'];
  const programs = mandatoryPrograms(original()).filter(({ name }) => !without.includes(name));
  const before = await bootUnsplit();
  const after = await bootSplit(out, programSteps(programs));
  t.true(after.log.complete);
  for (const { name } of programs) {
    const [was, is] = [before, after].map(({ probe }) => probe.programs.get(name) ?? {});
    t.notDeepEqual({ ...outcome(name, is), says: is.says }, { ...outcome(name, was), says: was.says }, name);
  }
});

test.serial('negative control: a kfunc that was left out takes the others of its set along', async t => {
  if (!canBoot(t, ARM64)) return;
  const { out, types } = await split('dropped', 'complete');
  const image = join(out, 'vmlinux');
  writeFileSync(image, dropKfunc(readFileSync(image), 'bpf_task_acquire'));
  const after = await bootSplit(out, programSteps(mandatoryPrograms(types)));
  t.deepEqual(after.probe.programs.get('kfunc'), {
    load: -13,
    says: 'calling kernel function bpf_task_from_pid is not allowed',
  });
  t.is(after.probe.programs.get('fentry')?.runs, 1, 'the rest of the kernel is as it was');
});
