import test from 'ava';
import fc from 'fast-check';
import { CodedError } from '../../plugin/errors.js';
import { encodeHistoryLine, type HistoryLine, historyLine, parseHistory } from '../../plugin/report/history.js';
import { metricsOf } from '../../plugin/report/metrics.js';
import { seriesOf } from '../../plugin/report/series.js';
import { REPORT } from '../support/any-report.js';

const LABELS = { time: '2026-01-31T12:00:00Z', commit: 'abc123' };
const LINE = historyLine(REPORT, LABELS);

test('the line of a report has its figures by name', t => {
  const { metrics, ...labels } = LINE;
  t.deepEqual(labels, {
    schemaVersion: 1,
    ...LABELS,
    architecture: 'ARM 32 bit little-endian',
    kernel: '6.12.0',
    closure: 'complete',
  });
  const { 'root.kfunc': kfunc, 'root.lsm': lsm, ...others } = metrics;
  t.deepEqual([kfunc, lsm], [2_200, 0]);
  t.deepEqual(Object.fromEntries(Object.entries(others).filter(([name]) => !name.startsWith('root.'))), {
    'btf.full': 12_300,
    'btf.full.gzip': 4_100,
    'btf.full.types': 1_000,
    'btf.base': 2_300,
    'btf.base.gzip': 766,
    'btf.base.types': 100,
    'btf.rest': 10_000,
    'btf.rest.gzip': 3_333,
    'btf.rest.types': 900,
    'image.file': 4_000_000,
    'image.file.gzip': 1_500_000,
    'carrier.file': 11_111,
    'carrier.file.gzip': 3_333,
    'ram.resident': 12_745,
    'total.flash': 4_011_111,
    'total.flash.gzip': 1_503_333,
  });
});

test('of bare BTF there is neither image nor kernel, and of modules the bytes after the split', t => {
  const { image: _, carrier: __, ...report } = REPORT;
  const { architecture: ___, vermagic: ____, ...input } = report.input;
  const count = { types: 1, bytes: 77 };
  const line = historyLine(
    { ...report, input, modules: { mode: 'keep', before: count, after: count, rows: [] } },
    LABELS,
  );
  t.false('architecture' in line || 'kernel' in line);
  t.is(line.metrics['modules.btf'], 77);
  t.false([...metricsOf({ ...report, input }).keys()].some(name => /image|carrier|modules/.test(name)));
});

test('what is written is what is read', t => {
  const second: HistoryLine = { ...LINE, commit: 'v2 "quoted" \u2028', time: '2026-02-01T00:00:00.5+01:00' };
  const text = encodeHistoryLine(LINE) + encodeHistoryLine(second);
  t.is(text.split('\n').length, 3);
  t.deepEqual(parseHistory(text), [LINE, second]);
  t.deepEqual(parseHistory(text.trimEnd()), [LINE, second]);
});

function refusal(text: string): string {
  try {
    parseHistory(text);
  } catch (error) {
    if (error instanceof CodedError && error.code === 'history') return error.detail;
    throw error;
  }
  return '';
}

const good = encodeHistoryLine(LINE);
const without = (key: string, value?: unknown): string =>
  `${good}${JSON.stringify({ ...LINE, [key]: value })}\n${good}`;

test('a line that is none is refused by its number', t => {
  t.is(refusal(''), 'it has no lines');
  t.is(refusal(`${good}\n${good}`), 'line 2: it is empty');
  t.regex(refusal(`${good}${good.slice(0, 50)}`), /^line 2: no JSON: /);
  t.is(refusal(`${good}[]\n`), 'line 2: it is no object');
  t.is(refusal('null'), 'line 1: it is no object');
  t.is(refusal(without('schemaVersion', 2)), 'line 2: schemaVersion: it is not 1');
  for (const time of [undefined, 5, 'yesterday', '2026-01-31', '2026-01-31T12:00:00', '2026-13-31T12:00:00Z'])
    t.is(refusal(without('time', time)), 'line 2: time: it is no time such as 2026-01-31T12:00:00Z');
  for (const commit of [undefined, '', 'x'.repeat(257), 7])
    t.is(refusal(without('commit', commit)), 'line 2: commit: it is no text of 1 to 256 characters');
  t.is(refusal(without('kernel', 6)), 'line 2: kernel: it is no text of 1 to 256 characters');
  t.is(refusal(without('closure', 'all')), 'line 2: closure: it is neither complete nor forward');
  t.is(refusal(without('metrics', [1])), 'line 2: metrics: it is no object');
  for (const figure of [null, '5', -1, 0.5, 2 ** 60])
    t.is(refusal(without('metrics', { a: figure })), 'line 2: metrics: a: it is no whole number from 0 on');
});

test('labels that no reader would take are not written', t => {
  for (const labels of [
    { ...LABELS, time: 'now' },
    { ...LABELS, commit: '' },
  ])
    t.is(t.throws(() => historyLine(REPORT, labels), { instanceOf: CodedError })?.code, 'history');
});

test('whatever the text, it is a history or one coded error', t => {
  const part = fc.oneof(
    fc.constant(good),
    fc.constant('\n'),
    fc.json(),
    fc.string(),
    fc.nat(200).map(at => good.slice(0, at)),
  );
  fc.assert(
    fc.property(fc.array(part, { maxLength: 4 }), parts => {
      const told = refusal(parts.join(''));
      return told === '' || told === 'it has no lines' || /^line \d+: /.test(told);
    }),
    { numRuns: 500 },
  );
  t.pass();
});

test('series: comparable reports by figure, in the order of the history', t => {
  const line = (commit: string, metrics: HistoryLine['metrics'], closure: 'complete' | 'forward' = 'complete') => ({
    ...LINE,
    commit,
    closure,
    metrics,
  });
  const lines = [
    line('a', { x: 1, zero: 0 }),
    line('b', { x: 5 }, 'forward'),
    line('c', { zero: 0 }),
    line('d', { x: 3, 'y.types': 2 }),
  ];
  const all = seriesOf(lines, []);
  t.deepEqual(
    all.map(({ metric, unit, reports, points }) => [
      metric,
      unit,
      reports,
      points.map(({ nth, value }) => [nth, value]),
    ]),
    [
      [
        'x',
        'bytes',
        3,
        [
          [0, 1],
          [2, 3],
        ],
      ],
      ['x', 'bytes', 1, [[0, 5]]],
      ['y.types', 'types', 3, [[2, 2]]],
    ],
  );
  t.is(all[1].of, 'ARM 32 bit little-endian, closure forward');
  t.deepEqual(
    seriesOf(lines, ['zero']).map(({ metric, points }) => [metric, points.length]),
    [['zero', 2]],
  );
  const unknown = t.throws(() => seriesOf(lines, ['y.type']), { instanceOf: CodedError });
  t.is(unknown?.code, 'usage');
  t.regex(unknown?.message ?? '', /did you mean y\.types\?$/);
  const names = Object.fromEntries(Array.from({ length: 1001 }, (_, i) => [`m${i}`, 1]));
  t.is(t.throws(() => seriesOf([line('a', names)], []), { instanceOf: CodedError })?.code, 'history');
});
