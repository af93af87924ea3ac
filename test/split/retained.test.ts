import test from 'ava';
import fc from 'fast-check';
import { Btf } from '../../plugin/btf/btf.js';
import { NameIndex } from '../../plugin/btf/names.js';
import type { Root } from '../../plugin/roots/root.js';
import { Companions } from '../../plugin/split/companions.js';
import { NeedGraph } from '../../plugin/split/need-graph.js';
import { reachedBy } from '../../plugin/split/reached.js';
import { reachedFrom, retainedBy } from '../../plugin/split/retained.js';
import type { Reach } from '../../plugin/split/split.js';
import { kernelCase, pointerCase } from '../support/arbitrary-kernel-btf.js';
import { withKernel } from '../support/kernel-roots.js';
import { WHOLE_KERNELS } from '../support/kernels.js';

const CLOSURES: readonly Reach[] = ['complete', 'forward'];

/** One group for each type that is a root. */
function byType(roots: readonly Root[]): Root[][] {
  const groups = new Map<number, Root[]>();
  for (const root of roots) groups.set(root.id, [...(groups.get(root.id) ?? []), root]);
  return [...groups.values()];
}

/** What leaves when roots are left out and everything is closed again. */
function bruteForce(btf: Btf, roots: readonly Root[], groups: readonly Root[][], reach: Reach) {
  const names = new NameIndex(btf);
  const companions = new Companions(btf, names);
  const all = reachedBy(btf, names, companions, roots, reach);
  const amounts = groups.map(group => {
    const left = new Set(group);
    const without = reachedBy(
      btf,
      names,
      companions,
      roots.filter(root => !left.has(root)),
      reach,
    );
    return { types: all.types - without.types, bytes: all.bytes - without.bytes };
  });
  return { all, amounts };
}

for (const reach of CLOSURES) {
  test(`what a root retains is what leaves when everything is closed again without it: any BTF, ${reach}`, t => {
    fc.assert(
      fc.property(fc.oneof(kernelCase, pointerCase), ({ bytes, roots }) => {
        const btf = Btf.decode(bytes);
        const groups = byType(roots);
        const { all, amounts } = bruteForce(btf, roots, groups, reach);
        const graph = new NeedGraph(btf, new Companions(btf, new NameIndex(btf)), reach);
        const retained = retainedBy(graph, btf.count, groups);
        t.deepEqual(retained.amounts, amounts);
        t.is(retained.all.types, all.types);
        for (const [nth, { types }] of amounts.entries())
          t.is(retained.leaving.filter(group => group === nth + 1).length, types);
      }),
      { numRuns: 300 },
    );
  });

  for (const name of WHOLE_KERNELS)
    test(`the same for a sample of roots, and for each reason, of ${name}, ${reach}`, async t => {
      await withKernel(name, ({ btf }, { roots }) => {
        const companions = new Companions(btf, new NameIndex(btf));
        const graph = new NeedGraph(btf, companions, reach);
        const types = byType(roots);
        const retained = retainedBy(graph, btf.count, types);
        const sample = types.map((_, i) => i).filter(i => i % (reach === 'complete' ? 40 : 160) === 0);
        const { all, amounts } = bruteForce(
          btf,
          roots,
          sample.map(i => types[i]),
          reach,
        );
        t.deepEqual(
          sample.map(i => retained.amounts[i]),
          amounts,
        );
        t.is(retained.all.types, all.types);
        t.is(retained.all.bytes + 24 + 1, all.bytes);
        const reasons = [...new Set(roots.map(({ reason }) => reason))].map(reason =>
          roots.filter(root => root.reason === reason),
        );
        t.deepEqual(retainedBy(graph, btf.count, reasons).amounts, bruteForce(btf, roots, reasons, reach).amounts);
      });
    });
}

test('the same for every root of x86_64-pc, complete', async t => {
  await withKernel('x86_64-pc', ({ btf }, { roots }) => {
    const graph = new NeedGraph(btf, new Companions(btf, new NameIndex(btf)), 'complete');
    const types = byType(roots);
    t.true(types.length > 200);
    t.deepEqual(retainedBy(graph, btf.count, types).amounts, bruteForce(btf, roots, types, 'complete').amounts);
    // What a root keeps alone is what closing over it alone gives, without the header and the empty name.
    const names = new NameIndex(btf);
    const companions = new Companions(btf, names);
    const alone = types.map(group => reachedBy(btf, names, companions, group, 'complete'));
    t.deepEqual(
      reachedFrom(graph, types),
      alone.map(({ types, bytes }) => ({ types, bytes: bytes - 24 - 1 })),
    );
  });
});
