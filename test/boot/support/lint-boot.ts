import { Btf } from '../../../plugin/btf/btf.js';
import type { Findings } from '../../../plugin/btf/lint/findings.js';
import { type KernelRules, kernelRules } from '../../../plugin/btf/lint/kernels.js';
import { lint } from '../../../plugin/btf/lint.js';
import { NameIndex } from '../../../plugin/btf/names.js';
import type { ByteOrder } from '../../../plugin/bytes/endian.js';
import { FileSource } from '../../../plugin/bytes/source.js';
import { carrierArchitecture } from '../../../plugin/carrier/architectures.js';
import { buildCarrier } from '../../../plugin/carrier/carrier.js';
import { kernelVersion, readKernelAbi } from '../../../plugin/carrier/kernel-abi.js';
import { ElfFile } from '../../../plugin/elf/file.js';
import { SymbolTable } from '../../../plugin/elf/symbols.js';
import { CodedError } from '../../../plugin/errors.js';
import type { Root } from '../../../plugin/roots/root.js';
import { splitBtf } from '../../../plugin/split/split.js';
import { BtfBuilder } from '../../support/build-btf.js';
import { caseBytes, type LintCase } from '../../support/lint/case.js';
import { mutate, randomNumbers } from '../../support/lint/mutate.js';
import { addValidTypes } from '../../support/lint/valid-btf.js';
import { type ProbeReport, readProbe } from './probe.js';
import { boot, type Machine } from './qemu.js';
import { type Step, step, stepsInitramfs } from './steps.js';

/** A kernel that is asked: 32 bit, with modules and an initramfs. */
export interface LintKernel {
  readonly machine: Machine;
  readonly vmlinux: string;
  /** What QEMU boots; vmlinux itself when left out. */
  readonly image?: string;
}

/** A kernel whose vmlinux is opened once: its rules, its BTF, and how to make a module that carries a BTF for it. */
export interface Host {
  readonly rules: KernelRules;
  readonly btf: Btf;
  /** Its `.BTF`. */
  readonly bytes: Uint8Array;
  /** What lint says of its BTF. */
  readonly findings: () => Findings;
  readonly module: (btf: Uint8Array) => Uint8Array;
}

export function openHost(vmlinux: string): Host {
  const source = FileSource.open(vmlinux);
  try {
    const elf = ElfFile.open(source);
    const symbols = SymbolTable.read(elf);
    const rules = kernelRules(kernelVersion(elf, symbols) ?? '');
    if (rules === undefined) throw new Error(`${vmlinux}: no kernel whose rules are known`);
    const bytes = elf.data(elf.section('.BTF'));
    const btf = Btf.decode(bytes);
    const abi = readKernelAbi(elf, symbols, btf, new NameIndex(btf));
    const architecture = carrierArchitecture(elf.header, vmlinux);
    const { header } = elf;
    return {
      rules,
      btf,
      bytes,
      findings: () => lint(btf, { kernel: rules, pointerBytes: 4 }),
      module: rest => buildCarrier({ header, architecture, abi, rest, baseSha256: '' }),
    };
  } finally {
    source.close();
  }
}

/** What lint says of a BTF: the rules it breaks, `reader` when it is not decoded; empty when the kernel takes it. */
function verdict(kernel: KernelRules, bytes: Uint8Array, base?: Btf): string[] {
  try {
    const btf = Btf.decode(bytes, base);
    const loadedBy = base === undefined ? 'program' : 'kernel';
    const found = lint(btf, { kernel, loadedBy, pointerBytes: 4 });
    return found.errors === 0 ? [] : Object.keys(found.counts);
  } catch (error) {
    if (error instanceof CodedError) return ['reader'];
    throw error;
  }
}

interface Tried {
  readonly title: string;
  readonly bytes: Uint8Array;
}

/** Of each of the BTFs that are mutated. */
const MUTANTS = 400;
const SEED = 20261122;

function withMutants(title: string, bytes: Uint8Array): Tried[] {
  const random = randomNumbers(SEED);
  const mutants = Array.from({ length: MUTANTS }, (_, i) => ({
    title: `${title}, mutant ${i}`,
    bytes: mutate(bytes, random),
  }));
  return [{ title, bytes }, ...mutants];
}

function valid(options: ConstructorParameters<typeof BtfBuilder>[0]): Uint8Array {
  const b = new BtfBuilder(options);
  addValidTypes(b);
  return b.build();
}

/** What a few small structs of a kernel need: real BTF that is small enough to be broken often. */
function cutDown(btf: Btf): Uint8Array {
  const names = new NameIndex(btf);
  const roots = ['tcphdr', 'iphdr', 'work_struct', 'in6_addr', 'timer_list']
    .map((name): Root => ({ id: names.first(name, 4), reason: 'keep', source: 'test' }))
    .filter(({ id }) => id !== 0);
  return splitBtf(btf, names, roots).base;
}

function fromCases(cases: readonly LintCase[], options: ConstructorParameters<typeof BtfBuilder>[0]): Tried[] {
  return cases.map(item => ({
    title: item.title,
    bytes: caseBytes(item, new BtfBuilder({ ...options, ...item.options })),
  }));
}

/** Where lint and a kernel differ, a line each, and how often they were asked. */
export interface Compared {
  readonly loads: number;
  readonly modules: number;
  /** BTFs that lint refuses, of both. */
  readonly refused: number;
  /** Modules that the kernel takes and the reader refuses: it looks where references lead, the kernel does not. */
  readonly stricter: number;
  readonly differences: readonly string[];
}

/** Boots a kernel once and hands it every case and mutants, as a program's loader does and as modules. */
export async function compareWithKernel(kernel: LintKernel, cases: readonly LintCase[]): Promise<Compared> {
  const host = openHost(kernel.vmlinux);
  const { endId, stringEnd } = host.btf;
  const order: ByteOrder = host.btf.header.order;
  const onto = { endId, stringEnd };
  const loads: Tried[] = [
    ...fromCases(cases, { order }),
    { title: 'vmlinux', bytes: host.bytes },
    ...withMutants('every kind', valid({ order })),
    ...withMutants('cut down from vmlinux', cutDown(host.btf)),
  ];
  const modules: Tried[] = [
    ...fromCases(cases, { order, onto }),
    ...withMutants('every kind on vmlinux', valid({ order, onto })),
  ];
  const { probe, text } = await tryAll(
    kernel,
    loads.map(({ bytes }) => bytes),
    modules.map(({ bytes }) => host.module(bytes)),
  );
  const differences: string[] = [];
  if (probe.tried.size !== modules.length) differences.push(`the kernel stopped:\n${text.slice(-4000)}`);

  let refused = 0;
  for (const [i, { title, bytes }] of loads.entries()) {
    const broken = verdict(host.rules, bytes);
    const said = probe.load.get(`/load/${i}`);
    if ((said?.result !== 0) !== broken.length > 0)
      differences.push(`${title}: lint ${broken}, kernel ${said?.result} ${said?.says}`);
    if (broken.length > 0) refused++;
  }
  let stricter = 0;
  for (const [i, { title, bytes }] of modules.entries()) {
    const broken = verdict(host.rules, bytes, host.btf);
    const said = probe.tried.get(`/try/${i}.ko`);
    if (said === 0 && broken[0] === 'reader') stricter++;
    else if ((said !== 0) !== broken.length > 0)
      differences.push(`${title} as a module: lint ${broken}, kernel ${said}`);
    if (broken.length > 0) refused++;
  }
  return { loads: loads.length, modules: modules.length, refused, stricter, differences };
}

async function tryAll(
  kernel: LintKernel,
  loads: readonly Uint8Array[],
  modules: readonly Uint8Array[],
): Promise<{ probe: ProbeReport; text: string }> {
  const file = (verb: string, path: string, data: Uint8Array): Step => step(`${verb} /${path}`, { path, data });
  const text = await bootKernel(kernel, [
    ...loads.map((data, i) => file('load', `load/${i}`, data)),
    ...modules.map((data, i) => file('try', `try/${i}.ko`, data)),
  ]);
  return { probe: readProbe(text), text };
}

/** Boots a kernel with nothing but the probe. */
export async function bootVmlinux(kernel: LintKernel): Promise<ProbeReport> {
  return readProbe(await bootKernel(kernel, []));
}

function bootKernel({ machine, vmlinux, image }: LintKernel, steps: readonly Step[]): Promise<string> {
  return boot(machine, image ?? vmlinux, stepsInitramfs(machine.cross, steps));
}
