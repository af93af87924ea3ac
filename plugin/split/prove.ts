import { Btf, type BtfFrame, readFrame } from '../btf/btf.js';
import { reencodeBtf } from '../btf/encode.js';
import { type BtfHeader, type BtfSection, decodeHeader, HEADER_BYTES, HEADER_BYTES_LAYOUT } from '../btf/header.js';
import { ROLE_STRING, ROLE_TYPE } from '../btf/kinds.js';
import { NameIndex } from '../btf/names.js';
import { toWords } from '../bytes/endian.js';
import { CodedError, type ErrorCode } from '../errors.js';
import type { Root } from '../roots/root.js';
import { closeOver } from './closure.js';
import { Companions } from './companions.js';
import { partition, permute } from './partition.js';
import { sideRuns } from './runs.js';

/** What a split promises, as it is checked: the bytes that are about to be written, not the data that made them. */
export interface Promised {
  /** The BTF that was split. */
  readonly original: Btf;
  /** `.BTF` of the image, padding included. */
  readonly base: Uint8Array;
  readonly rest: Uint8Array;
  readonly full: Uint8Array;
  /** New id of each old id. */
  readonly newIds: Uint32Array;
  readonly roots: readonly Root[];
}

/** An invariant that was proved, in words for the report. */
export const INVARIANTS = [
  'the base stands alone: it decodes without the rest and no id or name of it leaves it',
  'the rest decodes on the base and no id or name of it dangles',
  'base ++ rest is a permutation of the input that keeps the order on both sides',
  'every type equals its original, field by field, ids mapped and names compared',
  'full is base ++ rest, as one BTF',
  'splitting the base again with the same roots changes nothing (padding aside)',
] as const;

/** Base and rest as they were decoded; the rest when it is first asked for, for nothing in the proofs needs its types. */
export interface Decoded {
  readonly base: Btf;
  readonly rest: Btf;
}

/**
 * Proves every invariant on the bytes of a split. Throws an error with `code`: `invariant` inside a run that would
 * write them, `verify` for files that were written before. Returns what it decoded.
 */
export function prove(promised: Promised, code: ErrorCode): Decoded {
  const fail = (detail: string): never => {
    throw new CodedError(code, detail);
  };
  const { original, newIds } = promised;
  const base = attempt(() => Btf.decode(promised.base), 'base', fail);
  const rest = attempt(() => readFrame(promised.rest, base), 'rest', fail);
  checkFrame(original, base.header, base.layout, 'base', fail);
  checkFrame(original, rest.header, rest.layout, 'rest', fail);
  const ids = checkPermutation(original, newIds, base.count, fail);
  // Word by word the rest is the types of the original that the base leaves: it decodes as they did.
  checkTypes(original, newIds, ids, base, rest, fail);
  const decoded = new LateRest(base, rest);
  checkFull(original, promised.full, decoded, rest, fail);
  checkAgain(base, newIds, promised.roots, fail);
  return decoded;
}

class LateRest implements Decoded {
  readonly base: Btf;
  readonly #frame: BtfFrame;
  #rest: Btf | undefined;

  constructor(base: Btf, frame: BtfFrame) {
    this.base = base;
    this.#frame = frame;
  }

  get rest(): Btf {
    this.#rest ??= Btf.index(this.#frame, this.base);
    return this.#rest;
  }
}

type Fail = (detail: string) => never;

/** Runs a decoder; what it refuses is a broken promise. */
function attempt<T>(decoder: () => T, what: string, fail: Fail): T {
  try {
    return decoder();
  } catch (error) {
    if (error instanceof CodedError) return fail(`the ${what} does not decode: ${error.message}`);
    throw error;
  }
}

/** Byte order, flags and the description of kinds are those of the original; types, description, strings in that order. */
function checkFrame(original: Btf, header: BtfHeader, layout: Uint8Array, what: string, fail: Fail): void {
  const { types, strings } = header;
  if (header.order !== original.order) fail(`the ${what} is ${header.order}-endian`);
  if (header.flags !== original.header.flags) fail(`the ${what} has other header flags`);
  if (!sameBytes(layout, original.layout)) fail(`the ${what} describes other kinds`);
  const hasLayout = layout.length > 0;
  if (header.length !== (hasLayout ? HEADER_BYTES_LAYOUT : HEADER_BYTES))
    fail(`the ${what} has a header of ${header.length} bytes`);
  if (
    types.offset !== 0 ||
    header.layout.offset !== (hasLayout ? types.length : 0) ||
    strings.offset !== types.length + layout.length
  )
    fail(`the sections of the ${what} do not follow each other`);
}

/** Ids of the original's types that are in the base, ascending. */
function checkPermutation(original: Btf, newIds: Uint32Array, baseCount: number, fail: Fail): Uint32Array {
  const { count } = original;
  if (newIds.length !== count + 1) fail(`the permutation has ${newIds.length - 1} ids, the input ${count}`);
  // Both sides count up by one, so each new id is met exactly once.
  const ids = new Uint32Array(baseCount);
  let base = 0;
  let rest = baseCount;
  for (let id = 1; id <= count; id++) {
    if (newIds[id] <= baseCount) ids[base] = id;
    const expected = newIds[id] <= baseCount ? ++base : ++rest;
    if (newIds[id] !== expected) fail(`type ${id} became ${newIds[id]} where ${expected} was due`);
  }
  if (newIds[0] !== 0 || base !== baseCount) fail('the permutation does not cover the base');
  return ids;
}

/** Neighbours of one side stay neighbours, and equal kinds and vlens mean equal record borders. */
function checkTypes(original: Btf, newIds: Uint32Array, ids: Uint32Array, base: Btf, rest: BtfFrame, fail: Fail): void {
  const names = new NameComparer(original, base, rest);
  const difference = firstDifference(original, sideRuns(original, ids), newIds, names, base.words, rest.words);
  if (difference >= 0) fail(`a type differs from its original, at word ${difference} of the input`);
}

/** Index of the first word of the original whose copy is another; -1 when there is none. The copies have no word more. */
function firstDifference(
  original: Btf,
  runs: Uint32Array,
  newIds: Uint32Array,
  names: NameComparer,
  base: Uint32Array,
  rest: Uint32Array,
): number {
  const { words, roles } = original;
  const { lastWas, lastIs } = names;
  let i = 0;
  let baseAt = 0;
  let restAt = 0;
  for (let run = 0; run < runs.length; run++) {
    const start = i;
    const end = runs[run];
    const copies = run & 1 ? rest : base;
    let at = run & 1 ? restAt : baseAt;
    for (; i < end; i++, at++) {
      const role = roles[i];
      const was = words[i];
      const is = copies[at];
      if (role === ROLE_STRING) {
        const slot = (was ^ (was >>> 16)) & REMEMBERED_MASK;
        if ((lastWas[slot] !== was || lastIs[slot] !== is) && !names.same(slot, was, is)) return i;
      } else if ((role === ROLE_TYPE ? newIds[was] : was) !== is) return i;
    }
    if (run & 1) restAt += end - start;
    else baseAt += end - start;
  }
  return baseAt === base.length && restAt === rest.length ? -1 : i;
}

/** Slots of the comparer's memory, less one: a power of two, less one. */
const REMEMBERED_MASK = (1 << 14) - 1;

/**
 * Compares names of the original with names of the split, byte by byte, and remembers which it compared of late. Who has
 * many looks into that memory first: most names of a kernel (of members, of parameters) come again and again.
 */
class NameComparer {
  readonly #original: Uint8Array;
  readonly #base: Uint8Array;
  readonly #rest: Uint8Array;
  /** Where the strings of the rest start. */
  readonly #restStart: number;
  /** Slot → a pair of offsets that were found to be the same; offset 0 is the empty name on both sides. */
  readonly lastWas = new Uint32Array(REMEMBERED_MASK + 1);
  readonly lastIs = new Uint32Array(REMEMBERED_MASK + 1);

  constructor(original: Btf, base: Btf, rest: BtfFrame) {
    this.#original = original.strings;
    this.#base = base.strings;
    this.#rest = rest.strings;
    this.#restStart = base.stringEnd;
  }

  same(slot: number, was: number, is: number): boolean {
    const inBase = is < this.#restStart;
    const strings = this.#original;
    const other = inBase ? this.#base : this.#rest;
    let to = inBase ? is : is - this.#restStart;
    let from = was;
    while (strings[from] !== 0 && strings[from] === other[to]) {
      from++;
      to++;
    }
    if (strings[from] !== other[to]) return false;
    this.lastWas[slot] = was;
    this.lastIs[slot] = is;
    return true;
  }
}

/** Strings of the rest follow those of the base without padding, so its own offsets shift by the padding. */
function checkFull(original: Btf, bytes: Uint8Array, decoded: Decoded, rest: BtfFrame, fail: Fail): void {
  const { base } = decoded;
  const full = attempt(() => decodeHeader(bytes), 'full', fail);
  const cut = ({ offset, length }: BtfSection): Uint8Array =>
    bytes.subarray(full.length + offset, full.length + offset + length);
  checkFrame(original, full, cut(full.layout), 'full', fail);
  const strings = cut(full.strings);
  const baseStrings = strings.length - rest.strings.length;
  const padding = base.strings.length - baseStrings;
  const words = toWords(cut(full.types), full.order);
  if (padding < 0 || words.length !== base.words.length + rest.words.length)
    fail('full is not as long as base and rest');
  if (!sameBytes(words.subarray(0, base.words.length), base.words)) fail('full differs from the base');
  const restWords = words.subarray(base.words.length);
  if (padding === 0 ? !sameBytes(restWords, rest.words) : !sameShifted(restWords, decoded.rest, padding))
    fail('full differs from the rest');
  if (
    !sameBytes(strings.subarray(0, baseStrings), base.strings.subarray(0, baseStrings)) ||
    !sameBytes(strings.subarray(baseStrings), rest.strings)
  )
    fail('full has other strings');
  if (!sameBytes(base.strings.subarray(baseStrings), new Uint8Array(padding)))
    fail('the padding of the base is not all NUL');
}

function sameBytes(a: Uint8Array | Uint32Array, b: Uint8Array | Uint32Array): boolean {
  return (
    Buffer.compare(
      new Uint8Array(a.buffer, a.byteOffset, a.byteLength),
      new Uint8Array(b.buffer, b.byteOffset, b.byteLength),
    ) === 0
  );
}

function sameShifted(words: Uint32Array, rest: Btf, padding: number): boolean {
  for (let i = 0; i < words.length; i++) {
    const word = rest.words[i];
    if (words[i] !== (rest.roles[i] === ROLE_STRING && word >= rest.stringBase ? word - padding : word)) return false;
  }
  return true;
}

function checkAgain(base: Btf, newIds: Uint32Array, roots: readonly Root[], fail: Fail): void {
  const mapped = roots.map(root => ({ ...root, id: newIds[root.id] }));
  const outside = mapped.find(root => root.id === 0 || root.id > base.count);
  if (outside !== undefined) fail(`the root ${outside.source} is not in the base`);
  const companions = new Companions(base, new NameIndex(base));
  const closure = closeOver(base, companions, mapped);
  if (closure.types !== base.count) fail(`${base.count - closure.types} types of the base are needed by no root`);
  const bytes = reencodeBtf(base);
  const again = partition(base, closure, permute(closure), bytes.length);
  if (Buffer.compare(again.paddedBase, bytes) !== 0) fail('splitting the base again changes it');
}
