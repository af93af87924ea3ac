import type { Btf } from '../btf.js';
import {
  HEAD_WORDS,
  infoKind,
  infoVlen,
  KIND_ARRAY,
  KIND_CONST,
  KIND_DATASEC,
  KIND_DECL_TAG,
  KIND_ENUM,
  KIND_ENUM64,
  KIND_FLOAT,
  KIND_FUNC,
  KIND_FUNC_PROTO,
  KIND_FWD,
  KIND_INT,
  KIND_PTR,
  KIND_RESTRICT,
  KIND_STRUCT,
  KIND_TYPE_TAG,
  KIND_TYPEDEF,
  KIND_UNION,
  KIND_VAR,
  KIND_VOLATILE,
  kindSet,
} from '../kinds.js';

/** btf_type_nosize, btf_type_has_size and their like in kernel/bpf/btf.c, by kind; kind 0 is void. */
export const HAS_NO_SIZE = kindSet(0, KIND_FWD, KIND_FUNC, KIND_FUNC_PROTO, KIND_DECL_TAG);
export const HAS_SIZE = kindSet(KIND_INT, KIND_STRUCT, KIND_UNION, KIND_ENUM, KIND_DATASEC, KIND_FLOAT, KIND_ENUM64);
/** Kinds that no type may be made of. */
export const IS_SOURCE_ONLY = kindSet(KIND_VAR, KIND_DECL_TAG, KIND_DATASEC);
export const MAY_BE_TAGGED = kindSet(KIND_FUNC, KIND_STRUCT, KIND_UNION, KIND_VAR, KIND_TYPEDEF);
export const NEEDS_RESOLVE = kindSet(
  KIND_TYPEDEF,
  KIND_VOLATILE,
  KIND_CONST,
  KIND_RESTRICT,
  KIND_TYPE_TAG,
  KIND_PTR,
  KIND_STRUCT,
  KIND_UNION,
  KIND_ARRAY,
  KIND_VAR,
  KIND_FUNC,
  KIND_DECL_TAG,
  KIND_DATASEC,
);

/** The types of a BTF and of its base in one table by id; kind 0 for void. */
export class TypeTable {
  readonly btf: Btf;
  readonly kinds: Uint8Array;
  readonly info: Uint32Array;
  /** Third word of the record: size in bytes, or type id. */
  readonly third: Uint32Array;
  /** Index of the record's first word in {@link words} of the id. */
  readonly at: Uint32Array;
  /** By FUNC_PROTO: 1 when its parameters have names, 2 when not, 0 when nobody has asked. */
  readonly #named: Uint8Array;

  constructor(btf: Btf) {
    this.btf = btf;
    this.kinds = new Uint8Array(btf.endId);
    this.info = new Uint32Array(btf.endId);
    this.third = new Uint32Array(btf.endId);
    this.at = new Uint32Array(btf.endId);
    this.#named = new Uint8Array(btf.endId);
    for (let side: Btf | undefined = btf; side !== undefined; side = side.base) this.#fill(side);
  }

  #fill({ words, starts, count, firstId }: Btf): void {
    for (let i = 0; i < count; i++) {
      const at = starts[i];
      const id = firstId + i;
      this.at[id] = at;
      this.info[id] = words[at + 1];
      this.kinds[id] = infoKind(words[at + 1]);
      this.third[id] = words[at + 2];
    }
  }

  words(id: number): Uint32Array {
    return this.btf.owner(id).words;
  }

  /** The word behind the head of an INT: encoding, offset, bits. */
  intData(id: number): number {
    return this.words(id)[this.at[id] + 3];
  }

  /** Varargs need none. Each FUNC_PROTO is read once: many FUNCs may share one of many parameters. */
  hasNamedParameters(proto: number): boolean {
    if (this.#named[proto] === 0) {
      const words = this.words(proto);
      const first = this.at[proto] + HEAD_WORDS;
      const end = first + infoVlen(this.info[proto]) * 2;
      this.#named[proto] = 1;
      for (let word = first; word < end; word += 2)
        if (words[word] === 0 && words[word + 1] !== 0) this.#named[proto] = 2;
    }
    return this.#named[proto] === 1;
  }

  /** btf_type_int_is_regular: whole, and of 1, 2, 4, 8 or 16 bytes. */
  isRegularInt(id: number): boolean {
    if (this.kinds[id] !== KIND_INT) return false;
    const data = this.intData(id);
    const bits = data & 0xff;
    return ((data >>> 16) & 0xff) === 0 && bits >= 8 && bits <= 128 && (bits & (bits - 1)) === 0;
  }
}
