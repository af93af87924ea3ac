import type { Btf } from '../btf/btf.js';
import { KIND_SHAPES, kindName } from '../btf/kinds.js';
import { lengthOf } from '../btf/names.js';
import { isNamed, type Joined, kindOf } from './joined.js';
import type { Matching } from './match.js';
import type { BytesRow } from './model.js';

/** The parts of a BTF that are no kind. */
export const STRINGS_PART = 'strings';
export const HEADER_PART = 'header';

interface Row {
  readonly part: string;
  readonly types: { before: number; after: number };
  readonly bytes: { before: number; after: number };
  up: number;
  down: number;
}

const emptyRow = (part: string): Row => ({
  part,
  types: { before: 0, after: 0 },
  bytes: { before: 0, after: 0 },
  up: 0,
  down: 0,
});

function rise(row: Row, by: number): void {
  if (by > 0) row.up += by;
  else row.down -= by;
}

/**
 * Every byte of both BTFs once: records by kind, strings, header. What came and what went is told type by type: a named type by
 * itself, a nameless one by how many of its class there are, a string by whether a type of the other side has it as well.
 */
export function measureBytes(joined: Joined, classes: Uint32Array, matching: Matching, a: Btf, b: Btf): BytesRow[] {
  const kinds = KIND_SHAPES.map((_, kind) => emptyRow(kindName(kind)));
  const bytesOf = (id: number): number => (joined.starts[id + 1] - joined.starts[id]) * 4;
  const rowOf = (id: number): Row => kinds[kindOf(joined, id)];
  // Of each class how many nameless types the second side has more.
  const surplus = new Int32Array(classes.reduce((most, found) => Math.max(most, found), 0) + 1);
  for (const [nth, { first, end }] of joined.sides.entries()) {
    const side = nth === 0 ? 'before' : 'after';
    for (let id = first; id < end; id++) {
      const row = rowOf(id);
      row.types[side]++;
      row.bytes[side] += bytesOf(id);
      if (!isNamed(joined, id)) surplus[classes[id]] += nth === 0 ? -1 : 1;
    }
  }
  for (const [nth, { first, end }] of joined.sides.entries())
    for (let id = first; id < end; id++) {
      const left = surplus[classes[id]];
      if (isNamed(joined, id) || left === 0 || left > 0 !== (nth === 1)) continue;
      surplus[classes[id]] -= Math.sign(left);
      rise(rowOf(id), Math.sign(left) * bytesOf(id));
    }
  for (const id of matching.removed) rise(rowOf(id), -bytesOf(id));
  for (const id of matching.added) rise(rowOf(id), bytesOf(id));
  const [was, is] = matching.different;
  for (const [nth, id] of is.entries()) rise(rowOf(id), bytesOf(id) - bytesOf(was[nth]));
  const parts = kinds.filter(({ types }) => types.before > 0 || types.after > 0);
  parts.sort((x, y) => y.up + y.down - (x.up + x.down) || y.bytes.after - x.bytes.after);
  return [...parts, stringRow(joined, a, b), headerRow(a, b)];
}

/** Strings that both sides use count for nothing; what none uses (padding, or names that share their ends) by how many bytes there are. */
function stringRow(joined: Joined, a: Btf, b: Btf): BytesRow {
  const row = emptyRow(STRINGS_PART);
  row.bytes.before = a.strings.length;
  row.bytes.after = b.strings.length;
  const users = new Uint8Array(joined.strings.length);
  for (const [nth, { stringBase, stringEnd }] of [a, b].entries()) {
    const { nameAt } = joined.sides[nth];
    for (let offset = stringBase; offset < stringEnd; offset++) users[nameAt[offset]] |= 1 << nth;
  }
  for (let name = 1; name < users.length; name++)
    if (users[name] === 1 || users[name] === 2)
      rise(row, (users[name] === 2 ? 1 : -1) * (lengthOf(joined.strings, name) + 1));
  rise(row, b.strings.length - a.strings.length - (row.up - row.down));
  return row;
}

function headerRow(a: Btf, b: Btf): BytesRow {
  const row = emptyRow(HEADER_PART);
  row.bytes.before = a.header.length + a.layout.length;
  row.bytes.after = b.header.length + b.layout.length;
  rise(row, row.bytes.after - row.bytes.before);
  return row;
}
