/** A directed graph of nodes 0 … count - 1: those that node i leads to are `targets[firsts[i]]` to `targets[firsts[i + 1] - 1]`. */
export interface Graph {
  readonly count: number;
  readonly firsts: Uint32Array;
  readonly targets: Uint32Array;
}

export interface DominatorTree {
  /** By node: the last one before it that every way from node 0 goes through. 0 for node 0, and for what cannot be reached. */
  readonly dominator: Uint32Array;
  /** Nodes that can be reached, node 0 first, each after its dominator. */
  readonly order: Uint32Array;
}

/**
 * Dominators of what node 0 leads to, by Lengauer and Tarjan's algorithm with path compression ("A fast algorithm for finding
 * dominators in a flowgraph", 1979): edges × log nodes steps whatever the graph, and no recursion.
 */
export function dominatorTree(graph: Graph): DominatorTree {
  const search = depthFirst(graph);
  const { vertex, number, reached } = search;
  const parent = search.parent;
  const predecessors = incoming(graph, number, reached);
  // From here on nodes are their numbers in depth-first order; 0 is the entry.
  const semi = Uint32Array.from({ length: reached }, (_, i) => i);
  const idom = new Uint32Array(reached);
  const forest = new Forest(reached, semi);
  /** Nodes by semidominator, as chains: the first of each, and what follows. -1 ends one. */
  const bucket = new Int32Array(reached).fill(-1);
  const nextInBucket = new Int32Array(reached).fill(-1);
  for (let node = reached - 1; node > 0; node--) {
    for (let i = predecessors.firsts[node]; i < predecessors.firsts[node + 1]; i++) {
      const candidate = semi[forest.lowest(predecessors.targets[i])];
      if (candidate < semi[node]) semi[node] = candidate;
    }
    nextInBucket[node] = bucket[semi[node]];
    bucket[semi[node]] = node;
    const above = parent[node];
    forest.link(above, node);
    for (let each = bucket[above]; each >= 0; each = nextInBucket[each]) {
      const lowest = forest.lowest(each);
      idom[each] = semi[lowest] < semi[each] ? lowest : above;
    }
    bucket[above] = -1;
  }
  for (let node = 1; node < reached; node++) if (idom[node] !== semi[node]) idom[node] = idom[idom[node]];
  const dominator = new Uint32Array(graph.count);
  for (let node = 1; node < reached; node++) dominator[vertex[node]] = vertex[idom[node]];
  return { dominator, order: vertex.subarray(0, reached) };
}

/** Numbers of the nodes that can be reached, in depth-first order, and the number of the node before each on the way to it. */
function depthFirst({ count, firsts, targets }: Graph) {
  const vertex = new Uint32Array(count);
  const number = new Int32Array(count).fill(-1);
  const parent = new Uint32Array(count);
  const stack = new Uint32Array(count);
  const at = firsts.slice(0, count);
  let reached = 1;
  let depth = 1;
  number[0] = 0;
  while (depth > 0) {
    const node = stack[depth - 1];
    if (at[node] === firsts[node + 1]) {
      depth--;
      continue;
    }
    const target = targets[at[node]++];
    if (number[target] >= 0) continue;
    vertex[reached] = target;
    parent[reached] = number[node];
    number[target] = reached++;
    stack[depth++] = target;
  }
  return { vertex, number, parent, reached };
}

/** The reached graph the other way round, in depth-first numbers. */
function incoming({ count, firsts, targets }: Graph, number: Int32Array, reached: number): Omit<Graph, 'count'> {
  const from = new Uint32Array(reached + 1);
  for (let node = 0; node < count; node++)
    if (number[node] >= 0) for (let i = firsts[node]; i < firsts[node + 1]; i++) from[number[targets[i]] + 1]++;
  for (let i = 0; i < reached; i++) from[i + 1] += from[i];
  const sources = new Uint32Array(from[reached]);
  const filled = from.slice();
  for (let node = 0; node < count; node++)
    if (number[node] >= 0)
      for (let i = firsts[node]; i < firsts[node + 1]; i++) sources[filled[number[targets[i]]]++] = number[node];
  return { firsts: from, targets: sources };
}

/** The forest of nodes that were looked at: tells on the way to a root the node of the lowest semidominator. */
class Forest {
  readonly #semi: Uint32Array;
  /** 0 for a root: the entry is linked below nothing, and nothing that is asked about is the entry. */
  readonly #ancestor: Uint32Array;
  readonly #linked: Uint8Array;
  readonly #label: Uint32Array;
  readonly #path: Uint32Array;

  constructor(count: number, semi: Uint32Array) {
    this.#semi = semi;
    this.#ancestor = new Uint32Array(count);
    this.#linked = new Uint8Array(count);
    this.#label = Uint32Array.from({ length: count }, (_, i) => i);
    this.#path = new Uint32Array(count);
  }

  link(above: number, node: number): void {
    this.#ancestor[node] = above;
    this.#linked[node] = 1;
  }

  /** Of the nodes from `node` up to below the root of its tree, the one of the lowest semidominator; a root is its own. */
  lowest(node: number): number {
    const linked = this.#linked;
    if (linked[node] === 0) return node;
    const ancestor = this.#ancestor;
    const label = this.#label;
    const semi = this.#semi;
    let length = 0;
    for (let at = node; linked[ancestor[at]] === 1; at = ancestor[at]) this.#path[length++] = at;
    // From the top down each takes over what its ancestor knows, and skips it from now on.
    while (length > 0) {
      const at = this.#path[--length];
      const above = ancestor[at];
      if (semi[label[above]] < semi[label[at]]) label[at] = label[above];
      ancestor[at] = ancestor[above];
    }
    return label[node];
  }
}
