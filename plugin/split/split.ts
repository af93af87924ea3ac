import type { Btf } from '../btf/btf.js';
import type { NameIndex } from '../btf/names.js';
import type { Root } from '../roots/root.js';
import { type Closure, closeOver } from './closure.js';
import { Companions } from './companions.js';
import { type Partition, partition, permute } from './partition.js';
import { prove } from './prove.js';

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
  const closure = closeOver(btf, new Companions(btf, names), roots);
  const newIds = permute(closure);
  const parts = partition(btf, closure, newIds, paddedTo);
  prove(
    { original: btf, base: parts.paddedBase, rest: parts.rest, full: parts.full, newIds, roots: closure.roots },
    'invariant',
  );
  return { ...parts, closure, newIds };
}
