import type { Btf } from '../btf/btf.js';
import {
  infoKind,
  KIND_DATASEC,
  KIND_DECL_TAG,
  KIND_ENUM,
  KIND_ENUM64,
  KIND_FLOAT,
  KIND_FUNC,
  KIND_INT,
  KIND_STRUCT,
  KIND_TYPEDEF,
  KIND_UNION,
  KIND_VAR,
} from '../btf/kinds.js';
import { lengthOf, type NameIndex } from '../btf/names.js';

/** Kinds that libbpf takes as candidates of a CO-RE relocation, by the class within which they are compared. */
const CORE_CLASS = new Uint8Array(32);
CORE_CLASS[KIND_INT] = 1;
CORE_CLASS[KIND_FLOAT] = 2;
CORE_CLASS[KIND_STRUCT] = 3;
CORE_CLASS[KIND_UNION] = 4;
CORE_CLASS[KIND_TYPEDEF] = 5;
CORE_CLASS[KIND_ENUM] = 6;
CORE_CLASS[KIND_ENUM64] = 6;

const UNDERSCORE = 0x5f;
const TRACE_TYPEDEF = 'btf_trace_';
const TRACE_FUNC = '__bpf_trace_';

/**
 * Types that no reference leads to, but that must be on the same side as a type that they belong to:
 * - a VAR takes its DATASEC along: a VAR whose DATASEC is elsewhere turns a section offset into a trusted pointer;
 * - typedef `btf_trace_X` and FUNC `__bpf_trace_X`: without the FUNC the kernel drops `__nullable`;
 * - all types of one essential name (`foo___x` counts as `foo`) and of one CO-RE class: libbpf looks in vmlinux first
 *   and stops at any candidate there.
 * DECL_TAGs follow their target too; they lead nowhere and have a reason of their own (see closure).
 */
export class Companions {
  readonly #btf: Btf;
  readonly #names: NameIndex;
  /** VAR id → DATASEC id, only for BTFs that have DATASECs. */
  readonly #datasecOf: ReadonlyMap<number, number>;
  /** Name offset of a flavoured name → its essential name; and the other way, to types. */
  readonly #essentialOf: ReadonlyMap<number, string>;
  readonly #flavours: ReadonlyMap<string, readonly number[]>;
  /** Every DECL_TAG, ascending. */
  readonly tags: readonly number[];

  constructor(btf: Btf, names: NameIndex) {
    this.#btf = btf;
    this.#names = names;
    this.#essentialOf = flavouredNames(btf);
    const datasecOf = new Map<number, number>();
    const flavours = new Map<string, number[]>();
    const tags: number[] = [];
    for (let id = 1; id <= btf.count; id++) {
      const at = btf.starts[id - 1];
      const kind = infoKind(btf.words[at + 1]);
      if (kind === KIND_DECL_TAG) tags.push(id);
      else if (kind === KIND_DATASEC) for (let i = at + 3; i < btf.starts[id]; i += 3) datasecOf.set(btf.words[i], id);
      else if (this.#essentialOf.size > 0 && CORE_CLASS[kind] !== 0) {
        const essential = this.#essentialOf.get(btf.words[at]);
        if (essential !== undefined) flavours.set(essential, [...(flavours.get(essential) ?? []), id]);
      }
    }
    this.#datasecOf = datasecOf;
    this.#flavours = flavours;
    this.tags = tags;
  }

  /** Calls `visit` for each companion of a type; perhaps with the type itself, perhaps twice. */
  visit(id: number, visit: (companion: number) => void): void {
    const kind = this.#btf.kind(id);
    if (CORE_CLASS[kind] !== 0) this.#visitSameName(id, CORE_CLASS[kind], visit);
    if (kind === KIND_VAR) {
      const datasec = this.#datasecOf.get(id);
      if (datasec !== undefined) visit(datasec);
    } else if (kind === KIND_TYPEDEF) this.#visitCounterpart(id, TRACE_TYPEDEF, TRACE_FUNC, KIND_FUNC, visit);
    else if (kind === KIND_FUNC) this.#visitCounterpart(id, TRACE_FUNC, TRACE_TYPEDEF, KIND_TYPEDEF, visit);
  }

  #visitSameName(id: number, coreClass: number, visit: (companion: number) => void): void {
    const btf = this.#btf;
    const offset = btf.nameOffset(id);
    if (offset === 0) return;
    const essential = this.#essentialOf.get(offset);
    const length = essential === undefined ? lengthOf(btf.strings, offset) : essential.length;
    for (let other = this.#names.firstNamed(offset, length); other !== 0; other = this.#names.next(other)) {
      if (CORE_CLASS[btf.kind(other)] === coreClass) visit(other);
    }
    if (this.#flavours.size === 0) return;
    for (const other of this.#flavours.get(essential ?? btf.name(id)) ?? [])
      if (CORE_CLASS[btf.kind(other)] === coreClass) visit(other);
  }

  #visitCounterpart(
    id: number,
    prefix: string,
    otherPrefix: string,
    otherKind: number,
    visit: (companion: number) => void,
  ): void {
    const name = this.#btf.name(id);
    if (!name.startsWith(prefix)) return;
    for (const other of this.#names.all(otherPrefix + name.slice(prefix.length), otherKind)) visit(other);
  }
}

/**
 * Name offset → essential name, of every flavoured name that a CO-RE candidate has: the last `___` between other
 * characters ends the essential name (libbpf's bpf_core_essential_name_len).
 */
function flavouredNames(btf: Btf): Map<number, string> {
  const found = new Map<number, string>();
  const { buffer, byteOffset, byteLength } = btf.strings;
  const strings = Buffer.from(buffer, byteOffset, byteLength);
  const separators: number[] = [];
  for (let at = strings.indexOf('___', 1); at >= 0; at = strings.indexOf('___', at + 1))
    if (strings[at - 1] > 0 && strings[at - 1] !== UNDERSCORE && strings[at + 3] > 0 && strings[at + 3] !== UNDERSCORE)
      separators.push(at);
  if (separators.length === 0) return found;
  for (let id = 1; id <= btf.count; id++) {
    const at = btf.starts[id - 1];
    const offset = btf.words[at];
    if (CORE_CLASS[infoKind(btf.words[at + 1])] === 0 || found.has(offset)) continue;
    const end = strings.indexOf(0, offset);
    const separator = lastBelow(separators, end);
    if (separator > offset) found.set(offset, strings.toString('latin1', offset, separator));
  }
  return found;
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
