import type { Btf } from '../btf/btf.js';
import { ROLE_TYPE } from '../btf/kinds.js';
import type { Root } from '../roots/root.js';
import type { Companions } from './companions.js';

/** What a set of roots needs. All arrays are indexed by type id, 0 … N. */
export interface Closure {
  /** The roots in the order in which they were taken, `tag` roots last. */
  readonly roots: readonly Root[];
  /** 0: not needed; otherwise 1 + index of the root that is nearest (ties: the earlier root). */
  readonly nearest: Uint32Array;
  /** The type from which this one was first reached, on a shortest way; 0 for a root. */
  readonly parent: Uint32Array;
  /** The needed types in the order in which they were reached. */
  readonly order: Uint32Array;
  /** The same, ascending. */
  readonly ids: Uint32Array;
  /** Number of needed types, and the 32-bit words of their records. */
  readonly types: number;
  readonly words: number;
}

/**
 * Closure `complete`: every type that a root refers to, members and pointees included, with their companions; then the
 * DECL_TAGs of what is needed. One breadth-first pass over the needed types.
 */
export function closeOver(btf: Btf, companions: Companions, roots: readonly Root[]): Closure {
  const nearest = new Uint32Array(btf.count + 1);
  const parent = new Uint32Array(btf.count + 1);
  const queue = new Uint32Array(btf.count + 1);
  let types = 0;
  for (let i = 0; i < roots.length; i++) {
    const { id } = roots[i];
    if (nearest[id] !== 0) continue;
    nearest[id] = i + 1;
    queue[types++] = id;
  }
  types = spread(btf, companions.next, nearest, parent, queue, types);
  const taken = [...roots];
  for (const id of companions.tags) {
    const target = btf.words[btf.starts[id - 1] + 2];
    if (nearest[id] !== 0 || target === 0 || nearest[target] === 0) continue;
    taken.push({ id, reason: 'tag', source: `decl_tag ${btf.name(id)}` });
    nearest[id] = taken.length;
    queue[types++] = id;
  }
  let words = 0;
  for (let i = 0; i < types; i++) words += btf.starts[queue[i]] - btf.starts[queue[i] - 1];
  const order = queue.subarray(0, types);
  return { roots: taken, nearest, parent, order, ids: order.slice().sort(), types, words };
}

/** Follows references and companions from the first `length` types of the queue on; returns its new length. */
function spread(
  btf: Btf,
  companion: Uint32Array,
  nearest: Uint32Array,
  parent: Uint32Array,
  queue: Uint32Array,
  length: number,
): number {
  const { words, roles, starts } = btf;
  /** 1 for a type whose ring was gone round: once is enough for all that are in it. */
  const round = new Uint8Array(btf.count + 1);
  for (let head = 0; head < length; head++) {
    const id = queue[head];
    const root = nearest[id];
    const end = starts[id];
    for (let i = starts[id - 1] + 2; i < end; i++) {
      const other = words[i];
      if (roles[i] !== ROLE_TYPE || other === 0 || nearest[other] !== 0) continue;
      nearest[other] = root;
      parent[other] = id;
      queue[length++] = other;
    }
    if (round[id] === 1) continue;
    for (let other = companion[id]; other !== 0 && other !== id; other = companion[other]) {
      round[other] = 1;
      if (nearest[other] !== 0) continue;
      nearest[other] = root;
      parent[other] = id;
      queue[length++] = other;
    }
  }
  return length;
}

/** The way from a root to `id`, both included; empty when the closure does not need `id`. */
export function chainTo(closure: Closure, id: number): number[] {
  if (closure.nearest[id] === 0) return [];
  const chain = [id];
  for (let at = closure.parent[id]; at !== 0; at = closure.parent[at]) chain.push(at);
  return chain.reverse();
}
