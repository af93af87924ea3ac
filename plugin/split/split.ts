import { Btf } from '../btf/btf.js';
import { NameIndex } from '../btf/names.js';
import { CodedError, type ErrorCode } from '../errors.js';
import type { Root } from '../roots/root.js';
import { type Closure, closeOver } from './closure.js';
import { Companions } from './companions.js';
import { type Expansion, expandForward } from './forward.js';
import { type InBase, wholeInBase } from './levels.js';
import { type Partition, partition, permute } from './partition.js';
import { type Decoded, INVARIANTS, prove } from './prove.js';
import { FORWARD_INVARIANTS, proveForward } from './prove-forward.js';

/**
 * How far a root reaches: `complete` takes whatever it refers to; `forward` leaves a struct that is only pointed to as a
 * FWD, but for those that the kernel looks into (pointeesThatStay).
 */
export type Reach = 'complete' | 'forward';

/** FWDs that stand for structs and unions of the rest, types that stand in base and rest, and the bytes of their records. */
export interface Added {
  readonly forwards: number;
  readonly copies: number;
  readonly bytes: number;
}

/** A split that has been proved. */
export interface Split extends Partition {
  readonly reach: Reach;
  /** What was split: the input, or for `forward` its expansion. Ids of `closure` and `newIds` are of it. */
  readonly btf: Btf;
  readonly closure: Closure;
  /** New id of each id of `btf`. */
  readonly newIds: Uint32Array;
  /** New id of the definition of each id of the input; `newIds` for `complete`. */
  readonly idOf: Uint32Array;
  /** Makes what the base has of each type of the input. */
  readonly inBase: () => InBase;
  /** Id in the input of each id of `btf`; undefined where they are the same. */
  readonly origin: Uint32Array | undefined;
  /** The roots that were taken, with ids of the input, `tag` roots last. */
  readonly roots: readonly Root[];
  /** What `forward` adds; undefined for `complete`. */
  readonly added: Added | undefined;
  /** What was proved, in words. */
  readonly proved: readonly string[];
  readonly companions: Companions;
  /** The padded base and the rest, as they were decoded from the bytes that are about to be written. */
  readonly decoded: Decoded;
}

/**
 * Splits a BTF and proves every invariant on the bytes that come out. `paddedTo`: bytes that the base must fill, or
 * undefined. Throws `invariant`.
 */
export function splitBtf(
  btf: Btf,
  names: NameIndex,
  roots: readonly Root[],
  paddedTo?: number,
  reach: Reach = 'complete',
): Split {
  if (reach === 'complete') {
    const made = divide(btf, names, roots, paddedTo);
    return {
      ...made,
      reach,
      idOf: made.newIds,
      inBase: () => wholeInBase(upTo(made.newIds, made.closure.types)),
      origin: undefined,
      roots: made.closure.roots,
      added: undefined,
    };
  }
  const expansion = expandForward(btf, names, roots);
  const expanded = Btf.decode(expansion.bytes);
  const made = divide(expanded, new NameIndex(expanded), expandedRoots(roots, expansion), paddedTo);
  const { definition, origin, forwards, copies } = expansion;
  const idOf = definition.map(id => made.newIds[id]);
  proveForward(btf, expanded, expansion, made.newIds, made.closure.types, 'invariant');
  return {
    ...made,
    reach,
    idOf,
    inBase: () => inBaseOf(expansion, made.newIds),
    origin,
    roots: made.closure.roots.map(root => ({ ...root, id: origin[root.id] })),
    added: { forwards, copies, bytes: (expanded.words.length - btf.words.length) * 4 },
    proved: [...made.proved, ...FORWARD_INVARIANTS],
  };
}

/** What a split on disk is proved with. */
export interface Written {
  /** `.BTF` of the image, padding included. */
  readonly base: Uint8Array;
  readonly rest: Uint8Array;
  readonly full: Uint8Array;
  /** New id of the definition of each id of the input. */
  readonly idOf: Uint32Array;
  readonly roots: readonly Root[];
}

/** Proves the bytes of a split that was written before against its input; `proved`: what, in words. Throws `code`. */
export function proveWritten(
  btf: Btf,
  reach: Reach,
  written: Written,
  code: ErrorCode,
): Pick<Split, 'proved' | 'inBase' | 'btf' | 'newIds'> & { readonly base: Btf } {
  const { idOf, roots } = written;
  if (reach === 'complete') {
    const { base } = prove({ ...written, original: btf, newIds: idOf }, code);
    return { proved: INVARIANTS, inBase: () => wholeInBase(upTo(idOf, base.count)), btf, newIds: idOf, base };
  }
  const { expansion, expanded, closure } = closeForward(btf, new NameIndex(btf), roots);
  const newIds = permute(closure);
  if (idOf.length !== btf.count + 1 || !idOf.every((id, old) => id === newIds[expansion.definition[old]]))
    throw new CodedError(code, 'the permutation is not the one of closure forward');
  const { base } = prove({ ...written, original: expanded, newIds, roots: closure.roots }, code);
  proveForward(btf, expanded, expansion, newIds, closure.types, code);
  return {
    proved: [...INVARIANTS, ...FORWARD_INVARIANTS],
    inBase: () => inBaseOf(expansion, newIds),
    btf: expanded,
    newIds,
    base,
  };
}

const inBaseOf = ({ inBase, levels }: Expansion, newIds: Uint32Array): InBase => ({
  ids: inBase.map(id => newIds[id]),
  levels,
});

const upTo = (ids: Uint32Array, most: number): Uint32Array => ids.map(id => (id <= most ? id : 0));

/** Closure `forward`: what `complete` reaches in the expanded BTF. */
export function closeForward(
  btf: Btf,
  names: NameIndex,
  roots: readonly Root[],
): { readonly expansion: Expansion; readonly expanded: Btf; readonly closure: Closure } {
  const expansion = expandForward(btf, names, roots);
  const expanded = Btf.decode(expansion.bytes);
  const companions = new Companions(expanded, new NameIndex(expanded));
  return { expansion, expanded, closure: closeOver(expanded, companions, expandedRoots(roots, expansion)) };
}

const expandedRoots = (roots: readonly Root[], { definition }: Expansion): Root[] =>
  roots.map(root => ({ ...root, id: definition[root.id] }));

function divide(btf: Btf, names: NameIndex, roots: readonly Root[], paddedTo: number | undefined) {
  const companions = Companions.of(btf, names);
  const closure = closeOver(btf, companions, roots);
  const newIds = permute(closure);
  const parts = partition(btf, closure, newIds, paddedTo);
  const decoded = prove(
    { original: btf, base: parts.paddedBase, rest: parts.rest, full: parts.full, newIds, roots: closure.roots },
    'invariant',
  );
  proveMonotone(btf, companions, roots, closure);
  const proved = [...INVARIANTS, 'half of the roots need no type that all of them do not'];
  return { ...parts, btf, closure, companions, newIds, decoded, proved };
}

/** More roots never make a smaller base: half of them need nothing that all of them do not. Throws `invariant`. */
function proveMonotone(btf: Btf, companions: Companions, roots: readonly Root[], all: Closure): void {
  const half = closeOver(btf, companions, roots.slice(0, roots.length >> 1));
  for (const id of half.order)
    if (all.nearest[id] === 0)
      throw new CodedError('invariant', `half of the roots need type ${id}, all of them do not`);
}
