import type { Btf } from '../btf.js';
import { KIND_SHAPES } from '../kinds.js';
import type { Level, Rule } from './rules.js';

/** One type, or the BTF itself (id 0), that breaks a rule. */
export interface Finding {
  readonly rule: string;
  readonly level: Level;
  readonly id: number;
  /** Kind and name of the type as `STRUCT sk_buff`, one character a byte; empty for the BTF itself. */
  readonly name: string;
  readonly why: string;
  /** Kernel file and function, as `kernel/bpf/btf.c:btf_int_check_meta`. */
  readonly source: string;
}

/** What lint found. At most {@link KEPT} findings a rule are kept, all are counted. */
export interface Findings {
  /** In the order of rules, within a rule as they were met. */
  readonly findings: readonly Finding[];
  /** Rule → how many, for each that was broken. */
  readonly counts: Readonly<Record<string, number>>;
  readonly errors: number;
  readonly warnings: number;
}

const NOTHING_FOUND: Findings = { findings: [], counts: {}, errors: 0, warnings: 0 };

/** Findings kept of each rule: a damaged BTF breaks one a million times. */
export const KEPT = 16;
/** Characters of a name that are shown. */
const MAX_SHOWN = 96;

/** `STRUCT sk_buff`, `PTR` for an anonymous type, empty for id 0. */
function describeType(btf: Btf, id: number): string {
  if (id === 0) return '';
  const name = btf.name(id);
  const shown = name.length > MAX_SHOWN ? `${name.slice(0, MAX_SHOWN)}…` : name;
  return shown === '' ? KIND_SHAPES[btf.kind(id)].name : `${KIND_SHAPES[btf.kind(id)].name} ${shown}`;
}

/** Gathers findings by the rules of one catalogue. */
export class Collector<Id extends string> {
  readonly #rules: Readonly<Record<Id, Rule>>;
  readonly #btf: Btf;
  readonly #program: boolean;
  readonly #byRule = new Map<Id, { count: number; readonly kept: Finding[] }>();

  /** `btf`: whose types the ids of findings are. `program`: a BPF program brings it along, so that every rule is an error. */
  constructor(rules: Readonly<Record<Id, Rule>>, btf: Btf, program = false) {
    this.#rules = rules;
    this.#btf = btf;
    this.#program = program;
  }

  /** `a` and `b`: what `why` of the rule tells. */
  add(rule: Id, id: number, a = 0, b = 0): void {
    const { why, source, programsOnly } = this.#rules[rule];
    let found = this.#byRule.get(rule);
    if (found === undefined) {
      found = { count: 0, kept: [] };
      this.#byRule.set(rule, found);
    }
    if (++found.count > KEPT) return;
    const level = programsOnly && !this.#program ? 'warning' : 'error';
    found.kept.push({ rule, level, id, name: describeType(this.#btf, id), why: why(a, b), source });
  }

  /** In the order of the catalogue. */
  done(): Findings {
    if (this.#byRule.size === 0) return NOTHING_FOUND;
    const findings: Finding[] = [];
    const counts: Record<string, number> = {};
    let errors = 0;
    let warnings = 0;
    for (const rule of Object.keys(this.#rules) as Id[]) {
      const found = this.#byRule.get(rule);
      if (found === undefined) continue;
      findings.push(...found.kept);
      counts[rule] = found.count;
      if (found.kept[0].level === 'error') errors += found.count;
      else warnings += found.count;
    }
    return { findings, counts, errors, warnings };
  }
}
