import type { Btf } from '../btf/btf.js';

/** strcmp of the names of two types, both in the numbering of `btf`; unsigned bytes. */
function compareNames(btf: Btf, a: number, b: number): number {
  const [aHolder, bHolder] = [holderOf(btf, a), holderOf(btf, b)];
  const [left, right] = [aHolder.strings, bHolder.strings];
  let i = btf.nameOffset(a) - aHolder.stringBase;
  let j = btf.nameOffset(b) - bHolder.stringBase;
  // A string table ends with a 0.
  while (left[i] !== 0 && left[i] === right[j]) {
    i++;
    j++;
  }
  return left[i] - right[j];
}

/** The BTF, of a split one or its base, whose string table has the name of a type. */
function holderOf(btf: Btf, id: number): Btf {
  const offset = btf.nameOffset(id);
  let holder = btf;
  while (offset < holder.stringBase && holder.base !== undefined) holder = holder.base;
  return holder;
}

/** True when types stand as resolve_btfids sorts them since 7.x: anonymous ones first, then by name (btf_check_sorted). */
export function isSorted(btf: Btf, ids: Uint32Array): boolean {
  for (let i = 1; i < ids.length; i++) if (compareNames(btf, ids[i - 1], ids[i]) > 0) return false;
  return true;
}

/** Two sorted lists of types as one; of equal names those of `first` come first. */
export function mergeByName(btf: Btf, first: Uint32Array, second: Uint32Array): Uint32Array {
  const merged = new Uint32Array(first.length + second.length);
  let i = 0;
  let j = 0;
  for (let to = 0; to < merged.length; to++)
    merged[to] =
      j === second.length || (i < first.length && compareNames(btf, first[i], second[j]) <= 0)
        ? first[i++]
        : second[j++];
  return merged;
}
