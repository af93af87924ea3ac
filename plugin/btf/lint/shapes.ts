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
} from '../kinds.js';

const table = (...kinds: readonly number[]): Uint8Array => {
  const flags = new Uint8Array(128);
  for (const kind of kinds) flags[kind] = 1;
  return flags;
};

/** btf_type_is_modifier, btf_type_is_struct and their like in kernel/bpf/btf.c, by kind; kind 0 is void. */
export const IS_MODIFIER = table(KIND_TYPEDEF, KIND_VOLATILE, KIND_CONST, KIND_RESTRICT, KIND_TYPE_TAG);
export const IS_COMPOSITE = table(KIND_STRUCT, KIND_UNION);
export const HAS_NO_SIZE = table(0, KIND_FWD, KIND_FUNC, KIND_FUNC_PROTO, KIND_DECL_TAG);
export const HAS_SIZE = table(KIND_INT, KIND_STRUCT, KIND_UNION, KIND_ENUM, KIND_DATASEC, KIND_FLOAT, KIND_ENUM64);
/** Kinds that no type may be made of. */
export const IS_SOURCE_ONLY = table(KIND_VAR, KIND_DECL_TAG, KIND_DATASEC);
export const MAY_BE_TAGGED = table(KIND_FUNC, KIND_STRUCT, KIND_UNION, KIND_VAR, KIND_TYPEDEF);
export const NEEDS_RESOLVE = table(
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

const LONG_NAMES = ['long unsigned int', 'unsigned long', 'long int', 'long'].map(name =>
  Uint8Array.from(`${name}\0`, character => character.charCodeAt(0)),
);

/** Pointer size in bytes as the BTF tells it: the size of `long`; 8 without one. */
export function pointerBytesOf(btf: Btf): number {
  for (let side: Btf | undefined = btf; side !== undefined; side = side.base)
    for (const id of side.ofKind(KIND_INT)) {
      const size = side.sizeOrType(id);
      if ((size === 4 || size === 8) && isLong(side, side.nameOffset(id))) return size;
    }
  return 8;
}

/** Compares bytes: a string is not made of each name, for names may share a long end. */
function isLong(btf: Btf, offset: number): boolean {
  let holder = btf;
  while (offset < holder.stringBase && holder.base !== undefined) holder = holder.base;
  const { strings, stringBase } = holder;
  return LONG_NAMES.some(name => name.every((byte, i) => strings[offset - stringBase + i] === byte));
}
