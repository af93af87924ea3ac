import { CodedError } from '../errors.js';
import type { Btf } from './btf.js';
import {
  KIND_ARRAY,
  KIND_CONST,
  KIND_FUNC,
  KIND_FUNC_PROTO,
  KIND_MAX,
  KIND_PTR,
  KIND_RESTRICT,
  KIND_VOLATILE,
} from './kinds.js';
import { isName, StringTable } from './string-table.js';

/** The kernel takes names of at most 511 bytes (KSYM_NAME_LEN). More than this is hostile: names may share their ends. */
export const MAX_NAME_BYTES = 1024;

/** Half of a kernel's names are functions, few are asked for; of the other kinds here none bears a name in a kernel. */
export const SELDOM_ASKED: readonly number[] = [
  KIND_FUNC,
  KIND_FUNC_PROTO,
  KIND_PTR,
  KIND_ARRAY,
  KIND_CONST,
  KIND_VOLATILE,
  KIND_RESTRICT,
];
const OFTEN_ASKED = Array.from({ length: KIND_MAX }, (_, i) => i + 1).filter(kind => !SELDOM_ASKED.includes(kind));
/** So many names of seldom asked kinds are looked for one by one before an index is worth its making. */
const LOOKED_FOR_SINGLY = 8;

/**
 * Strings by content, and types by name: two names are the same when their bytes are, whether or not the producer
 * shared their offset. Open hash tables over the string section, no JS string a name; each is made when it is asked, the one
 * for functions when it is worth it. Only for a BTF without a base. Throws `btf-strings` for a name that no kernel takes.
 */
export class NameIndex {
  readonly #btf: Btf;
  #often: NameTable | undefined;
  #seldom: NameTable | undefined;
  #asked = 0;
  /** Name → first type of it, by kind: a name that half of all types bear may be asked for by the other half. */
  readonly #first = new Map<number, Map<string, number>>();

  constructor(btf: Btf) {
    checkLengths(btf);
    this.#btf = btf;
  }

  /** Ids of all types of this exact name, ascending; of one kind when given. */
  all(name: string, kind?: number): number[] {
    const bytes = Buffer.from(name, 'latin1');
    if (bytes.length === 0) return [];
    if (kind === undefined)
      return [...this.#oftenAsked().all(bytes), ...this.#seldomAsked().all(bytes)].sort((a, b) => a - b);
    if (!SELDOM_ASKED.includes(kind))
      return this.#oftenAsked()
        .all(bytes)
        .filter(id => this.#btf.kind(id) === kind);
    if (this.#seldom === undefined && ++this.#asked <= LOOKED_FOR_SINGLY)
      return typesWithPrefix(this.#btf, kind, `${name}\0`);
    return this.#seldomAsked()
      .all(bytes)
      .filter(id => this.#btf.kind(id) === kind);
  }

  /** The type that the kernel's btf_find_by_name_kind finds: the first of that name and kind. 0 when there is none. */
  first(name: string, kind: number): number {
    let known = this.#first.get(kind);
    if (known === undefined) {
      known = new Map();
      this.#first.set(kind, known);
    }
    let id = known.get(name);
    if (id === undefined) {
      id = this.all(name, kind)[0] ?? 0;
      known.set(name, id);
    }
    return id;
  }

  /**
   * A type whose name is the `length` bytes at an offset of `bytes`, of the kinds that CO-RE compares and their like (no
   * FUNC); follow with {@link next} for the others, in any order. 0 when there is none.
   */
  firstNamed(bytes: Uint8Array, offset: number, length: number): number {
    return this.#oftenAsked().first(bytes, offset, length);
  }

  /** Another type of the same name; 0 after the last. */
  next(id: number): number {
    return this.#oftenAsked().next[id];
  }

  #oftenAsked(): NameTable {
    this.#often ??= new NameTable(this.#btf, OFTEN_ASKED);
    return this.#often;
  }

  #seldomAsked(): NameTable {
    this.#seldom ??= new NameTable(this.#btf, SELDOM_ASKED);
    return this.#seldom;
  }
}

/** The types of some kinds by name. */
class NameTable {
  readonly #names: StringTable;
  /** Slot of a name → a type of that name. */
  readonly #heads: Uint32Array;
  /** Type → another type of its name; 0 ends. Of one kind, ids ascend. */
  readonly next: Uint32Array;

  constructor(btf: Btf, kinds: readonly number[]) {
    const count = kinds.reduce((sum, kind) => sum + btf.ofKind(kind).length, 0);
    this.#names = new StringTable(btf.strings, count);
    this.#heads = new Uint32Array(this.#names.slots);
    this.next = new Uint32Array(btf.count + 1);
    for (const kind of kinds) addNames(btf, btf.ofKind(kind), this.#names, this.#heads, this.next);
  }

  /** `name`: its bytes, without NUL. */
  all(name: Uint8Array): number[] {
    const found: number[] = [];
    for (let id = this.first(name, 0, name.length); id !== 0; id = this.next[id]) found.push(id);
    return found;
  }

  first(bytes: Uint8Array, offset: number, length: number): number {
    const slot = this.#names.find(bytes, offset, length);
    return slot < 0 ? 0 : this.#heads[slot];
  }
}

/** From the last type to the first, so that ids ascend without a tail pointer. */
function addNames(btf: Btf, ids: Uint32Array, names: StringTable, heads: Uint32Array, next: Uint32Array): void {
  const { words, starts } = btf;
  for (let nth = ids.length - 1; nth >= 0; nth--) {
    const id = ids[nth];
    const offset = words[starts[id - 1]];
    if (offset === 0) continue;
    const slot = names.add(offset);
    next[id] = heads[slot];
    heads[slot] = id;
  }
}

/**
 * Names may share their ends, so that a megabyte could be the name of 100,000 types, and what reads each name would read
 * 100 GB. No name of a kernel is that long, so none is wanted in its strings: one look each MAX_NAME_BYTES finds them.
 */
export function checkLengths({ strings, header }: Btf): void {
  for (let start = 0; start + MAX_NAME_BYTES <= strings.length; ) {
    let at = start + MAX_NAME_BYTES - 1;
    while (at >= start && strings[at] !== 0) at--;
    if (at < start)
      throw new CodedError('btf-strings', `a name of ${MAX_NAME_BYTES} bytes or more`, {
        section: '.BTF',
        offset: header.length + header.strings.offset + start,
      });
    start = at + 1;
  }
}

/**
 * How many bytes of names printing may make of a BTF: 32 times its strings, and 16 MiB. The names of a kernel, as often as they
 * are used, are 1.2 times its strings; names that share their ends could make gigabytes of a small file. Throws
 * `btf-strings` when it is spent.
 */
export class NameBudget {
  readonly #bytes: number;
  #left: number;

  constructor({ stringEnd }: { readonly stringEnd: number }) {
    this.#bytes = (16 << 20) + 32 * stringEnd;
    this.#left = this.#bytes;
  }

  spend(bytes: number): void {
    this.#left -= bytes;
    if (this.#left < 0)
      throw new CodedError('btf-strings', `the names, as often as they are used, have more than ${this.#bytes} bytes`, {
        section: '.BTF',
      });
  }
}

/** Bytes up to the NUL. */
export function lengthOf(strings: Uint8Array, offset: number): number {
  let end = offset;
  while (strings[end] !== 0) end++;
  return end - offset;
}

/** Ids of all own types of one kind whose name starts with a prefix, ascending; it may end with the NUL. */
export function typesWithPrefix(btf: Btf, kind: number, prefix: string): number[] {
  const { strings, words, starts } = btf;
  const wanted = Buffer.from(prefix, 'latin1');
  const ids = btf.ofKind(kind);
  const found: number[] = [];
  for (let nth = 0; nth < ids.length; nth++) {
    const offset = words[starts[ids[nth] - btf.firstId]] - btf.stringBase;
    let i = 0;
    while (i < wanted.length && strings[offset + i] === wanted[i]) i++;
    if (i === wanted.length) found.push(ids[nth]);
  }
  return found;
}

/** Ids of all own types of one kind whose name ends with an ASCII suffix, ascending. */
export function typesWithSuffix(btf: Btf, kind: number, suffix: string): number[] {
  const wanted = Buffer.from(suffix, 'latin1');
  const found: number[] = [];
  for (const id of btf.ofKind(kind)) {
    const offset = btf.nameOffset(id) - btf.stringBase;
    const start = offset + lengthOf(btf.strings, offset) - wanted.length;
    if (start >= offset && isName(btf.strings, start, wanted, 0, wanted.length)) found.push(id);
  }
  return found;
}
