import type { Btf } from '../btf/btf.js';
import {
  IS_COMPOSITE,
  infoKind,
  infoKindFlag,
  KIND_ARRAY,
  KIND_CONST,
  KIND_FUNC_PROTO,
  KIND_PTR,
  KIND_RESTRICT,
  KIND_TYPE_TAG,
  KIND_VOLATILE,
  kindSet,
  ROLE_STRING,
  ROLE_TYPE,
} from '../btf/kinds.js';
import { StringTable } from '../btf/string-table.js';

/**
 * Two BTFs, each with its base, as one: types have joint ids, those of the first side before those of the second, and every name
 * is a number that is the same for the same bytes. So the two are compared without looking at sides, in loops over words.
 */
export interface Joined {
  /** As in a BTF, with joint ids and name numbers in place of ids and string offsets. */
  readonly words: Uint32Array;
  readonly roles: Uint8Array;
  /** Joint id → index of its first word; entry 0 is void and means nothing; one more entry marks the end. */
  readonly starts: Uint32Array;
  /** Joint ids of the own types of each side; what stands before `first` of a side is its base. */
  readonly sides: readonly [JoinedSide, JoinedSide];
  /** A name stands at its number, up to the NUL; 0 is the empty name. */
  readonly strings: Uint8Array;
}

export interface JoinedSide {
  readonly first: number;
  readonly end: number;
  /** Joint id less type id. */
  readonly shift: number;
  /** String offset of this side → number of the name there; 0 where no type uses one, and for the empty name. */
  readonly nameAt: Uint32Array;
}

/** Kinds whose types belong to what refers to them: C has no names for them, and the name of a TYPE_TAG says nothing alone. */
const IS_NAMELESS = kindSet(
  KIND_PTR,
  KIND_ARRAY,
  KIND_CONST,
  KIND_VOLATILE,
  KIND_RESTRICT,
  KIND_FUNC_PROTO,
  KIND_TYPE_TAG,
);

/** Whether a type is known by its kind and name. */
export function isNamed({ words, starts }: Joined, id: number): boolean {
  const at = starts[id];
  return words[at] !== 0 && IS_NAMELESS[infoKind(words[at + 1])] === 0;
}

export function kindOf({ words, starts }: Joined, id: number): number {
  return infoKind(words[starts[id] + 1]);
}

/** The BTFs of a side, its base first. */
function chainOf(btf: Btf): Btf[] {
  return btf.base === undefined ? [btf] : [...chainOf(btf.base), btf];
}

/** `a` and `b` hold no name of 1,024 bytes or more (see checkLengths). */
export function join(a: Btf, b: Btf): Joined {
  const chains = [chainOf(a), chainOf(b)] as const;
  const parts = chains.flat();
  const words = new Uint32Array(parts.reduce((sum, part) => sum + part.words.length, 0));
  const roles = new Uint8Array(words.length);
  const starts = new Uint32Array(parts.reduce((sum, part) => sum + part.count, 2));
  const names = new JointNames(parts);
  let at = 0;
  let id = 1;
  const sides = chains.map((chain, nth) => {
    const shift = id - 1;
    const nameAt = new Uint32Array(chain[chain.length - 1].stringEnd);
    const nameOf = names.reader(nth === 0 ? 0 : a.stringEnd, nameAt);
    let first = id;
    for (const part of chain) {
      first = id;
      for (let i = 0; i < part.count; i++) starts[id++] = at + part.starts[i];
      translate(part, words.subarray(at, at + part.words.length), shift, nameAt, nameOf);
      roles.set(part.roles, at);
      at += part.words.length;
    }
    return { first, end: id, shift, nameAt };
  });
  starts[id] = at;
  return { words, roles, starts, sides: [sides[0], sides[1]], strings: names.strings };
}

function translate(
  { words, roles }: Btf,
  to: Uint32Array,
  shift: number,
  nameAt: Uint32Array,
  nameOf: (offset: number) => number,
): void {
  for (let i = 0; i < words.length; i++) {
    const word = words[i];
    const role = roles[i];
    if (role === ROLE_STRING) to[i] = word === 0 ? 0 : nameAt[word] || nameOf(word);
    else if (role === ROLE_TYPE) to[i] = word === 0 ? 0 : word + shift;
    else to[i] = word;
  }
}

/** Names by content, over the strings of all parts. The number of a name is the place where it was met first. */
class JointNames {
  readonly strings: Uint8Array;
  readonly #table: StringTable;

  constructor(parts: readonly Btf[]) {
    this.strings = new Uint8Array(parts.reduce((sum, part) => sum + part.strings.length, 0));
    let at = 0;
    for (const { strings } of parts) {
      this.strings.set(strings, at);
      at += strings.length;
    }
    const words = parts.reduce((sum, part) => sum + part.words.length, 0);
    this.#table = new StringTable(this.strings, Math.min(this.strings.length, words));
  }

  /** Of one side, whose offset 0 stands at `start`: finds the name at an offset and notes its number. */
  reader(start: number, nameAt: Uint32Array): (offset: number) => number {
    const { strings } = this;
    const table = this.#table;
    return offset => {
      if (strings[start + offset] !== 0) nameAt[offset] = table.offset(table.add(start + offset));
      return nameAt[offset];
    };
  }
}

/**
 * Whether the records of two types are the same, their names included, where types that they refer to are the same when their
 * classes are. What no program sees does not count: the kind flag of a STRUCT or UNION, which only says how offsets are
 * written, and the index type of an ARRAY, which compilers choose.
 */
export function sameRecord({ words, roles, starts }: Joined, a: number, b: number, classes: Uint32Array): boolean {
  const start = starts[a];
  const length = starts[a + 1] - start;
  const other = starts[b];
  if (starts[b + 1] - other !== length || words[start] !== words[other]) return false;
  const info = words[start + 1];
  const kind = infoKind(info);
  const composite = IS_COMPOSITE[kind] !== 0;
  const ignored = composite ? 0x80000000 : 0;
  if (((info ^ words[other + 1]) & ~ignored) !== 0) return false;
  const flag = composite && infoKindFlag(info);
  const otherFlag = composite && infoKindFlag(words[other + 1]);
  for (let i = 2; i < length; i++) {
    const x = words[start + i];
    const y = words[other + i];
    if (roles[start + i] === ROLE_TYPE) {
      if (classes[x] !== classes[y] && !(kind === KIND_ARRAY && i === 4)) return false;
    } else if (i > 2 && flag !== otherFlag && roles[start + i] !== ROLE_STRING) {
      if (bitOffset(x, flag) !== bitOffset(y, otherFlag) || bitWidth(x, flag) !== bitWidth(y, otherFlag)) return false;
    } else if (x !== y) return false;
  }
  return true;
}

/** Bits from the start of a struct. With the kind flag the upper eight bits of the word are the width of a bit field. */
export function bitOffset(word: number, flag: boolean): number {
  return flag ? word & 0xffffff : word;
}

/** Width of a bit field in bits; 0 for other members. */
export function bitWidth(word: number, flag: boolean): number {
  return flag ? word >>> 24 : 0;
}

/** The same for records that {@link sameRecord} calls the same. */
export function hashRecord({ words, roles, starts }: Joined, id: number, classes: Uint32Array, seed: number): number {
  const start = starts[id];
  const end = starts[id + 1];
  const info = words[start + 1];
  const kind = infoKind(info);
  const composite = IS_COMPOSITE[kind] !== 0;
  const flag = composite && infoKindFlag(info);
  let hash = mix(mix(seed, words[start]), composite ? info & 0x7fffffff : info);
  for (let i = start + 2; i < end; i++) {
    const word = words[i];
    if (roles[i] === ROLE_TYPE) {
      if (kind !== KIND_ARRAY || i !== start + 4) hash = mix(hash, classes[word]);
    } else if (composite && i > start + 2 && roles[i] !== ROLE_STRING)
      hash = mix(mix(hash, bitOffset(word, flag)), bitWidth(word, flag));
    else hash = mix(hash, word);
  }
  return hash ^ (hash >>> 16);
}

/** A step of murmur3. */
function mix(hash: number, word: number): number {
  const scrambled = Math.imul(word, 0xcc9e2d51);
  const mixed = hash ^ Math.imul((scrambled << 15) | (scrambled >>> 17), 0x1b873593);
  return (Math.imul((mixed << 13) | (mixed >>> 19), 5) + 0xe6546b64) | 0;
}
