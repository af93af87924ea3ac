import test from 'ava';
import fc from 'fast-check';
import { Btf } from '../../plugin/btf/btf.js';
import { NameIndex } from '../../plugin/btf/names.js';
import { Companions } from '../../plugin/split/companions.js';
import { closureCurve } from '../../plugin/split/curve.js';
import { NeedGraph } from '../../plugin/split/need-graph.js';
import { reachedBy } from '../../plugin/split/reached.js';
import { kernelCase, pointerCase } from '../support/arbitrary-kernel-btf.js';
import { BtfBuilder } from '../support/build-btf.js';
import { withKernel } from '../support/kernel-roots.js';
import { WHOLE_KERNELS } from '../support/kernels.js';

/** Of the header and the empty name, which the curve leaves out; the header as `Btf.decode` found it. */
const fixed = ({ header }: Btf): number => header.length + 1;

test('the curve starts at closure forward, ends at complete, and never falls', t => {
  let longest = 0;
  fc.assert(
    fc.property(fc.oneof(kernelCase, pointerCase), ({ bytes, roots }) => {
      const btf = Btf.decode(bytes);
      const names = new NameIndex(btf);
      const companions = new Companions(btf, names);
      const curve = closureCurve(new NeedGraph(btf, companions, 'forward'), roots);
      if (roots.length === 0) return curve.length === 0;
      const [forward, complete] = (['forward', 'complete'] as const).map(reach =>
        reachedBy(btf, names, companions, roots, reach),
      );
      t.is(curve[0].types, forward.types);
      t.is(curve.at(-1)?.types, complete.types);
      for (const [i, { types, bytes }] of curve.entries())
        if (i > 0) t.true(types >= curve[i - 1].types && bytes >= curve[i - 1].bytes);
      longest = Math.max(longest, curve.length);
      return true;
    }),
    { numRuns: 500 },
  );
  t.true(longest > 3, `${longest}`);
});

for (const name of WHOLE_KERNELS)
  test(`its ends are what a split writes: ${name}`, async t => {
    await withKernel(name, ({ btf }, { roots }) => {
      const names = new NameIndex(btf);
      const companions = new Companions(btf, names);
      const curve = closureCurve(new NeedGraph(btf, companions, 'forward'), roots);
      const bytes = (['forward', 'complete'] as const).map(
        reach => reachedBy(btf, names, companions, roots, reach).bytes - fixed(btf),
      );
      t.deepEqual([curve[0].bytes, curve.at(-1)?.bytes], bytes);
      t.true(curve.length > 4);
    });
  });

test('each point takes in the structs behind one more pointer', t => {
  const b = new BtfBuilder();
  const int = b.int('int', 4);
  const third = b.struct('third', 4, [{ name: 'x', type: int, bits: 0 }]);
  const second = b.struct('second', 8, [{ name: 'x', type: b.ptr(third), bits: 0 }]);
  const first = b.struct('first', 8, [{ name: 'x', type: b.ptr(second), bits: 0 }]);
  const btf = Btf.decode(b.build());
  const graph = new NeedGraph(btf, new Companions(btf, new NameIndex(btf)), 'forward');
  const curve = closureCurve(graph, [{ id: first, reason: 'keep', source: 'test' }]);
  // A struct and its pointer, and a FWD; then the member and pointer of the next, and its FWD; then the member, and int.
  const names = (...texts: string[]): number => texts.reduce((sum, text) => sum + text.length + 1, 0);
  t.deepEqual(curve, [
    { types: 3, bytes: 24 + 12 + 12 + names('first', 'x', 'second') },
    { types: 5, bytes: 24 + 12 + 24 + 12 + 12 + names('first', 'x', 'second', 'third') },
    { types: 6, bytes: 24 + 12 + 24 + 12 + 24 + 16 + names('first', 'x', 'second', 'third', 'int') },
  ]);
});
