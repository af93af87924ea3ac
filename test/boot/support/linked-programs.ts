import type { Reach } from '../../../plugin/split/split.js';
import {
  type CoreObject,
  checkPlaces,
  coreObjects,
  coreSteps,
  isBpftoolThere,
  judgeRound,
  judgeUnsplit,
} from './core-relocations.js';
import { portablePrograms } from './iterators.js';
import type { KernelTypes } from './kernel-types.js';
import type { LinkedKernel } from './linked-kernels.js';
import type { CountedPages, ProbeReport } from './probe.js';
import { eventSteps, judgeEvents } from './probe-events.js';
import { type ProbeProgram, programSteps, renamed } from './probe-program.js';
import {
  CARRIER_BTF,
  judgePrograms,
  otherOutcomes,
  splitPrograms,
  troubles,
  unsplitPrograms,
} from './program-proof.js';
import { mandatoryPrograms } from './programs.js';
import { CARRIER } from './sample.js';
import { moduleSteps, type Step, step } from './steps.js';

const LATER = '_later';
const EEXIST = -17;

/**
 * What the boots of one kernel do besides loading its modules: programs of the probe and of bpftool, the carrier unloaded and
 * loaded twice, and the memory that it takes. What a kernel has no use for its table entry says.
 */
export class LinkedPrograms {
  readonly #kernel: LinkedKernel;
  readonly #original: KernelTypes;
  readonly #objects: readonly CoreObject[];

  /** `original`: the unsplit kernel and its modules. Throws when bpftool for the machine is not in the cache. */
  constructor(kernel: LinkedKernel, original: KernelTypes) {
    const { debian } = kernel.machine;
    if (debian !== undefined && !isBpftoolThere(debian))
      throw new Error(`no bpftool for ${debian}: scripts/bpftool.sh ${debian}`);
    this.#kernel = kernel;
    this.#original = original;
    this.#objects = debian === undefined ? [] : coreObjects(kernel.tracing);
  }

  /** How many programs bpftool loads, and how many the probe, on the unsplit kernel. */
  get count(): { core: number; probe: number } {
    return { core: this.#objects.length, probe: this.#probePrograms(this.#original).length };
  }

  unsplitSteps(): Step[] {
    return [...programSteps(this.#probePrograms(this.#original)), ...this.#events('unsplit'), ...this.#core('unsplit')];
  }

  judgeUnsplit(before: ProbeReport): string[] {
    return [
      ...judgeUnsplit(this.#original, this.#objects, before),
      ...(this.#kernel.trampolines ? judgeEvents(before, 'unsplit') : []),
      ...troubles(before.programs, this.#probePrograms(this.#original)),
    ];
  }

  /** After the modules of a split kernel: programs, the carrier, the same again; and the carrier a second time. */
  splitSteps(types: KernelTypes, carrier: (name: string) => string): Step[] {
    const [absent, loaded] = this.#splitPrograms(types);
    return [
      ...programSteps(absent),
      ...this.#events('before'),
      ...this.#core('before'),
      ...moduleSteps([CARRIER], carrier),
      ...programSteps(loaded),
      ...this.#events('after'),
      ...this.#core('after'),
      step(`try /${CARRIER}`),
      step(`rmmod ${CARRIER_BTF}`),
      step(`insmod /${CARRIER}`),
    ];
  }

  judgeSplit(types: KernelTypes, before: ProbeReport, after: ProbeReport, reach: Reach): string[] {
    const [twice, removed] = [after.tried.get(`/${CARRIER}`), after.rmmod.get(CARRIER_BTF)];
    return [
      ...(this.#objects.length === 0 ? [] : checkPlaces(types, CARRIER_BTF)),
      ...(['before', 'after'] as const).flatMap(when => [
        ...judgeRound(this.#objects, before, after, when),
        ...(this.#kernel.trampolines ? judgeEvents(after, when) : []),
      ]),
      ...this.#judgePrograms(types, before, after, reach),
      ...(twice === EEXIST ? [] : [`the carrier, loaded twice: ${twice}, not ${EEXIST}`]),
      ...(removed === 0 ? [] : [`the carrier, unloaded: ${removed}`]),
    ];
  }

  /** The carrier before all modules, the memory counted that it takes, and programs behind them. */
  carrierFirstSteps(types: KernelTypes, from: (name: string) => string): Step[] {
    return [
      ...moduleSteps([CARRIER], from, this.#kernel.tracing ? 'count' : 'insmod'),
      ...moduleSteps(this.#kernel.modules, from),
      ...programSteps(this.#mandatory(types)),
    ];
  }

  /** `least`: bytes of the rest, which stay whatever else does. */
  judgeCarrierFirst(types: KernelTypes, before: ProbeReport, after: ProbeReport, least: number): string[] {
    const names = this.#mandatory(types).map(({ name }) => name);
    return [
      ...otherOutcomes(before.programs, after.programs, names),
      ...(this.#kernel.tracing ? judgePages(after.pages.get(`/${CARRIER}`), least) : []),
    ];
  }

  #core(when: string): Step[] {
    const { debian } = this.#kernel.machine;
    return debian === undefined ? [] : coreSteps(this.#objects, debian, when);
  }

  #events(when: 'unsplit' | 'before' | 'after'): Step[] {
    return this.#kernel.trampolines ? eventSteps(when) : [];
  }

  #mandatory(types: KernelTypes): ProbeProgram[] {
    if (this.#kernel.trampolines) return mandatoryPrograms(types);
    return this.#kernel.tracing ? portablePrograms(types) : [];
  }

  #probePrograms(types: KernelTypes): ProbeProgram[] {
    return this.#kernel.trampolines ? unsplitPrograms(types) : this.#mandatory(types);
  }

  #splitPrograms(types: KernelTypes): [ProbeProgram[], ProbeProgram[]] {
    if (this.#kernel.trampolines) return splitPrograms(this.#original, types);
    const programs = this.#mandatory(types);
    return [programs, programs.map(program => renamed(program, LATER))];
  }

  #judgePrograms(types: KernelTypes, before: ProbeReport, after: ProbeReport, reach: Reach): string[] {
    if (this.#kernel.trampolines) return judgePrograms(types, before.programs, after.programs, reach);
    const names = this.#mandatory(types).map(({ name }) => name);
    return ['', LATER].flatMap(suffix => otherOutcomes(before.programs, after.programs, names, suffix));
  }
}

function judgePages(pages: CountedPages | number | undefined, least: number): string[] {
  if (typeof pages !== 'object') return [`the carrier's memory was not counted: ${pages}`];
  const { peak, stay, missed } = pages;
  return [
    ...(missed === 0 ? [] : [`the carrier's memory: ${missed} calls were missed`]),
    ...(stay * 1024 >= least && peak >= stay ? [] : [`the carrier's memory: ${stay} KiB stay, ${peak} at the peak`]),
  ];
}
