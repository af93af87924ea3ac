import type { Btf } from '../btf/btf.js';

/**
 * The longest runs of neighbouring types on one side, in order of id. Item i is the word of the type section at which
 * run i ends and run i + 1 starts; even runs are of the base (the first is empty when the first type is not), odd ones of
 * the rest. Neighbours stay neighbours, so what copies or compares all types works on runs, of both sides in one pass:
 * a loop that meets the second side late is compiled twice.
 *
 * `newIds`: new id of each old id; a type is in the base when its new id is at most `baseCount`.
 */
export function sideRuns(btf: Btf, newIds: Uint32Array, baseCount: number): Uint32Array {
  const { starts, count } = btf;
  const ends = new Uint32Array(count + 1);
  let length = 0;
  let side = 0; // 0: a run of the base goes on, 1: one of the rest
  for (let id = 1; id <= count; id++) {
    const next = newIds[id] <= baseCount ? 0 : 1;
    if (next !== side) ends[length++] = starts[id - 1];
    side = next;
  }
  ends[length++] = starts[count];
  return ends.subarray(0, length);
}
