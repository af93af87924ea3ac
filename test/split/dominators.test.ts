import test from 'ava';
import fc from 'fast-check';
import { dominatorTree, type Graph } from '../../plugin/split/dominators.js';

function graphOf(count: number, edges: readonly (readonly [number, number])[]): Graph {
  const out = Array.from({ length: count }, () => [] as number[]);
  for (const [from, to] of edges) out[from].push(to);
  const firsts = Uint32Array.from({ length: count + 1 }, (_, i) =>
    out.slice(0, i).reduce((sum, targets) => sum + targets.length, 0),
  );
  return { count, firsts, targets: Uint32Array.from(out.flat()) };
}

/** What node 0 reaches, without going through a node. */
function reached({ count, firsts, targets }: Graph, without = -1): Set<number> {
  const found = new Set<number>(without === 0 ? [] : [0]);
  for (const node of found)
    for (let i = firsts[node]; i < firsts[node + 1]; i++) if (targets[i] !== without) found.add(targets[i]);
  return count === 0 ? new Set() : found;
}

/** Every node on the tree's way from a node up to the entry. */
function above(dominator: Uint32Array, node: number): Set<number> {
  const found = new Set<number>();
  for (let at = node; at !== 0; at = dominator[at]) found.add(dominator[at]);
  return found;
}

test('a diamond is dominated by its top, a chain by its links', t => {
  const graph = graphOf(6, [
    [0, 1],
    [1, 2],
    [1, 3],
    [2, 4],
    [3, 4],
    [4, 5],
  ]);
  t.deepEqual([...dominatorTree(graph).dominator], [0, 0, 1, 1, 1, 4]);
});

test('a node is dominated by exactly those without which it cannot be reached', t => {
  const graphs = fc
    .integer({ min: 1, max: 14 })
    .chain(count =>
      fc.array(fc.tuple(fc.nat(count - 1), fc.nat(count - 1)), { maxLength: 30 }).map(edges => graphOf(count, edges)),
    );
  fc.assert(
    fc.property(graphs, graph => {
      const { dominator, order } = dominatorTree(graph);
      const all = reached(graph);
      t.deepEqual([...order].sort(), [...all].sort());
      for (const node of all) {
        if (node === 0) continue;
        const needed = [...all].filter(each => each !== node && !reached(graph, each).has(node));
        t.deepEqual([...above(dominator, node)].sort(), needed.sort());
        t.true(order.indexOf(dominator[node]) < order.indexOf(node));
      }
    }),
    { numRuns: 500 },
  );
});

test('a chain of a million nodes that all lead back takes no recursion and no square', t => {
  const count = 1_000_000;
  const firsts = Uint32Array.from({ length: count + 1 }, (_, i) => Math.min(2 * i, 2 * count - 2));
  const targets = new Uint32Array(2 * count - 2);
  for (let i = 0; i < count - 1; i++) {
    targets[2 * i] = i + 1;
    targets[2 * i + 1] = i >> 1;
  }
  const { dominator } = dominatorTree({ count, firsts, targets });
  t.true(dominator.every((above_, node) => above_ === Math.max(node - 1, 0)));
});
