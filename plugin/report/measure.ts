import type { Btf } from '../btf/btf.js';
import { KIND_SHAPES, kindName, ROLE_STRING } from '../btf/kinds.js';
import { CodedError } from '../errors.js';
import { REASONS } from '../roots/root.js';
import type { Closure } from '../split/closure.js';
import type { Partition } from '../split/partition.js';
import type { KindRow, ReasonRow, TypeRow } from './model.js';

const LARGEST = 20;

/** Types and record bytes by kind, of all kinds that occur. Strings are not counted here: kinds share them. */
export function measureKinds(btf: Btf, closure: Closure): KindRow[] {
  return KIND_SHAPES.map((_, kind) => measureKind(btf, closure, kind))
    .filter(row => row.full.types > 0)
    .sort((a, b) => b.full.bytes - a.full.bytes);
}

function measureKind(btf: Btf, closure: Closure, kind: number): KindRow {
  const ids = btf.ofKind(kind);
  const base = { types: 0, bytes: 0 };
  const full = { types: ids.length, bytes: 0 };
  for (let i = 0; i < ids.length; i++) {
    const id = ids[i];
    const bytes = btf.recordBytes(id);
    full.bytes += bytes;
    if (closure.nearest[id] === 0) continue;
    base.types++;
    base.bytes += bytes;
  }
  return { kind: kindName(kind), full, base, rest: { types: full.types - base.types, bytes: full.bytes - base.bytes } };
}

/**
 * Every byte of the full BTF, once. A type of the base counts for its nearest root's reason, a string for the first type
 * of the base that names it; what is left is the rest. Throws `invariant` when the parts do not add up.
 */
export function attribute(btf: Btf, closure: Closure, sizes: Partition['sizes']): ReasonRow[] {
  const rows = REASONS.map(reason => ({ reason, roots: 0, types: 0, typeBytes: 0, stringBytes: 0, bytes: 0 }));
  for (const root of closure.roots) rows[REASONS.indexOf(root.reason)].roots++;
  const reasonOfRoot = closure.roots.map(root => REASONS.indexOf(root.reason));
  const counted = new Uint8Array(btf.strings.length);
  counted[0] = 1;
  for (let id = 1; id <= btf.count; id++) {
    if (closure.nearest[id] === 0) continue;
    const row = rows[reasonOfRoot[closure.nearest[id] - 1]];
    const end = btf.starts[id];
    row.types++;
    row.typeBytes += btf.recordBytes(id);
    for (let i = btf.starts[id - 1]; i < end; i++) {
      const word = btf.words[i];
      if (btf.roles[i] === ROLE_STRING && counted[word] === 0)
        row.stringBytes += countString(btf.strings, word, counted);
    }
  }
  const { rest, full, base } = sizes;
  const all: ReasonRow[] = rows
    .map(row => ({ ...row, bytes: row.typeBytes + row.stringBytes }))
    .filter(row => row.roots > 0 || row.types > 0)
    .sort((a, b) => b.bytes - a.bytes);
  const restBytes = rest.typeBytes + rest.stringBytes;
  all.push({
    reason: 'rest',
    roots: 0,
    types: rest.types,
    typeBytes: rest.typeBytes,
    stringBytes: rest.stringBytes,
    bytes: restBytes,
  });
  // The empty name at offset 0 belongs to the format, as the header does.
  all.push({ reason: 'header', roots: 0, types: 0, typeBytes: 0, stringBytes: 1, bytes: full.headerBytes + 1 });
  const sum = all.reduce((total, row) => total + row.bytes, 0);
  if (sum !== full.bytes || sum - restBytes !== base.bytes)
    throw new CodedError('invariant', `${sum} of ${full.bytes} bytes are attributed`);
  return all;
}

/** Bytes of the stored string that holds a name and that were not counted before; names may share their ends. */
function countString(strings: Uint8Array, offset: number, counted: Uint8Array): number {
  let start = offset;
  while (strings[start - 1] !== 0 && counted[start - 1] === 0) start--;
  let end = offset;
  while (strings[end] !== 0) end++;
  counted.fill(1, start, end + 1);
  return end + 1 - start;
}

/** The types with the largest records, largest first; equal ones by id. */
export function largestTypes(btf: Btf, closure: Closure): TypeRow[] {
  const top: { id: number; bytes: number }[] = [];
  let threshold = 0;
  for (let id = 1; id <= btf.count; id++) {
    const bytes = btf.recordBytes(id);
    if (bytes > threshold) threshold = insertLargest(top, id, bytes);
  }
  return top.map(({ id, bytes }) => ({
    id,
    kind: kindName(btf.kind(id)),
    name: btf.name(id),
    bytes,
    side: closure.nearest[id] !== 0 ? 'base' : 'rest',
  }));
}

/** Puts a type in its place among the largest; returns how many bytes a later one must exceed to be one of them. */
function insertLargest(top: { id: number; bytes: number }[], id: number, bytes: number): number {
  let at = top.length;
  while (at > 0 && top[at - 1].bytes < bytes) at--;
  top.splice(at, 0, { id, bytes });
  if (top.length < LARGEST) return 0;
  top.length = LARGEST;
  return top[LARGEST - 1].bytes;
}
