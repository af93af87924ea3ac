import { KIND_FUNC } from '../../../plugin/btf/kinds.js';
import type { Reach } from '../../../plugin/split/split.js';
import { typedIterator } from './iterators.js';
import type { KernelTypes } from './kernel-types.js';
import type { ProbeReport, TriedProgram } from './probe.js';
import { type ProbeProgram, renamed } from './probe-program.js';
import { mandatoryPrograms, optionalPrograms, printingProgram, walkingProgram } from './programs.js';

/** Programs of arm64 on a split kernel, before the carrier and after it, held against those of the unsplit one. */

/** Name of the carrier's BTF in /sys/kernel/btf. */
export const CARRIER_BTF = 'vmlinux_btf';
const LATER = '_later';

/** Of the struct_ops, what the kernel calls for some connections only: when an ACK more arrives, or a packet is late. */
const SELDOM = ['cong_avoid', 'ssthresh', 'undo_cwnd'];
export const STRUCT_OPS_MEMBERS = ['init', ...SELDOM];

type Programs = ProbeReport['programs'];

/** What must be equal. How often an LSM hook is called, and how many tasks there are, differs from boot to boot. */
export function outcome(name: string, { runs, read, says, ...results }: TriedProgram): object {
  const ran = runs === undefined || SELDOM.includes(name) ? {} : { ran: runs > 0 };
  return { ...results, ...ran, ...(read === undefined ? {} : { wrote: read > 0 }) };
}

/** Each that is not as on the unsplit kernel, in words and all: sentences. `suffix`: behind the name on the split one. */
export function otherOutcomes(before: Programs, after: Programs, names: Iterable<string>, suffix = ''): string[] {
  const found: string[] = [];
  for (const name of names) {
    const [was, is] = [before.get(name), after.get(`${name}${suffix}`)];
    if (was === undefined || is === undefined) {
      found.push(`program ${name}${suffix} was not tried`);
      continue;
    }
    const [then, now] = [was, is].map(tried => `${JSON.stringify(outcome(name, tried))} ${tried.says ?? ''}`);
    if (then !== now) found.push(`program ${name}${suffix}: ${then}, now ${now}`);
  }
  return found;
}

export function unsplitPrograms(original: KernelTypes): ProbeProgram[] {
  return [
    ...mandatoryPrograms(original),
    ...optionalPrograms(original, original, ['vmlinux']),
    walkingProgram(original),
  ];
}

/** Of the unsplit kernel, which everything else is held against: each program that does not load, attach, run or succeed. */
export function troubles(tried: Programs, programs: readonly ProbeProgram[]): string[] {
  return programs
    .filter(({ name }) => name !== 'no_kfunc')
    .filter(({ name }) => {
      const { load = -1, attach = 0, connect = 0, return: returned = 0, runs = 1 } = tried.get(name) ?? {};
      return [load, attach, connect, returned].some(result => result < 0) || (runs === 0 && !SELDOM.includes(name));
    })
    .map(({ name }) => `unsplit: program ${name}: ${JSON.stringify(tried.get(name) ?? 'not tried')}`);
}

/** A congestion control's name is in its value, and a connection can be entered once. */
const isForOnce = ({ name }: ProbeProgram): boolean => [...STRUCT_OPS_MEMBERS, 'boot_test', 'conntrack'].includes(name);

/** Names, on the unsplit kernel, of what is tried a second time with the carrier loaded. */
const again = (mandatory: readonly ProbeProgram[]): ProbeProgram[] => mandatory.filter(program => !isForOnce(program));

/** `types`: base, rest and modules. The first are for the kernel without the carrier, the second for the one that has it. */
export function splitPrograms(original: KernelTypes, types: KernelTypes): [ProbeProgram[], ProbeProgram[]] {
  const mandatory = mandatoryPrograms(types);
  const anywhere = ['vmlinux', CARRIER_BTF];
  const ofRest = types.id('bpf_fentry_test2', KIND_FUNC, CARRIER_BTF);
  return [
    [
      ...mandatory,
      ...optionalPrograms(original, types, anywhere, '_absent', 'vmlinux'),
      printingProgram('print_rest', ofRest),
      typedIterator('seq_print_rest', types, ofRest),
      walkingProgram(original),
    ],
    [
      ...optionalPrograms(original, types, anywhere),
      printingProgram('print_carrier', ofRest),
      typedIterator('seq_print_carrier', types, ofRest),
      ...again(mandatory).map(program => renamed(program, LATER)),
    ],
  ];
}

interface Refusal {
  readonly load: number;
  readonly says: RegExp;
}

// Ids of the rest, in the BTF of vmlinux: there are none.
const NO_ID: Refusal = { load: -22, says: /^attach_btf_id \d+ is invalid$/ };
const REFUSALS: Readonly<Record<string, Refusal>> = {
  entry_absent: NO_ID,
  newtask_absent: NO_ID,
  newtask_or_null_absent: NO_ID,
  variable_absent: { load: -2, says: /^ldimm64 insn specifies invalid btf_id \d+\.$/ },
  // With the carrier: its functions are looked for among its own symbols, and its pointers may be null.
  entry: { load: -2, says: /^The address of function bpf_fentry_test2 cannot be found$/ },
  newtask: { load: -13, says: /^R1 invalid mem access 'trusted_ptr_or_null_'$/ },
};
/** The base only names what a pointer leads to. */
const NO_WALK: Refusal = { load: -13, says: /^R1 invalid mem access 'scalar'$/ };

/** Sentences about what the programs of `splitPrograms` did not do as they have to; `unsplitPrograms` ran in `before`. */
export function judgePrograms(types: KernelTypes, before: Programs, after: Programs, reach: Reach): string[] {
  const mandatory = mandatoryPrograms(types);
  const names = (programs: readonly ProbeProgram[]): string[] => programs.map(({ name }) => name);
  const refused = (name: string, { load, says }: Refusal): string[] => {
    const tried = after.get(name) ?? {};
    return tried.load === load && says.test(tried.says ?? '') ? [] : [`program ${name}: ${tried.load} ${tried.says}`];
  };
  return [
    // What every base has to hold: the same as on the unsplit kernel, while the carrier is absent and when it is there.
    ...otherOutcomes(before, after, names(mandatory)),
    ...otherOutcomes(before, after, names(again(mandatory)), LATER),
    ...Object.entries(REFUSALS).flatMap(([name, refusal]) => refused(name, refusal)),
    ...otherOutcomes(before, after, ['newtask_or_null', 'variable']),
    // bpf_snprintf_btf and bpf_seq_printf_btf look at vmlinux alone.
    ...['print_rest', 'print_carrier']
      .filter(name => after.get(name)?.return !== -2)
      .map(name => `program ${name} returned ${after.get(name)?.return}`),
    ...['seq_print_rest', 'seq_print_carrier']
      .filter(name => after.get(name)?.read !== 0 || !(Number(after.get(name)?.runs) > 0))
      .map(name => `program ${name} read ${after.get(name)?.read} bytes in ${after.get(name)?.runs} runs`),
    ...(reach === 'complete' ? otherOutcomes(before, after, ['walk']) : refused('walk', NO_WALK)),
  ];
}
