import type { Btf } from '../btf/btf.js';
import { flavours } from '../btf/essential.js';
import {
  HEAD_WORDS,
  KIND_DATASEC,
  KIND_DECL_TAG,
  KIND_ENUM,
  KIND_ENUM64,
  KIND_FLOAT,
  KIND_FUNC,
  KIND_FUNC_PROTO,
  KIND_INT,
  KIND_STRUCT,
  KIND_TYPEDEF,
  KIND_UNION,
} from '../btf/kinds.js';
import { lengthOf, MAX_NAME_BYTES, type NameIndex, typesWithPrefix } from '../btf/names.js';
import { functionPointer } from '../btf/resolve.js';
import { isName } from '../btf/string-table.js';
import { groupBy } from '../group-by.js';

/** Kinds that libbpf takes as candidates of a CO-RE relocation, by the class within which they are compared. */
const CORE_CLASS = new Uint8Array(128);
CORE_CLASS[KIND_INT] = 1;
CORE_CLASS[KIND_FLOAT] = 2;
CORE_CLASS[KIND_STRUCT] = 3;
CORE_CLASS[KIND_UNION] = 4;
CORE_CLASS[KIND_TYPEDEF] = 5;
CORE_CLASS[KIND_ENUM] = 6;
CORE_CLASS[KIND_ENUM64] = 6;

const CORE_KINDS = [...CORE_CLASS.keys()].filter(kind => CORE_CLASS[kind] !== 0);

const NEAR_BITS = 6;
/** A tracepoint's event, and the FUNC whose parameters the kernel reads for it. */
export const TRACE_TYPEDEF = 'btf_trace_';
export const TRACE_FUNC = '__bpf_trace_';
/** A parameter whose name ends so may be null (btf_param_match_suffix). */
const NULLABLE = Buffer.from('__nullable', 'latin1');

/**
 * Types that no reference leads to, but that must be on the same side as a type that they belong to:
 * - a VAR and its DATASEC: a VAR whose DATASEC is elsewhere turns a section offset into a trusted pointer;
 * - typedef `btf_trace_X` and FUNC `__bpf_trace_X`: without the FUNC the kernel drops `__nullable`. An event without a
 *   FUNC of its name has that of its template (bpf_get_raw_tracepoint), which BTF does not name: where a template has a
 *   parameter that may be null, it stays with every such event of the same parameters;
 * - all types of one essential name (`foo___x` counts as `foo`) and of one CO-RE class: libbpf looks in vmlinux first
 *   and stops at any candidate there.
 * DECL_TAGs follow their target too; they lead nowhere and have a reason of their own (see closure).
 */
export class Companions {
  /**
   * A type's next companion, of those that belong together in a ring; 0 for a type that has none. Following it from any
   * type of a ring comes back to that type.
   */
  readonly next: Uint32Array;
  /** Every DECL_TAG, ascending. */
  readonly tags: Uint32Array;
  /** Union-find over the rings: a type of the same ring that is nearer to its representative. */
  readonly #toRepresentative: Uint32Array;

  static readonly #known = new WeakMap<Btf, Companions>();

  /** Those of a BTF, found once. */
  static of(btf: Btf, names: NameIndex): Companions {
    const known = Companions.#known.get(btf) ?? new Companions(btf, names);
    Companions.#known.set(btf, known);
    return known;
  }

  constructor(btf: Btf, names: NameIndex) {
    this.next = new Uint32Array(btf.count + 1);
    this.#toRepresentative = new Uint32Array(btf.count + 1);
    this.tags = tagsBehindTargets(btf);
    for (const kind of CORE_KINDS) this.#joinNames(btf, names, btf.ofKind(kind), CORE_CLASS[kind]);
    this.#joinFlavours(btf, names);
    for (const datasec of btf.ofKind(KIND_DATASEC))
      for (let i = btf.start(datasec) + HEAD_WORDS; i < btf.starts[datasec]; i += 3)
        // An entry of type void is damage, and 0 stands for no companion.
        if (btf.words[i] !== 0) this.#join(datasec, btf.words[i]);
    this.#joinTracepoints(btf, names);
  }

  /** Joins each type with the next one of its name and class. */
  #joinNames(btf: Btf, names: NameIndex, ids: Uint32Array, coreClass: number): void {
    for (let i = 0; i < ids.length; i++) {
      let other = names.next(ids[i]);
      while (other !== 0 && CORE_CLASS[btf.kind(other)] !== coreClass) other = names.next(other);
      if (other !== 0) this.#join(ids[i], other);
    }
  }

  #joinFlavours(btf: Btf, names: NameIndex): void {
    /** Class and essential name → a type of that ring: each is looked for once, however many flavours it has. */
    const rings = new Map<string, number>();
    for (const { id, length } of flavouredTypes(btf)) {
      const offset = btf.nameOffset(id);
      const coreClass = CORE_CLASS[btf.kind(id)];
      const key = `${coreClass} ${btf.string(offset).slice(0, length)}`;
      let other = rings.get(key) ?? names.firstNamed(btf.strings, offset, length);
      while (other !== 0 && CORE_CLASS[btf.kind(other)] !== coreClass) other = names.next(other);
      rings.set(key, other === 0 ? id : other);
      if (other !== 0) this.#join(id, other);
    }
  }

  #joinTracepoints(btf: Btf, names: NameIndex): void {
    const wanted = new Uint8Array(MAX_NAME_BYTES);
    wanted.set(Buffer.from(TRACE_TYPEDEF, 'latin1'));
    /** First type of a name → its first typedef, or 0. Typedefs of one name are in one ring already. */
    const typedefs = new Map<number, number>();
    const templates: number[] = [];
    const nullable = new Map<number, boolean>();
    for (const func of typesWithPrefix(btf, KIND_FUNC, TRACE_FUNC)) {
      const proto = btf.sizeOrType(func);
      const known = nullable.get(proto) ?? hasNullable(btf, proto);
      nullable.set(proto, known);
      if (known) templates.push(func);
      const start = btf.nameOffset(func) + TRACE_FUNC.length;
      const end = Math.min(start + lengthOf(btf.strings, start), start + MAX_NAME_BYTES - TRACE_TYPEDEF.length);
      wanted.set(btf.strings.subarray(start, end), TRACE_TYPEDEF.length);
      const first = names.firstNamed(wanted, 0, TRACE_TYPEDEF.length + end - start);
      let typedef = typedefs.get(first) ?? first;
      while (typedef !== 0 && btf.kind(typedef) !== KIND_TYPEDEF) typedef = names.next(typedef);
      typedefs.set(first, typedef);
      if (typedef !== 0) this.#join(typedef, func);
    }
    if (templates.length > 0) this.#joinTemplates(btf, templates, new Set(typedefs.values()));
  }

  /** `named`: the events that have a FUNC of their own name. */
  #joinTemplates(btf: Btf, templates: readonly number[], named: ReadonlySet<number>): void {
    /** Parameters → a template of them, and an event that was joined with all of them. */
    const byParameters = new Map<string, { readonly funcs: number[]; event: number }>();
    const keys = new Map<number, string>();
    const keyOf = (proto: number): string => {
      const key = keys.get(proto) ?? parametersOf(btf, proto);
      keys.set(proto, key);
      return key;
    };
    for (const func of templates) {
      const key = keyOf(btf.sizeOrType(func));
      const known = byParameters.get(key);
      if (known === undefined) byParameters.set(key, { funcs: [func], event: 0 });
      else known.funcs.push(func);
    }
    for (const event of typesWithPrefix(btf, KIND_TYPEDEF, TRACE_TYPEDEF)) {
      const group = named.has(event) ? undefined : byParameters.get(keyOf(functionPointer(btf, event)));
      if (group === undefined) continue;
      if (group.event !== 0) this.#join(event, group.event);
      else for (const func of group.funcs) this.#join(event, func);
      group.event = event;
    }
  }

  /** Makes one ring of the rings of two types. */
  #join(a: number, b: number): void {
    const one = this.#representative(a);
    const other = this.#representative(b);
    if (one === other) return;
    this.#toRepresentative[one] = other;
    const { next } = this;
    const afterA = next[a] === 0 ? a : next[a];
    next[a] = next[b] === 0 ? b : next[b];
    next[b] = afterA;
  }

  #representative(id: number): number {
    const to = this.#toRepresentative;
    while (to[id] !== 0) {
      if (to[to[id]] !== 0) to[id] = to[to[id]];
      id = to[id];
    }
    return id;
  }
}

/** DECL_TAGs in order of their ids, but for those on a tag, which no compiler makes: they follow that one, cycles last. */
function tagsBehindTargets(btf: Btf): Uint32Array {
  const tags = btf.ofKind(KIND_DECL_TAG);
  const isOnTag = (tag: number): boolean => {
    const target = btf.sizeOrType(tag);
    return target !== 0 && btf.kind(target) === KIND_DECL_TAG;
  };
  const order = Array.from(tags.filter(tag => !isOnTag(tag)));
  const onTag = groupBy(tags.filter(isOnTag), tag => btf.sizeOrType(tag));
  if (onTag.size === 0) return tags;
  for (let at = 0; at < order.length; at++) {
    for (const tag of onTag.get(order[at]) ?? []) order.push(tag);
    onTag.delete(order[at]);
  }
  for (const others of onTag.values()) for (const tag of others) order.push(tag);
  return Uint32Array.from(order);
}

function hasNullable(btf: Btf, proto: number): boolean {
  if (proto === 0 || btf.kind(proto) !== KIND_FUNC_PROTO) return false;
  const { words, strings } = btf;
  for (let i = btf.start(proto) + HEAD_WORDS; i < btf.starts[proto]; i += 2) {
    const name = words[i];
    const start = strings.indexOf(0, name) - NULLABLE.length;
    if (start >= name && isName(strings, start, NULLABLE, 0, NULLABLE.length)) return true;
  }
  return false;
}

/** The types of a prototype's parameters, as a key; empty for what is no prototype. */
function parametersOf(btf: Btf, proto: number): string {
  if (proto === 0 || btf.kind(proto) !== KIND_FUNC_PROTO) return '';
  const types: number[] = [];
  for (let i = btf.start(proto) + HEAD_WORDS; i < btf.starts[proto]; i += 2) types.push(btf.words[i + 1]);
  return `(${types.join()})`;
}

/**
 * Every type of a CO-RE class whose name has a flavour, with the length of its essential name.
 */
function flavouredTypes(btf: Btf): { id: number; length: number }[] {
  const found: { id: number; length: number }[] = [];
  const separators = flavours(btf.strings);
  if (separators.length === 0) return found;
  const near = blocksBefore(separators, btf.strings);
  for (const kind of CORE_KINDS) {
    const ids = btf.ofKind(kind);
    for (let i = 0; i < ids.length; i++) {
      const offset = btf.words[btf.starts[ids[i] - 1]];
      if (offset === 0 || near[offset >>> NEAR_BITS] === 0) continue;
      const separator = lastBelow(separators, offset + lengthOf(btf.strings, offset));
      if (separator > offset) found.push({ id: ids[i], length: separator - offset });
    }
  }
  return found;
}

/** Marks the blocks of 2^NEAR_BITS bytes in which a stored string with a separator lies, up to it: few names need a look. */
function blocksBefore(separators: readonly number[], strings: Uint8Array): Uint8Array {
  const near = new Uint8Array((strings.length >>> NEAR_BITS) + 1);
  let from = 0;
  let end = 0;
  for (const separator of separators) {
    if (separator >= end) {
      from = strings.lastIndexOf(0, separator) + 1;
      end = strings.indexOf(0, separator);
    }
    near.fill(1, from >>> NEAR_BITS, (separator >>> NEAR_BITS) + 1);
    from = separator;
  }
  return near;
}

/** The largest of ascending numbers below a limit; -1 when there is none. */
function lastBelow(ascending: readonly number[], limit: number): number {
  let low = 0;
  let high = ascending.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (ascending[middle] < limit) low = middle + 1;
    else high = middle;
  }
  return low === 0 ? -1 : ascending[low - 1];
}
