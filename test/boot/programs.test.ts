import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { KIND_FUNC } from '../../plugin/btf/kinds.js';
import { readKeepRequest } from '../../plugin/pipeline/keep.js';
import { runSplit } from '../../plugin/pipeline/split.js';
import type { Reach } from '../../plugin/split/split.js';
import { scratchFolder } from '../support/scratch.js';
import { compareBoots } from './support/boot-log.js';
import type { InitramfsFile } from './support/initramfs.js';
import { KernelTypes } from './support/kernel-types.js';
import type { TriedProgram } from './support/probe.js';
import {
  mandatoryPrograms,
  OPTIONAL_RULES,
  optionalPrograms,
  printingProgram,
  programFiles,
  renamed,
  walkingProgram,
} from './support/programs.js';
import { dropKfunc } from './support/sabotage.js';
import { ARM64, bootModules, CARRIER, canBoot, type SampleBoot, sampleFile, sampleModules } from './support/sample.js';

/** BPF programs on arm64: those that no base may break, and those that need more than a base has. */

const folder = scratchFolder(test, 'boot-programs');
const MODULES = ['nf_defrag_ipv4.ko', 'nf_defrag_ipv6.ko', 'nf_conntrack.ko', 'nf_nat.ko'];
const CARRIER_BTF = 'vmlinux_btf';

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
  const programs = [
    ...mandatoryPrograms(original()),
    ...optionalPrograms(original(), original(), ['vmlinux']),
    walkingProgram(original()),
  ];
  const files = programFiles('programs', programs);
  unsplitBoot ??= bootModules(ARM64, vmlinux(), folder, MODULES, name => sampleFile(ARM64, name), files);
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
function bootSplit(out: string, files: readonly InitramfsFile[]): Promise<SampleBoot> {
  return bootModules(ARM64, join(out, 'vmlinux'), folder, MODULES, name => join(out, 'modules', name), files);
}

/** Of the struct_ops, what the kernel calls for some connections only: when an ACK more arrives, or a packet is late. */
const SELDOM = ['cong_avoid', 'ssthresh', 'undo_cwnd'];
const STRUCT_OPS_MEMBERS = ['init', ...SELDOM];

/** What must be equal. How often an LSM hook is called differs from boot to boot. */
function outcome(name: string, { runs, says, ...results }: TriedProgram): object {
  return { ...results, ...(runs === undefined || SELDOM.includes(name) ? {} : { ran: runs > 0 }) };
}

/** Equal to what the unsplit kernel made of it; of a refusal, in the same words. */
function equalOutcomes(t: ExecutionContext, before: SampleBoot, after: SampleBoot, names: Iterable<string>): void {
  for (const name of names) {
    const [was, is] = [before, after].map(({ probe }) => probe.programs.get(name));
    t.true(was !== undefined && is !== undefined, name);
    if (was !== undefined && is !== undefined) {
      t.deepEqual(outcome(name, is), outcome(name, was), `${name}: ${is.says}`);
      t.is(is.says, was.says);
    }
  }
}

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
    iter: attached,
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
    const mandatory = mandatoryPrograms(types);
    // A congestion control's name is in its value, and a connection can be entered once.
    const again = mandatory.filter(({ name }) => ![...STRUCT_OPS_MEMBERS, 'boot_test', 'conntrack'].includes(name));
    const anywhere = ['vmlinux', CARRIER_BTF];
    const restId = types.id('bpf_fentry_test2', KIND_FUNC, CARRIER_BTF);
    const files = [
      ...programFiles('programs', [
        ...mandatory,
        ...optionalPrograms(original(), types, anywhere, '_absent', 'vmlinux'),
        printingProgram('print_rest', restId),
        walkingProgram(original()),
      ]),
      ...programFiles('later-programs', [
        ...optionalPrograms(original(), types, anywhere),
        printingProgram('print_carrier', restId),
        ...again.map(program => renamed(program, '_later')),
      ]),
      { path: 'later-modules.list', data: Buffer.from(`/${CARRIER}\n`) },
      { path: CARRIER, data: readFileSync(join(out, CARRIER)) },
    ];
    const before = await bootUnsplit();
    const after = await bootSplit(out, files);
    if (!after.log.complete) t.log(after.text.slice(-4000));
    t.deepEqual(compareBoots(before.log, after.log), []);
    const tried = (name: string): TriedProgram => after.probe.programs.get(name) ?? {};

    // What every base has to hold: the same as on the unsplit kernel, while the carrier is absent.
    equalOutcomes(
      t,
      before,
      after,
      mandatory.map(({ name }) => name),
    );

    // Ids of the rest, in the BTF of vmlinux: there are none.
    const noId = { load: -22, says: /^attach_btf_id \d+ is invalid$/ };
    const refusals = {
      entry_absent: noId,
      newtask_absent: noId,
      newtask_or_null_absent: noId,
      variable_absent: { load: -2, says: /^ldimm64 insn specifies invalid btf_id \d+\.$/ },
      // With the carrier: its functions are looked for among its own symbols, and its pointers may be null.
      entry: { load: -2, says: /^The address of function bpf_fentry_test2 cannot be found$/ },
      newtask: { load: -13, says: /^R1 invalid mem access 'trusted_ptr_or_null_'$/ },
    };
    for (const [name, { load, says }] of Object.entries(refusals)) {
      t.is(tried(name).load, load, `${name}: ${tried(name).says}`);
      t.regex(tried(name).says ?? '', says);
    }
    t.is(after.probe.insmod.get(`/${CARRIER}`), 0);
    equalOutcomes(t, before, after, ['newtask_or_null', 'variable']);
    for (const { name } of again)
      t.deepEqual(outcome(name, tried(`${name}_later`)), outcome(name, before.probe.programs.get(name) ?? {}), name);
    // bpf_snprintf_btf looks at vmlinux alone.
    for (const name of ['print_rest', 'print_carrier']) t.is(tried(name).return, -2, name);

    // Pointers of the base to what the base only names lead nowhere.
    if (reach === 'complete') equalOutcomes(t, before, after, ['walk']);
    else {
      t.is(tried('walk').load, -13);
      t.regex(tried('walk').says ?? '', /^R1 invalid mem access 'scalar'$/);
    }
  });

for (const reach of ['complete', 'forward'] as const)
  test.serial(`closure ${reach}: with the carrier before all other modules, programs run as without it`, async t => {
    if (!canBoot(t, ARM64)) return;
    const { out, types } = await split(`loaded-${reach}`, reach);
    const mandatory = mandatoryPrograms(types);
    const files = programFiles('programs', [...mandatory, walkingProgram(original())]);
    const from = (name: string): string => join(out, name === CARRIER ? name : join('modules', name));
    const before = await bootUnsplit();
    const after = await bootModules(ARM64, join(out, 'vmlinux'), folder, [CARRIER, ...MODULES], from, files);
    if (!after.log.complete) t.log(after.text.slice(-4000));
    t.deepEqual(compareBoots(before.log, after.log), []);
    for (const name of [CARRIER, ...MODULES]) t.is(after.probe.insmod.get(`/${name}`), 0, name);
    const names = mandatory.map(({ name }) => name);
    equalOutcomes(t, before, after, reach === 'complete' ? [...names, 'walk'] : names);
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
    const after = await bootSplit(out, programFiles('programs', programs));
    if (!after.log.complete) t.log(after.text.slice(-4000));
    t.deepEqual(compareBoots(before.log, after.log), []);
    equalOutcomes(
      t,
      before,
      after,
      programs.map(({ name }) => name),
    );
  });

test.serial('negative control: with the type ids of the unsplit kernel no program works on the split one', async t => {
  if (!canBoot(t, ARM64)) return;
  const { out } = await split('other-ids', 'complete');
  const programs = mandatoryPrograms(original()).filter(({ name }) => !STRUCT_OPS_MEMBERS.includes(name));
  const before = await bootUnsplit();
  const after = await bootSplit(out, programFiles('programs', programs));
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
  const after = await bootSplit(out, programFiles('programs', mandatoryPrograms(types)));
  t.deepEqual(after.probe.programs.get('kfunc'), {
    load: -13,
    says: 'calling kernel function bpf_task_from_pid is not allowed',
  });
  t.is(after.probe.programs.get('fentry')?.runs, 1, 'the rest of the kernel is as it was');
});
