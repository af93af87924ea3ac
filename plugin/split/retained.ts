import type { Root } from '../roots/root.js';
import { dominatorTree, type Graph } from './dominators.js';
import type { NeedGraph } from './need-graph.js';

/** What would leave the base. */
export interface Amount {
  readonly types: number;
  /** Records and names. */
  readonly bytes: number;
}

export interface Retained {
  /** What the base has, without its header and the empty name. */
  readonly all: Amount;
  /** By group, in their order. */
  readonly amounts: readonly Amount[];
  /** By type id, 1 + place of the group that it would leave with; 0 for a type that two groups hold, or none. */
  readonly leaving: Uint32Array;
}

/**
 * What would leave the base without each group of roots: dominators tell it for all of them in one pass, where closing again takes
 * one a group. A type that roots of two groups name stays with either. `types`: of the BTF.
 * `onLeaving` is told each need that would leave with a group. Linear in what the roots need.
 */
export function retainedBy(
  needs: NeedGraph,
  types: number,
  groups: readonly (readonly Root[])[],
  onLeaving?: (group: number, need: number) => void,
): Retained {
  const first = groups.length + 1;
  const { graph, met } = graphOf(needs, groups);
  const { dominator, order } = dominatorTree(graph);
  const amounts = Array.from({ length: first }, () => ({ types: 0, bytes: 0 }));
  /** By node of the graph, the group that it would leave with; 0 for one that two groups hold. */
  const group = new Uint32Array(graph.count);
  const leaving = new Uint32Array(types + 1);
  for (const node of order.subarray(1)) {
    group[node] = node < first ? node : group[dominator[node]];
    if (node < first) continue;
    const need = met[node - first];
    const id = needs.typeOf(need);
    leaving[id] = group[node];
    if (group[node] !== 0) onLeaving?.(group[node] - 1, need);
    for (const to of group[node] === 0 ? [0] : [0, group[node]]) {
      if (id !== 0) amounts[to].types++;
      amounts[to].bytes += needs.bytes(need);
    }
  }
  leaving[0] = 0;
  return { all: amounts[0], amounts: amounts.slice(1), leaving };
}

/** What each group of roots would keep alone. Linear in that, for each group. */
export function reachedFrom(needs: NeedGraph, groups: readonly (readonly Root[])[]): Amount[] {
  /** By need, 1 + the group that met it last. */
  const met = new Uint32Array(needs.most);
  return groups.map((roots, nth) => {
    const open: number[] = [];
    const add = (need: number): void => {
      if (met[need] === nth + 1) return;
      met[need] = nth + 1;
      open.push(need);
    };
    needs.ofRoots(roots, add);
    let types = 0;
    let bytes = 0;
    for (let done = 0; done < open.length; done++) {
      if (needs.typeOf(open[done]) !== 0) types++;
      bytes += needs.bytes(open[done]);
      needs.follow(open[done], add);
    }
    return { types, bytes };
  });
}

/** The graph of what groups of roots need: the entry, the groups, then each need in the order in which it is met. */
function graphOf(needs: NeedGraph, groups: readonly (readonly Root[])[]): { graph: Graph; met: readonly number[] } {
  const first = groups.length + 1;
  const nodeOf = new Uint32Array(needs.most);
  const met: number[] = [];
  const firsts = [0];
  const targets = groups.map((_, nth) => nth + 1);
  const add = (need: number): void => {
    if (nodeOf[need] === 0) nodeOf[need] = first + met.push(need) - 1;
    targets.push(nodeOf[need]);
  };
  for (const roots of groups) {
    firsts.push(targets.length);
    needs.ofRoots(roots, add);
  }
  for (let done = 0; done < met.length; done++) {
    firsts.push(targets.length);
    needs.follow(met[done], add);
  }
  firsts.push(targets.length);
  return {
    graph: { count: first + met.length, firsts: Uint32Array.from(firsts), targets: Uint32Array.from(targets) },
    met,
  };
}
