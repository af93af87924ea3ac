import test from 'ava';
import fc from 'fast-check';
import { Btf } from '../../plugin/btf/btf.js';
import { NameIndex } from '../../plugin/btf/names.js';
import { type Closure, chainTo, closeOver } from '../../plugin/split/closure.js';
import { Companions } from '../../plugin/split/companions.js';
import { type KernelCase, kernelCase } from '../support/arbitrary-kernel-btf.js';
import { type NaiveBtf, naiveParse } from '../support/naive-btf.js';
import { distances, edges } from '../support/naive-closure.js';

interface Closed {
  readonly closure: Closure;
  readonly original: NaiveBtf;
  readonly edges: readonly ReadonlySet<number>[];
}

function closed({ bytes, roots }: KernelCase): Closed {
  const btf = Btf.decode(bytes);
  const closure = closeOver(btf, new Companions(btf, new NameIndex(btf)), roots);
  const original = naiveParse(bytes);
  return { closure, original, edges: edges(original) };
}

const needed = ({ closure }: Closed): number[] => [...closure.nearest.keys()].filter(id => closure.nearest[id] !== 0);

test('every chain starts at a root, and each step is a reference or leads to a companion', t => {
  fc.assert(
    fc.property(kernelCase, input => {
      const made = closed(input);
      return needed(made).every(id => {
        const chain = chainTo(made.closure, id);
        const root = made.closure.roots[made.closure.nearest[id] - 1];
        const steps = chain.slice(1).every((to, i) => made.edges[chain[i]].has(to));
        return steps && chain[0] === root.id && chain.at(-1) === id;
      });
    }),
    { numRuns: 400 },
  );
  t.pass();
});

test('every chain is a shortest one, from the nearest root, from the first of several', t => {
  fc.assert(
    fc.property(kernelCase, input => {
      const made = closed(input);
      const steps = input.roots.map(root => distances(made.edges, [root.id]));
      return needed(made).every(id => {
        const shortest = Math.min(...steps.map(from => from[id]));
        const length = chainTo(made.closure, id).length - 1;
        // A DECL_TAG that no root reaches is a root of its own.
        if (shortest === Number.POSITIVE_INFINITY) return length === 0;
        return length === shortest && made.closure.nearest[id] - 1 === steps.findIndex(from => from[id] === shortest);
      });
    }),
    { numRuns: 400 },
  );
  t.pass();
});

test('the roots are kept in their order; what is added is one root a DECL_TAG, with the reason tag', t => {
  fc.assert(
    fc.property(kernelCase, input => {
      const { closure } = closed(input);
      const added = closure.roots.slice(input.roots.length);
      return (
        input.roots.every((root, i) => closure.roots[i] === root) &&
        added.every((root, i) => root.reason === 'tag' && (i === 0 || added[i - 1].id < root.id))
      );
    }),
    { numRuns: 200 },
  );
  t.pass();
});

test('counts of types and words are those of what is needed', t => {
  fc.assert(
    fc.property(kernelCase, input => {
      const made = closed(input);
      const btf = Btf.decode(input.bytes);
      const ids = needed(made);
      const words = ids.reduce((sum, id) => sum + btf.recordBytes(id) / 4, 0);
      return made.closure.types === ids.length && made.closure.words === words;
    }),
    { numRuns: 200 },
  );
  t.pass();
});

test('a type that nothing needs has no chain', t => {
  fc.assert(
    fc.property(kernelCase, input => {
      const { closure, original } = closed(input);
      return original.types.every((_, i) => (closure.nearest[i + 1] === 0) === (chainTo(closure, i + 1).length === 0));
    }),
    { numRuns: 100 },
  );
  t.pass();
});
