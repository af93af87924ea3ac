import { Btf } from '../btf/btf.js';
import { reencodeBtf } from '../btf/encode.js';
import { ROLE_STRING, ROLE_TYPE } from '../btf/kinds.js';
import { NameIndex } from '../btf/names.js';
import { CodedError, type ErrorCode } from '../errors.js';
import type { Root } from '../roots/root.js';
import { closeOver } from './closure.js';
import { Companions } from './companions.js';
import { partition, permute } from './partition.js';

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

/**
 * Proves every invariant on the bytes of a split. Throws an error with `code`: `invariant` inside a run that would
 * write them, `verify` for files that were written before.
 */
export function prove(promised: Promised, code: ErrorCode): void {
  const fail = (detail: string): never => {
    throw new CodedError(code, detail);
  };
  const { original, newIds } = promised;
  const base = decode(promised.base, undefined, 'base', fail);
  const rest = decode(promised.rest, base, 'rest', fail);
  checkPermutation(original, newIds, base.count, rest.count, fail);
  checkTypes(original, newIds, base, rest, fail);
  checkFull(promised.full, base, rest, fail);
  checkAgain(base, newIds, promised.roots, fail);
}

type Fail = (detail: string) => never;

function decode(bytes: Uint8Array, base: Btf | undefined, what: string, fail: Fail): Btf {
  try {
    return Btf.decode(bytes, base);
  } catch (error) {
    if (error instanceof CodedError) fail(`the ${what} does not decode: ${error.message}`);
    throw error;
  }
}

function checkPermutation(original: Btf, newIds: Uint32Array, baseCount: number, restCount: number, fail: Fail): void {
  if (newIds.length !== original.count + 1)
    fail(`the permutation has ${newIds.length - 1} ids, the input ${original.count}`);
  if (baseCount + restCount !== original.count)
    fail(`${baseCount} + ${restCount} types were made of ${original.count}`);
  // Both sides count up by one, so each new id is met exactly once.
  let base = 0;
  let rest = baseCount;
  for (let id = 1; id <= original.count; id++) {
    const expected = newIds[id] <= baseCount ? ++base : ++rest;
    if (newIds[id] !== expected) fail(`type ${id} became ${newIds[id]} where ${expected} was due`);
  }
  if (newIds[0] !== 0 || base !== baseCount) fail('the permutation does not cover the base');
}

function checkTypes(original: Btf, newIds: Uint32Array, base: Btf, rest: Btf, fail: Fail): void {
  const { words, roles, starts } = original;
  const namedAlike = nameComparer(original, rest);
  let baseAt = 0;
  let restAt = 0;
  for (let id = 1; id <= original.count; id++) {
    const start = starts[id - 1];
    const end = starts[id];
    const inBase = newIds[id] <= base.count;
    const to = inBase ? base.words : rest.words;
    const shift = (inBase ? baseAt : restAt) - start;
    const copy = newIds[id];
    const length = inBase ? base.recordBytes(copy) : rest.recordBytes(copy);
    if (length !== (end - start) * 4) fail(`type ${id} has ${(end - start) * 4} bytes, as ${copy} it has ${length}`);
    for (let i = start; i < end; i++) {
      const was = words[i];
      const is = to[i + shift];
      const role = roles[i];
      if (role === ROLE_TYPE ? newIds[was] === is : role === ROLE_STRING ? namedAlike(was, is) : was === is) continue;
      fail(`type ${id} differs from its copy ${copy} at word ${i - start}`);
    }
    if (inBase) baseAt = end + shift;
    else restAt = end + shift;
  }
}

/** Compares a name of the original with one of the split; each pair of offsets is compared byte by byte once. */
function nameComparer(original: Btf, rest: Btf): (was: number, is: number) => boolean {
  const known = new Uint32Array(original.strings.length);
  const strings = original.strings;
  return (was, is) => {
    if (known[was] === is + 1) return true;
    const side = is < rest.stringBase && rest.base !== undefined ? rest.base : rest;
    const from = is - side.stringBase;
    let i = 0;
    while (strings[was + i] !== 0 && strings[was + i] === side.strings[from + i]) i++;
    if (strings[was + i] !== side.strings[from + i]) return false;
    known[was] = is + 1;
    return true;
  };
}

/** The strings of the rest follow those of the base without padding, so its own offsets shift by the padding. */
function checkFull(bytes: Uint8Array, base: Btf, rest: Btf, fail: Fail): void {
  const full = decode(bytes, undefined, 'full', fail);
  if (full.count !== base.count + rest.count) fail(`full has ${full.count} types`);
  const baseStrings = full.strings.length - rest.strings.length;
  const padding = base.strings.length - baseStrings;
  const split = base.words.length;
  if (padding < 0 || full.words.length !== split + rest.words.length) fail('full is not as long as base and rest');
  for (let i = 0; i < split; i++) if (full.words[i] !== base.words[i]) fail(`full differs from the base at word ${i}`);
  for (let i = 0; i < rest.words.length; i++) {
    const word = rest.words[i];
    const shifted = rest.roles[i] === ROLE_STRING && word >= rest.stringBase ? word - padding : word;
    if (full.words[split + i] !== shifted) fail(`full differs from the rest at word ${i}`);
  }
  if (
    !startsWith(full.strings, base.strings.subarray(0, baseStrings), 0) ||
    !startsWith(full.strings, rest.strings, baseStrings)
  )
    fail('full has other strings');
  if (base.strings.subarray(baseStrings).some(byte => byte !== 0)) fail('the padding of the base is not all NUL');
}

function startsWith(strings: Uint8Array, part: Uint8Array, at: number): boolean {
  return Buffer.compare(strings.subarray(at, at + part.length), part) === 0;
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
