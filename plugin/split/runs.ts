import type { Btf } from '../btf/btf.js';

/**
 * The longest runs of neighbouring types on one side, in order of id, as pairs of words of the type section: the start of
 * the run and its end. Neighbours stay neighbours, so what copies or compares a whole side works on runs.
 */
export interface SideRuns {
  readonly base: Uint32Array;
  readonly rest: Uint32Array;
}

/** `newIds`: new id of each old id; a type is in the base when its new id is at most `baseCount`. */
export function sideRuns(btf: Btf, newIds: Uint32Array, baseCount: number): SideRuns {
  const { starts, count } = btf;
  const bounds = new Uint32Array(count + 2);
  let length = 0;
  let side = 0; // 0: a run of the base goes on, 1: one of the rest
  for (let id = 1; id <= count; id++) {
    const next = newIds[id] <= baseCount ? 0 : 1;
    if (next === side) continue;
    bounds[length++] = starts[id - 1];
    side = next;
  }
  bounds[length++] = starts[count];
  // bounds: where the base's first run ends (0 when the first type is of the rest), then where each next run ends.
  const base = new Uint32Array(length + (length & 1));
  const rest = new Uint32Array(length - (length & 1));
  for (let i = 0; i < length; i++) {
    const side = i & 1 ? rest : base;
    const at = i & 1 ? i - 1 : i;
    side[at] = i === 0 ? 0 : bounds[i - 1];
    side[at + 1] = bounds[i];
  }
  return { base, rest };
}
