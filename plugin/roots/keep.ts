import type { Btf } from '../btf/btf.js';
import { KIND_DATASEC, KIND_FUNC, KIND_SHAPES, KIND_TYPEDEF, kindByName, kindName } from '../btf/kinds.js';
import { MAX_NAME_BYTES, type NameIndex } from '../btf/names.js';
import { protoPointees } from '../btf/resolve.js';
import { CodedError } from '../errors.js';
import { nearest } from '../nearest.js';
import { CORE_TYPES } from './core-types.js';
import { Glob } from './glob.js';
import type { Root } from './root.js';

/** A rule of `--keep` or of the configuration. */
export interface KeepRule {
  /** As it was written. */
  readonly text: string;
  /** Where it was written: `--keep`, or a place in a configuration. */
  readonly from: string;
  readonly patterns: readonly KeepPattern[];
  /** A preset or a glob may match nothing in a kernel; an exact name may not. */
  readonly mayBeEmpty: boolean;
}

interface KeepPattern {
  /** Any kind when undefined. */
  readonly kind: number | undefined;
  readonly name: string;
  /** Of FUNCs also the structs that parameters and result point to, which closure `forward` would only name. */
  readonly pointees?: boolean;
}

/**
 * Rules with a name. What belongs to their types without being referred to (a VAR's DATASEC, `__bpf_trace_X` of
 * `btf_trace_X`, all of an essential name) is taken along by the closure, as for any root.
 */
export const PRESETS: ReadonlyMap<string, readonly KeepPattern[]> = new Map<string, readonly KeepPattern[]>([
  ['fentry-all', [{ kind: KIND_FUNC, name: '*' }]],
  [
    'tp_btf',
    [
      { kind: KIND_TYPEDEF, name: 'btf_trace_*' },
      { kind: KIND_FUNC, name: '__bpf_trace_*' },
    ],
  ],
  ['lsm', [{ kind: KIND_FUNC, name: 'bpf_lsm_*', pointees: true }]],
  ['percpu', [{ kind: KIND_DATASEC, name: '.data..percpu*' }]],
  ['core-types', CORE_TYPES],
]);

const MAX_RULE_BYTES = MAX_NAME_BYTES;
const MAX_SPELLED_BYTES = 128;

/**
 * Reads `PRESET`, `kind:glob` or `glob` (any kind); in a glob `*` stands for any number of characters and `?` for one.
 * Throws `keep-rule`.
 */
export function parseKeepRule(text: string, from: string): KeepRule {
  const wrong = (detail: string): CodedError => new CodedError('keep-rule', `${from}: ${text.slice(0, 80)}: ${detail}`);
  if (text.trim() !== text || text === '') throw wrong(text === '' ? 'it is empty' : 'it has blanks around it');
  if (Buffer.byteLength(text) > MAX_RULE_BYTES) throw wrong('it is too long');
  const preset = PRESETS.get(text);
  if (preset !== undefined) return { text, from, patterns: preset, mayBeEmpty: true };
  const colon = text.indexOf(':');
  const name = text.slice(colon + 1);
  if (name === '') throw wrong('it has no name');
  const kind = colon < 0 ? undefined : kindOf(text.slice(0, colon), wrong);
  return { text, from, patterns: [{ kind, name }], mayBeEmpty: /[*?]/.test(name) };
}

function kindOf(name: string, wrong: (detail: string) => CodedError): number | undefined {
  if (name === '*') return undefined;
  const kind = kindByName(name);
  if (kind !== undefined) return kind;
  const near = nearest(
    name,
    KIND_SHAPES.slice(1).map((_, i) => kindName(i + 1)),
  );
  throw wrong(`no kind ${name}${near === undefined ? '' : `; did you mean ${near}?`}`);
}

export interface Kept {
  readonly rule: KeepRule;
  /** Ascending, each once. */
  readonly ids: readonly number[];
}

/** What each rule keeps. Throws `keep-unknown` for an exact name that the BTF has not, with the nearest one that it has. */
export function applyKeepRules(btf: Btf, names: NameIndex, rules: readonly KeepRule[]): Kept[] {
  return rules.map(rule => {
    const ids = rule.patterns.flatMap(pattern => {
      const matched = idsOfPattern(btf, names, pattern);
      return pattern.pointees ? matched.flatMap(id => [id, ...protoPointees(btf, btf.sizeOrType(id))]) : matched;
    });
    if (ids.length === 0 && !rule.mayBeEmpty) throw unknown(btf, rule);
    return { rule, ids: [...new Set(ids)].sort((a, b) => a - b) };
  });
}

/** Roots of kept types, with the rule as their source. */
export function keepRoots(kept: readonly Kept[]): Root[] {
  return kept.flatMap(({ rule, ids }) => ids.map(id => ({ id, reason: 'keep' as const, source: rule.text })));
}

/** One sentence for each rule that keeps nothing. */
export function keepWarnings(kept: readonly Kept[]): string[] {
  return kept
    .filter(({ ids }) => ids.length === 0)
    .map(({ rule }) => `the keep rule ${rule.text} (${rule.from}) matches no type of this kernel`);
}

function idsOfPattern(btf: Btf, names: NameIndex, { kind, name }: KeepPattern): number[] {
  const glob = new Glob(Buffer.from(name, 'utf8'));
  if (glob.exact) return names.all(Buffer.from(name, 'utf8').toString('latin1'), kind);
  const { words, starts, strings, count } = btf;
  const found: number[] = [];
  const ids = kind === undefined ? undefined : btf.ofKind(kind);
  const total = ids?.length ?? count;
  for (let nth = 0; nth < total; nth++) {
    const id = ids === undefined ? nth + 1 : ids[nth];
    const offset = words[starts[id - 1]];
    if (offset !== 0 && strings[offset] !== 0 && glob.matches(strings, offset)) found.push(id);
  }
  return found;
}

function unknown(btf: Btf, rule: KeepRule): CodedError {
  const [{ kind, name }] = rule.patterns;
  const near = nearest(name, kind === undefined ? [...PRESETS.keys(), ...typeNames(btf, kind)] : typeNames(btf, kind));
  const hint = near === undefined ? '' : `; did you mean ${kind === undefined ? '' : `${kindName(kind)}:`}${near}?`;
  return new CodedError('keep-unknown', `${rule.from}: ${rule.text.slice(0, 80)}${hint}`);
}

/** Names of a length that somebody writes. */
function* typeNames(btf: Btf, kind: number | undefined): Generator<string> {
  for (let id = 1; id <= btf.count; id++) {
    if (kind !== undefined && btf.kind(id) !== kind) continue;
    const offset = btf.nameOffset(id);
    const length = btf.strings.subarray(offset, offset + MAX_SPELLED_BYTES).indexOf(0);
    if (length > 0) yield btf.string(offset);
  }
}
