import type { Btf } from '../btf/btf.js';
import { encodeBtf } from '../btf/encode.js';
import { HEADER_BYTES, HEADER_BYTES_LAYOUT } from '../btf/header.js';
import { ROLE_STRING, ROLE_TYPE } from '../btf/kinds.js';
import type { Closure } from './closure.js';

/** New id of each old id, 0 … N: needed types first, the others after, both in their old order. */
export function permute(closure: Closure): Uint32Array {
  const { nearest, types } = closure;
  const newIds = new Uint32Array(nearest.length);
  let base = 1;
  let rest = types + 1;
  for (let id = 1; id < nearest.length; id++) newIds[id] = nearest[id] !== 0 ? base++ : rest++;
  return newIds;
}

/** Base, rest and full as bytes, ready to be written. */
export interface Partition {
  /** `.BTF` of the image: `base` with `padding` NULs behind its strings. */
  readonly paddedBase: Uint8Array;
  readonly base: Uint8Array;
  /** Split BTF whose string offsets count on from `paddedBase`. */
  readonly rest: Uint8Array;
  readonly full: Uint8Array;
  /** Bytes. */
  readonly padding: number;
  /** Of base (without padding), rest and full. */
  readonly sizes: { readonly base: PartSize; readonly rest: PartSize; readonly full: PartSize };
}

/** What a BTF consists of, in bytes and types. */
export interface PartSize {
  readonly types: number;
  readonly bytes: number;
  readonly typeBytes: number;
  readonly stringBytes: number;
  /** Header and, where there is one, the section that describes kinds. */
  readonly headerBytes: number;
}

/** String offsets of the full BTF in the new sections. */
interface Strings {
  /** Old offset → new offset + 1; offsets from `base.length` on stand in the rest. */
  readonly moved: Uint32Array;
  readonly base: Uint8Array;
  readonly rest: Uint8Array;
}

/**
 * Copies each type to its side and renumbers ids and string offsets. `paddedTo`: the size in bytes that the base must
 * fill (the `.BTF` section of a finished vmlinux cannot shrink), or undefined for no padding. A base that has no room
 * is impossible: it is a part of what filled the section.
 */
export function partition(btf: Btf, closure: Closure, newIds: Uint32Array, paddedTo?: number): Partition {
  const strings = partitionStrings(btf, closure);
  const baseWords = new Uint32Array(closure.words);
  const restWords = new Uint32Array(btf.words.length - closure.words);
  const fullRestWords = new Uint32Array(restWords.length);
  const hasLayout = btf.layout.length > 0;
  const headerLength = hasLayout ? HEADER_BYTES_LAYOUT : HEADER_BYTES;
  const bare = headerLength + baseWords.length * 4 + btf.layout.length + strings.base.length;
  const padding = paddedTo === undefined ? 0 : paddedTo - bare;
  copyTypes(btf, closure, newIds, strings, baseWords, restWords, fullRestWords, padding);

  const common = { order: btf.order, flags: btf.header.flags, headerLength, layout: btf.layout };
  const base = encodeBtf({ ...common, words: baseWords, strings: strings.base });
  const rest = encodeBtf({ ...common, words: restWords, strings: strings.rest });
  const full = encodeBtf({
    ...common,
    words: concat(baseWords, fullRestWords),
    strings: concatBytes(strings.base, strings.rest),
  });
  const headerBytes = headerLength + btf.layout.length;
  const size = (types: number, bytes: Uint8Array, words: number, stringBytes: number): PartSize => ({
    types,
    bytes: bytes.length,
    typeBytes: words * 4,
    stringBytes,
    headerBytes,
  });
  return {
    base,
    rest,
    full,
    padding,
    paddedBase: padding === 0 ? base : encodeBtf({ ...common, words: baseWords, strings: pad(strings.base, padding) }),
    sizes: {
      base: size(closure.types, base, baseWords.length, strings.base.length),
      rest: size(btf.count - closure.types, rest, restWords.length, strings.rest.length),
      full: size(btf.count, full, btf.words.length, strings.base.length + strings.rest.length),
    },
  };
}

/** Strings keep their order; one that a base type uses goes to the base, and no string becomes the tail of another. */
function partitionStrings(btf: Btf, closure: Closure): Strings {
  const { words, roles, starts, strings } = btf;
  const inBase = 1;
  const inRest = 2;
  const use = new Uint8Array(strings.length);
  use[0] = inBase;
  for (let id = 1; id <= btf.count; id++) {
    const side = closure.nearest[id] !== 0 ? inBase : inRest;
    for (let i = starts[id - 1]; i < starts[id]; i++) if (roles[i] === ROLE_STRING) use[words[i]] |= side;
  }
  const [baseLength, restLength] = measureStrings(strings, use);
  const base = new Uint8Array(baseLength);
  const rest = new Uint8Array(restLength);
  const moved = new Uint32Array(strings.length);
  let baseAt = 0;
  let restAt = 0;
  for (let offset = 0; offset < strings.length; offset++) {
    if (use[offset] === 0) continue;
    if ((use[offset] & inBase) !== 0) {
      moved[offset] = baseAt + 1;
      baseAt = copyString(strings, offset, base, baseAt);
    } else {
      moved[offset] = baseLength + restAt + 1;
      restAt = copyString(strings, offset, rest, restAt);
    }
  }
  return { moved, base, rest };
}

/** Bytes that the strings of the base and of the rest take. Offsets into the middle of a string count as strings. */
function measureStrings(strings: Uint8Array, use: Uint8Array): [number, number] {
  let base = 0;
  let rest = 0;
  let end = strings.length;
  for (let offset = strings.length - 1; offset >= 0; offset--) {
    if (strings[offset] === 0) end = offset + 1;
    if (use[offset] === 0) continue;
    if ((use[offset] & 1) !== 0) base += end - offset;
    else rest += end - offset;
  }
  return [base, rest];
}

function copyString(from: Uint8Array, offset: number, to: Uint8Array, at: number): number {
  let i = offset;
  for (; from[i] !== 0; i++) to[at++] = from[i];
  return at + 1;
}

function copyTypes(
  btf: Btf,
  closure: Closure,
  newIds: Uint32Array,
  strings: Strings,
  base: Uint32Array,
  rest: Uint32Array,
  fullRest: Uint32Array,
  padding: number,
): void {
  const { words, roles, starts } = btf;
  const { moved } = strings;
  const baseStrings = strings.base.length;
  let baseAt = 0;
  let restAt = 0;
  for (let id = 1; id <= btf.count; id++) {
    const end = starts[id];
    if (closure.nearest[id] !== 0) {
      for (let i = starts[id - 1]; i < end; i++) {
        const role = roles[i];
        const word = words[i];
        base[baseAt++] = role === ROLE_TYPE ? newIds[word] : role === ROLE_STRING ? moved[word] - 1 : word;
      }
    } else {
      for (let i = starts[id - 1]; i < end; i++, restAt++) {
        const role = roles[i];
        const word = words[i];
        const value = role === ROLE_TYPE ? newIds[word] : role === ROLE_STRING ? moved[word] - 1 : word;
        fullRest[restAt] = value;
        rest[restAt] = role === ROLE_STRING && value >= baseStrings ? value + padding : value;
      }
    }
  }
}

function concat(a: Uint32Array, b: Uint32Array): Uint32Array {
  const both = new Uint32Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}

function concatBytes(a: Uint8Array, b: Uint8Array): Uint8Array {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}

function pad(strings: Uint8Array, padding: number): Uint8Array {
  const padded = new Uint8Array(strings.length + padding);
  padded.set(strings);
  return padded;
}
