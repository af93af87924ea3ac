import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { minimize } from '../../plugin/bpf/minimize.js';
import { Btf } from '../../plugin/btf/btf.js';
import { MODULE_MODES } from '../../plugin/modules/needs.js';
import { FILES } from '../../plugin/pipeline/files.js';
import { runSplit } from '../../plugin/pipeline/split.js';
import { manySections, targets as objectTargets, sampleBytes } from '../elf/samples.js';
import { TARGETS as BPF_TARGETS, PROGRAMS, programFile, bpfObject as readObject } from '../support/bpf.js';
import { BtfBuilder } from '../support/build-btf.js';
import { addEveryKind } from '../support/every-kind.js';
import { fixture } from '../support/fixtures.js';
import { kernelBtf } from '../support/kernel-btf.js';
import { KERNELS } from '../support/kernels.js';
import type { Seed } from './seed.js';
import * as beside from './seeds/beside.js';
import { bpfObject } from './seeds/bpf-object.js';
import { cutBtf } from './seeds/cut.js';
import { ARM, kernelImage, MACHINES } from './seeds/kernel.js';
import { kernelTypes } from './seeds/kernel-btf.js';
import { hasModules, kernelModule } from './seeds/module.js';

/** Types of the larger and of the smaller cut of a fixture. */
const CUTS = [300, 40] as const;

interface Cut {
  readonly name: string;
  readonly base: Uint8Array;
  readonly split: Uint8Array;
}

let cuts: readonly Cut[] | undefined;

function fixtureCuts(): readonly Cut[] {
  cuts ??= KERNELS.flatMap(kernel => {
    const { bytes } = kernelBtf(`${kernel}/vmlinux`);
    return CUTS.map(types => ({ name: `${kernel}-${types}`, ...cutBtf(bytes, types) }));
  });
  return cuts;
}

const ORDERS = ['little', 'big'] as const;

const once = (make: () => readonly Seed[]): (() => readonly Seed[]) => {
  let made: readonly Seed[] | undefined;
  return () => {
    made ??= make();
    return made;
  };
};

const built = once(() =>
  ORDERS.flatMap(order =>
    ([24, 32] as const).flatMap(header => {
      const every = new BtfBuilder({ order, header });
      addEveryKind(every);
      return [
        { name: `every-kind-${order}-${header}`, parts: [every.build()] },
        { name: `kernel-${order}-${header}`, parts: [kernelTypes(order, 4, header).bytes] },
      ];
    }),
  ),
);

/** Whole BTF: cut from kernels, and made with every kind under both headers. */
export const bareBtf = once(() => [...fixtureCuts().map(({ name, base }) => ({ name, parts: [base] })), ...built()]);

/** Split BTF with its base as the first part. */
export const splitBtfs = once(() => [
  ...fixtureCuts().map(({ name, base, split }) => ({ name, parts: [base, split] })),
  ...ORDERS.map(order => {
    const base = new BtfBuilder({ order });
    addEveryKind(base);
    const split = new BtfBuilder({ base });
    addEveryKind(split);
    split.ptr(base.endId - 1);
    return { name: `every-kind-${order}`, parts: [base.build(), split.build()] };
  }),
]);

const ROOTS = ['int', 'list_head', 'task_struct', 'module']
  .map(name => `struct:${name}\n`)
  .concat('func:bpf_iter_task # why\n', '\n', '1\n', '7\n', '12\n', 'enum:bpf_cmd\n');

/** BTF and a roots file for it. */
export const btfWithRoots = once(() =>
  bareBtf().map(({ name, parts }, i) => ({
    name,
    parts: [...parts, Buffer.from(name.startsWith('kernel') ? ROOTS.slice(1).join('') : `${1 + i}\n2\n5\n`)],
  })),
);

/** One vmlinux a machine. */
export const kernels = once(() => MACHINES.map(machine => ({ name: machine.name, parts: [kernelImage(machine)] })));

/** BTF to be put into a vmlinux. */
export const kernelBtfs = once(() => [
  { name: 'own', parts: [kernelTypes('little', 4).bytes] },
  { name: 'own-32', parts: [kernelTypes('little', 4, 32).bytes] },
]);

/** The modules among the fixtures. */
export const modules = once(() =>
  KERNELS.flatMap(kernel =>
    ['tcp_bbr.ko', 'dummy.ko'].map(module => ({
      name: `${kernel}-${module}`,
      parts: [readFileSync(fixture(`${kernel}/${module}`))],
    })),
  ),
);

export const bpfObjects = once(() => ORDERS.map(order => ({ name: `bpf-${order}`, parts: [bpfObject(order)] })));

/** Any ELF file: objects of both classes and orders, files with extended numbering, kernels, modules, BPF objects. */
export const elfFiles = once(() => [
  ...objectTargets.map(target => ({ name: target.label, parts: [sampleBytes(target)] })),
  { name: 'extended numbering', parts: [manySections(32, 'big', 40)] },
  { name: 'extended numbering, 64 bit', parts: [manySections(64, 'little', 40)] },
  ...kernels(),
  ...modules(),
  ...bpfObjects(),
]);

/** Anything that the commands take, with what explain is asked for. */
export const anyFile = once(() =>
  [...kernels(), ...modules(), ...bareBtf()].map(({ name, parts }) => ({
    name,
    parts: [...parts, Buffer.from('struct:sock')],
  })),
);

export { LAYOUT_CRC } from './seeds/beside.js';
export const strippedKernels = once(() =>
  MACHINES.filter(({ name }) => name !== 's390x').map(machine => beside.strippedKernel(machine)),
);
export const configuredKernels = once(beside.configuredKernels);
export const texts = once(beside.texts);

/** BTF alone, and with its base in front. */
export const anyBtf = once(() => [...bareBtf(), ...splitBtfs()]);

const FORMS = [{}, { distilled: true }, { signed: true }] as const;

/** A kernel's BTF, a module of it, and a mode. */
export const modulesOnKernels = once(() =>
  MACHINES.filter(hasModules).flatMap(machine => {
    const { bytes } = kernelTypes(machine.order, machine.class === 64 ? 8 : 4);
    return FORMS.flatMap(form =>
      MODULE_MODES.map(mode => ({
        name: [machine.name, mode, ...Object.keys(form)].join('-'),
        parts: [bytes, kernelModule(machine, bytes, form), Buffer.from(mode)],
      })),
    );
  }),
);

/** The same with roots of the kernel. */
export const modulesToSplit = once(() =>
  modulesOnKernels()
    .filter(({ name }) => name.startsWith(ARM.name))
    .map(({ name, parts }) => ({ name, parts: [...parts, Buffer.from('struct:list_head\nstruct:module\n')] })),
);

export const fixtureModules = once(() =>
  modules().map(({ name, parts }, i) => ({
    name,
    parts: [...parts, Buffer.from(MODULE_MODES[i % MODULE_MODES.length])],
  })),
);

/** Compiled BPF programs. */
export const programFiles = once(() => [
  ...bpfObjects(),
  ...PROGRAMS.flatMap(program =>
    BPF_TARGETS.map(target => ({
      name: `${program}-${target}`,
      parts: [readFileSync(programFile(program, target))],
    })),
  ),
]);

/** A BPF program and the BTF of a kernel, as much of it as the programs look at. */
export const programs = once(() => {
  const kernel = Btf.decode(kernelBtf('armv7-virt/vmlinux').bytes);
  const small = minimize(
    kernel,
    PROGRAMS.filter(program => program !== 'absent').map(program => readObject(programFile(program))),
  ).bytes;
  return programFiles().flatMap(({ name, parts }) => [
    { name: `${name} on a part of armv7-virt`, parts: [...parts, small] },
    { name: `${name} on made types`, parts: [...parts, kernelTypes('little', 4).bytes] },
  ]);
});

/** Names of the files of an out folder, after the original, in the order of the parts of {@link outFolder}. */
export const OUT_FILES: readonly string[] = Object.values(FILES);

/** Where a module stands before and after, from the out folder: the last two parts of the second of {@link outFolders}. */
export const OUT_MODULE: readonly string[] = ['../before/demo.ko', 'modules/demo.ko'];

let outs: readonly Seed[] = [];

/** A vmlinux and everything that its split makes, without modules and with one. Made before the first case, for splitting takes turns of the event loop. */
export async function prepareOutFolder(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'vmlinux-btf-fuzz-seed-'));
  try {
    const file = join(folder, 'original');
    const out = join(folder, 'out');
    const modules = join(folder, 'before');
    const original = kernelImage(ARM);
    writeFileSync(file, original);
    mkdirSync(modules);
    writeFileSync(join(modules, 'demo.ko'), kernelModule(ARM, kernelTypes('little', 4).bytes));
    const read = (names: readonly string[]): Uint8Array[] => names.map(name => readFileSync(join(out, name)));
    await runSplit({ file, out, compressors: [] });
    const plain = { name: 'arm', parts: [original, ...read(OUT_FILES)] };
    await runSplit({ file, out, compressors: [], modules });
    outs = [plain, { name: 'arm with a module', parts: [original, ...read([...OUT_FILES, ...OUT_MODULE])] }];
  } finally {
    rmSync(folder, { recursive: true });
  }
}

export function outFolders(): readonly Seed[] {
  if (outs.length === 0) throw new Error('prepareOutFolder was not called');
  return outs;
}

export function outFolder(): readonly Seed[] {
  return outFolders().slice(0, 1);
}
