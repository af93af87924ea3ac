import type { Btf } from '../btf/btf.js';
import type { NameIndex } from '../btf/names.js';
import { CodedError } from '../errors.js';
import type { Root } from '../roots/root.js';
import { type Closure, closeOver } from './closure.js';
import { Companions } from './companions.js';
import { type Partition, partition, permute } from './partition.js';
import { INVARIANTS, prove } from './prove.js';

/** What splitBtf proves: of the bytes that come out, and of the closure. */
export const SPLIT_INVARIANTS = [...INVARIANTS, 'half of the roots need no type that all of them do not'] as const;

/** A split that has been proved. */
export interface Split extends Partition {
  readonly closure: Closure;
  /** New id of each old id. */
  readonly newIds: Uint32Array;
}

/**
 * Splits a BTF and proves every invariant on the bytes that come out. `paddedTo`: bytes that the base must fill, or
 * undefined. Throws `invariant`.
 */
export function splitBtf(btf: Btf, names: NameIndex, roots: readonly Root[], paddedTo?: number): Split {
  const companions = new Companions(btf, names);
  const closure = closeOver(btf, companions, roots);
  const newIds = permute(closure);
  const parts = partition(btf, closure, newIds, paddedTo);
  prove(
    { original: btf, base: parts.paddedBase, rest: parts.rest, full: parts.full, newIds, roots: closure.roots },
    'invariant',
  );
  proveMonotone(btf, companions, roots, closure);
  return { ...parts, closure, newIds };
}

/** More roots never make a smaller base: half of them need nothing that all of them do not. Throws `invariant`. */
function proveMonotone(btf: Btf, companions: Companions, roots: readonly Root[], all: Closure): void {
  const half = closeOver(btf, companions, roots.slice(0, roots.length >> 1));
  for (const id of half.order)
    if (all.nearest[id] === 0)
      throw new CodedError('invariant', `half of the roots need type ${id}, all of them do not`);
}
