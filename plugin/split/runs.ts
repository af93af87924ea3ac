import type { Btf } from '../btf/btf.js';

/**
 * The longest runs of neighbouring types on one side, in order of id. Item i is the word of the type section at which
 * run i ends and run i + 1 starts; even runs are of the base (the first is empty when the first type is not), odd ones of
 * the rest. Neighbours stay neighbours, so what copies or compares all types works on runs, of both sides in one pass:
 * a loop that meets the second side late is compiled twice.
 *
 * `ids`: the types of the base, ascending.
 */
export function sideRuns({ starts, count }: Btf, ids: Uint32Array): Uint32Array {
  const ends = new Uint32Array(2 * ids.length + 2);
  let length = 0;
  /** The type behind the last one of a run of the base. */
  let next = 1;
  for (let i = 0; i < ids.length; i++) {
    const id = ids[i];
    if (id !== next) {
      ends[length++] = starts[next - 1];
      ends[length++] = starts[id - 1];
    }
    next = id + 1;
  }
  ends[length++] = starts[next - 1];
  if (next <= count) ends[length++] = starts[count];
  return ends.subarray(0, length);
}
