import type { Btf } from '../btf/btf.js';
import { infoKind, KIND_MAX, KIND_SHAPES, kindName, ROLE_STRING } from '../btf/kinds.js';
import { lengthOf } from '../btf/names.js';
import { CodedError } from '../errors.js';
import { REASONS } from '../roots/root.js';
import type { Closure } from '../split/closure.js';
import type { Partition } from '../split/partition.js';
import type { Count, KindRow, ReasonRow, TypeRow } from './model.js';

const LARGEST = 20;

/** Types and record bytes by kind, of all kinds that occur. Strings are not counted here: kinds share them. */
export function measureKinds(btf: Btf, closure: Closure): KindRow[] {
  const counts = Array.from({ length: 2 }, () => ({
    types: new Uint32Array(KIND_MAX + 1),
    bytes: new Uint32Array(KIND_MAX + 1),
  }));
  for (let id = 1; id <= btf.count; id++) {
    const side = counts[closure.nearest[id] !== 0 ? 0 : 1];
    const start = btf.starts[id - 1];
    const kind = infoKind(btf.words[start + 1]);
    side.types[kind]++;
    side.bytes[kind] += (btf.starts[id] - start) * 4;
  }
  const [base, rest] = counts;
  const count = (side: typeof base, kind: number): Count => ({ types: side.types[kind], bytes: side.bytes[kind] });
  return KIND_SHAPES.map((_, kind) => kind)
    .filter(kind => base.types[kind] + rest.types[kind] > 0)
    .map(kind => ({
      kind: kindName(kind),
      full: { types: base.types[kind] + rest.types[kind], bytes: base.bytes[kind] + rest.bytes[kind] },
      base: count(base, kind),
      rest: count(rest, kind),
    }))
    .sort((a, b) => b.full.bytes - a.full.bytes);
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
    row.typeBytes += (end - btf.starts[id - 1]) * 4;
    for (let i = btf.starts[id - 1]; i < end; i++) {
      const word = btf.words[i];
      if (btf.roles[i] !== ROLE_STRING || counted[word] !== 0) continue;
      counted[word] = 1;
      row.stringBytes += lengthOf(btf.strings, word) + 1;
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

/** The types with the largest records, largest first; equal ones by id. */
export function largestTypes(btf: Btf, closure: Closure): TypeRow[] {
  const top: { id: number; bytes: number }[] = [];
  for (let id = 1; id <= btf.count; id++) {
    const bytes = (btf.starts[id] - btf.starts[id - 1]) * 4;
    if (top.length === LARGEST && bytes <= top[LARGEST - 1].bytes) continue;
    let at = top.length;
    while (at > 0 && top[at - 1].bytes < bytes) at--;
    top.splice(at, 0, { id, bytes });
    top.length = Math.min(top.length, LARGEST);
  }
  return top.map(({ id, bytes }) => ({
    id,
    kind: kindName(btf.kind(id)),
    name: btf.name(id),
    bytes,
    side: closure.nearest[id] !== 0 ? 'base' : 'rest',
  }));
}
