import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { execa } from 'execa';
import fc from 'fast-check';
import { columnsOf, fit, scaleFor, spread } from '../../plugin/report/render/svg.js';
import { renderTrend } from '../../plugin/report/render/trend.js';
import type { Series } from '../../plugin/report/series.js';
import { type DrawnChart, readCharts } from '../support/drawn.js';
import { scratchFolder } from '../support/scratch.js';
import { haveTool } from '../support/tools.js';

const folder = scratchFolder(test, 'trend');

function series(values: readonly (number | undefined)[], commit = (nth: number): string => `c${nth}`): Series {
  return {
    metric: 'btf.base',
    of: 'arm 32 bit little-endian, closure complete',
    unit: 'bytes',
    reports: values.length,
    points: values.flatMap((value, nth) =>
      value === undefined ? [] : [{ nth, commit: commit(nth), time: '2026-01-31T12:00:00Z', value }],
    ),
  };
}

/** Where a value belongs, by the labels of the axis alone. */
function expectedY({ ticks }: DrawnChart, value: number): number {
  const [low, high] = [ticks[0], ticks[ticks.length - 1]];
  return low.y + ((high.y - low.y) * (value - low.value)) / (high.value - low.value);
}

function holds(drawn: Series): void {
  const [chart] = readCharts(renderTrend([drawn]));
  const { dots, lines, ticks, labels } = chart;
  const fail = (what: string): never => {
    throw new Error(what);
  };
  if (dots.length !== drawn.points.length) fail(`${dots.length} dots`);
  if (ticks.length < 2 || ticks.length > 8) fail(`${ticks.length} ticks`);
  for (const [i, { value, nth }] of drawn.points.entries()) {
    if (Math.abs(expectedY(chart, value) - dots[i].y) > 0.02) fail(`${value} stands at ${dots[i].y}`);
    if (dots[i].y < ticks[ticks.length - 1].y || dots[i].y > ticks[0].y) fail('outside of the axis');
    if (!dots[i].title.endsWith(`: ${value.toLocaleString('en-US')} bytes`)) fail(dots[i].title);
    // Reports stand at equal distances, those without the figure too.
    if (i >= 2) {
      const step = (dots[i].x - dots[0].x) / (nth - drawn.points[0].nth);
      const first = (dots[1].x - dots[0].x) / (drawn.points[1].nth - drawn.points[0].nth);
      if (Math.abs(step - first) > 0.02) fail(`steps of ${step} and ${first}`);
    }
  }
  const drawnPoints = lines.flat().map(point => point.join());
  const joined = drawn.points.filter(({ nth }) => drawn.points.some(other => Math.abs(other.nth - nth) === 1));
  if (drawnPoints.length !== joined.length) fail(`${drawnPoints.length} points on lines`);
  if (!drawnPoints.every(point => dots.some(({ x, y }) => `${x},${y}` === point))) fail('a line beside the dots');
  // Labels stand below their dots, and do not touch each other: twelve characters of some seven pixels.
  for (const [i, { x, text }] of labels.entries()) {
    if (!dots.some(dot => dot.x === x && dot.title.startsWith(text.replace('…', '')))) fail(`label ${text}`);
    if (i > 0 && x - labels[i - 1].x < 80) fail('labels touch');
  }
  fits(chart);
}

/** No text leaves the drawing, with the widest of usual monospaced fonts. */
function fits({ texts }: DrawnChart): void {
  for (const { text, x, anchor } of texts) {
    const width = columnsOf(text) * 11 * 0.62;
    const left = anchor === 'end' ? x - width : anchor === 'middle' ? x - width / 2 : x;
    if (left < 0 || left + width > 760) throw new Error(`${text} leaves the drawing`);
  }
}

test('every point stands where the labels of the axis say', t => {
  holds(series([410_037, 410_937, 400_000, 484_737]));
  holds(series([5]));
  holds(series([0, 0]));
  holds(series([7, 7, 7]));
  holds(series([1, undefined, 3, 4, undefined, undefined, 7]));
  const [{ lines }] = readCharts(renderTrend([series([1, undefined, 3, 4, undefined, undefined, 7])]));
  t.is(lines.length, 1);
});

test('every point of any series stands where the labels of the axis say, and text fits', t => {
  const value = fc.oneof(fc.nat(100), fc.nat(2 ** 31), fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }));
  fc.assert(
    fc.property(fc.array(fc.option(value, { nil: undefined }), { maxLength: 60 }), value, (values, last) =>
      holds(series([...values, last])),
    ),
    { numRuns: 300 },
  );
  t.pass();
});

test('it says in words what it shows', t => {
  const [{ title, desc, texts }] = readCharts(renderTrend([series([410_037, 484_737])]));
  t.is(title, 'btf.base, in bytes');
  t.is(
    desc,
    'arm 32 bit little-endian, closure complete. 2 reports, from 410,037 bytes at c0 (2026-01-31T12:00:00Z) to 484,737 bytes at c1 (2026-01-31T12:00:00Z)',
  );
  t.true(texts.some(({ text }) => text === '484,737 bytes'));
});

test('it is light and dark, and runs and fetches nothing', t => {
  const svg = renderTrend([series([1, 2])]);
  t.true(svg.includes('@media (prefers-color-scheme: dark)'));
  t.notRegex(svg, /<script|href|@import|url\(|\son\w+=/);
});

test('a long series is a line, without a dot a report', t => {
  const svg = renderTrend([series(Array.from({ length: 10_000 }, (_, i) => i))]);
  const [{ dots, lines, labels }] = readCharts(svg);
  t.is(dots.length, 0);
  t.is(lines[0].length, 10_000);
  t.deepEqual([labels[0].text, labels[labels.length - 1].text], ['c0', 'c9999']);
  t.true(svg.length < 400_000);
});

const HOSTILE = '</text><script>alert(1)</script>&"\'\u0000\u001b[31m\ud800\ufffe\u202e漢字漢字漢字漢字';

async function isWellFormed(t: ExecutionContext, name: string, svg: string): Promise<void> {
  const file = join(folder, name);
  writeFileSync(file, svg);
  const { exitCode, stderr } = await execa('xmllint', ['--noout', '--nonet', file], { reject: false });
  t.is(exitCode, 0, stderr);
}

test('it is well-formed XML, whatever the labels are', async t => {
  if (!haveTool(t, 'xmllint', 'libxml2-utils')) return;
  await isWellFormed(t, 'plain.svg', renderTrend([series([1, 2, 3]), series([5])]));
  await isWellFormed(t, 'none.svg', renderTrend([]));
  const hostile = { ...series([1, 2], () => HOSTILE), metric: HOSTILE, of: HOSTILE.repeat(5) };
  await isWellFormed(t, 'hostile.svg', renderTrend([hostile]));
  t.false(renderTrend([hostile]).includes('<script'));
  for (const chart of readCharts(renderTrend([hostile]))) fits(chart);
  const unicode = fc.sample(fc.string({ unit: 'binary', maxLength: 40 }), { numRuns: 40, seed: 7 });
  await isWellFormed(t, 'any.svg', renderTrend(unicode.map(text => series([1, 2], () => text))));
});

test('axes have round steps around all values', t => {
  fc.assert(
    fc.property(fc.nat(2 ** 31), fc.nat(2 ** 31), (x, y) => {
      const [least, most] = [Math.min(x, y), Math.max(x, y)];
      const { low, high, ticks } = scaleFor(least, most);
      const step = ticks[1] - ticks[0];
      return (
        low <= least && high >= most && ticks[0] === low && ticks.at(-1) === high && /^[125]0*$/.test(String(step))
      );
    }),
  );
  t.deepEqual(spread(3, 5), [0, 1, 2]);
  t.deepEqual(spread(11, 3), [0, 5, 10]);
  t.deepEqual(spread(9, 1), [0]);
});

test('text is cut to its columns', t => {
  t.is(fit('abcdef', 6), 'abcdef');
  t.is(fit('abcdefg', 6), 'abcde…');
  t.is(fit('漢字漢字', 6), '漢字…');
  t.is(fit('a\nb', 6), 'a\\x0ab');
});
