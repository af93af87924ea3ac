import test from 'ava';
import fc from 'fast-check';
import { type Rect, squarify } from '../../plugin/report/render/squarify.js';

const overlap = (a: Rect, b: Rect): number =>
  Math.max(0, Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x)) *
  Math.max(0, Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y));

const ratio = ({ width, height }: Rect): number => Math.max(width / height, height / width);

test('each weight gets its share of the area; nothing overlaps, nothing is left, nothing stands outside', t => {
  const weights = fc.array(fc.integer({ min: 1, max: 1_000_000 }), { minLength: 1, maxLength: 60 });
  const side = fc.integer({ min: 1, max: 2000 });
  fc.assert(
    fc.property(weights, side, side, (some, width, height) => {
      const sorted = some.toSorted((a, b) => b - a);
      const area = { x: 10, y: 20, width, height };
      const sum = sorted.reduce((total, weight) => total + weight, 0);
      const rects = squarify(sorted, area);
      t.is(rects.length, sorted.length);
      const slack = width * height * 1e-9;
      for (const [i, rect] of rects.entries()) {
        t.true(Math.abs(rect.width * rect.height - (sorted[i] / sum) * width * height) <= slack);
        t.true(Math.abs(overlap(rect, area) - rect.width * rect.height) <= slack, 'inside');
        for (const other of rects.slice(0, i)) t.true(overlap(rect, other) <= slack);
      }
    }),
    { numRuns: 200 },
  );
});

test('the example of the paper: 6 × 4 into 6, 6, 4, 3, 2, 2, 1, none of it thin', t => {
  const rects = squarify([6, 6, 4, 3, 2, 2, 1], { x: 0, y: 0, width: 6, height: 4 });
  const rounded = (rect: Rect): number[] =>
    [rect.x, rect.y, rect.width, rect.height].map(value => Math.round(value * 100) / 100);
  t.deepEqual(rounded(rects[0]), [0, 0, 3, 2]);
  t.deepEqual(rounded(rects[1]), [0, 2, 3, 2]);
  t.deepEqual(rounded(rects[2]), [3, 0, 1.71, 2.33]);
  t.true(rects.every(rect => ratio(rect) < 3));
});

test('nothing to divide, and no area to divide', t => {
  t.deepEqual(squarify([], { x: 0, y: 0, width: 5, height: 5 }), []);
  t.deepEqual(squarify([3, 1], { x: 1, y: 2, width: 0, height: 0 }).length, 2);
});
