import type { Btf } from '../btf/btf.js';
import { infoKind, KIND_SHAPES, kindName, ROLE_STRING } from '../btf/kinds.js';
import { CodedError } from '../errors.js';
import { REASONS } from '../roots/root.js';
import type { Closure } from '../split/closure.js';
import type { Partition, PartSize } from '../split/partition.js';
import type { Split } from '../split/split.js';
import type { KindRow, ReasonRow, Report, TypeRow } from './model.js';

const LARGEST = 20;

/** What a report has of a split itself, whatever it is measured with. */
export interface SplitFigures
  extends Pick<Report, 'closure' | 'forward' | 'padding' | 'kinds' | 'reasons' | 'largest' | 'proved'> {
  readonly full: PartSize;
  readonly base: PartSize;
  readonly rest: PartSize;
}

export function figuresOf(split: Split): SplitFigures {
  const { btf, closure, sizes, added } = split;
  return {
    closure: split.reach,
    ...(added === undefined ? {} : { forward: added }),
    ...sizes,
    padding: split.padding,
    kinds: measureKinds(btf, closure),
    reasons: attribute(btf, closure, sizes),
    largest: largestTypes(btf, closure).map(row => ({ ...row, id: split.origin?.[row.id] ?? row.id })),
    proved: split.proved,
  };
}

/** Types of the input of a split: `forward` adds some. */
export function inputTypes({ full, forward }: Pick<SplitFigures, 'full' | 'forward'>): number {
  return full.types - (forward === undefined ? 0 : forward.forwards + forward.copies);
}

/** Types and record bytes by kind, of all kinds that occur. Strings are not counted here: kinds share them. */
export function measureKinds(btf: Btf, closure: Closure): KindRow[] {
  const { words, starts, count } = btf;
  const { nearest } = closure;
  const full = new KindTotals();
  const base = new KindTotals();
  for (let i = 0; i < count; i++) {
    const start = starts[i];
    const kind = infoKind(words[start + 1]);
    const length = starts[i + 1] - start;
    full.types[kind]++;
    full.words[kind] += length;
    if (nearest[i + 1] === 0) continue;
    base.types[kind]++;
    base.words[kind] += length;
  }
  return KIND_SHAPES.map((_, kind) => ({
    kind: kindName(kind),
    full: full.of(kind),
    base: base.of(kind),
    rest: full.without(base, kind),
  }))
    .filter(row => row.full.types > 0)
    .sort((a, b) => b.full.bytes - a.full.bytes);
}

/** Types and words of their records, by kind. */
class KindTotals {
  readonly types = new Uint32Array(KIND_SHAPES.length);
  readonly words = new Uint32Array(KIND_SHAPES.length);

  of(kind: number): KindRow['full'] {
    return { types: this.types[kind], bytes: this.words[kind] * 4 };
  }

  without(part: KindTotals, kind: number): KindRow['full'] {
    return { types: this.types[kind] - part.types[kind], bytes: (this.words[kind] - part.words[kind]) * 4 };
  }
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
  const { words, roles, starts, strings } = btf;
  const { nearest, ids } = closure;
  for (let nth = 0; nth < ids.length; nth++) {
    const id = ids[nth];
    const row = rows[reasonOfRoot[nearest[id] - 1]];
    const end = starts[id];
    row.types++;
    row.typeBytes += (end - starts[id - 1]) * 4;
    for (let i = starts[id - 1]; i < end; i++)
      if (roles[i] === ROLE_STRING && counted[words[i]] === 0)
        row.stringBytes += countString(strings, words[i], counted);
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

/**
 * Bytes of each type, by id: its record, and the stored strings that it is the first to name. Types of the base come first, in the
 * order of their closure, as {@link attribute} counts them. `unnamed`: bytes of stored strings that no type names. All of them, the
 * header and the empty name are the full BTF.
 */
export function ownBytes(btf: Btf, closure: Closure): { bytes: Uint32Array; unnamed: number } {
  const { words, roles, starts, strings, count } = btf;
  const counted = new Uint8Array(strings.length);
  counted[0] = 1;
  const bytes = new Uint32Array(count + 1);
  const take = (id: number): void => {
    let sum = (starts[id] - starts[id - 1]) * 4;
    for (let i = starts[id - 1]; i < starts[id]; i++)
      if (roles[i] === ROLE_STRING && counted[words[i]] === 0) sum += countString(strings, words[i], counted);
    bytes[id] = sum;
  };
  for (const id of closure.ids) take(id);
  for (let id = 1; id <= count; id++) if (closure.nearest[id] === 0) take(id);
  let unnamed = 0;
  for (let at = strings.indexOf(0, btf.lastString); at >= 0; at--) if (counted[at] === 0) unnamed++;
  return { bytes, unnamed };
}

/** Bytes of the stored string that holds a name and that were not counted before; names may share their ends. */
function countString(strings: Uint8Array, offset: number, counted: Uint8Array): number {
  let start = offset;
  while (strings[start - 1] !== 0 && counted[start - 1] === 0) start--;
  const end = strings.indexOf(0, offset) + 1;
  counted.fill(1, start, end);
  return end - start;
}

/** The types with the largest records, largest first; equal ones by id. */
export function largestTypes(btf: Btf, closure: Closure): TypeRow[] {
  const { starts, count } = btf;
  const top: { id: number; bytes: number }[] = [];
  let threshold = 0;
  for (let id = 1; id <= count; id++) {
    const bytes = (starts[id] - starts[id - 1]) * 4;
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
