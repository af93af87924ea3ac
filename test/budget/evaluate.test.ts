import test from 'ava';
import fc from 'fast-check';
import { type Baseline, evaluate, type Finding, VERDICTS } from '../../plugin/budget/evaluate.js';
import { parseConfig } from '../../plugin/config/config.js';
import { CodedError } from '../../plugin/errors.js';
import { checkComparable } from '../../plugin/report/comparable.js';
import type { Report } from '../../plugin/report/model.js';
import { REPORT } from '../support/any-report.js';

const NONE: Baseline = { why: 'none' };

/** A report whose base has so many bytes, of 100,000. */
function withBase(bytes: number): Report {
  return { ...REPORT, full: { ...REPORT.full, bytes: 100_000 }, base: { ...REPORT.base, bytes } };
}

function check(budgets: readonly object[], report: Report, baseline: Baseline = NONE, accept = false): Finding[] {
  return evaluate(parseConfig(JSON.stringify({ budgets }), 'c.json').budgets, report, baseline, accept);
}

test('a size and a percent of the whole hold up to themselves', t => {
  for (const max of ['12 %', '12000', '12 kB'])
    for (const [bytes, verdict, difference] of [
      [11_999, 'ok', -1],
      [12_000, 'ok', 0],
      [12_001, 'error', 1],
    ] as const) {
      const [finding] = check([{ metric: 'btf.base', max }], withBase(bytes));
      t.is(finding.verdict, verdict, `${max} ${bytes}`);
      t.is(finding.value, bytes);
      t.deepEqual(finding.limits, [{ key: 'max', asked: max, limit: 12_000, difference, verdict }]);
    }
});

test('an increase is of the baseline, and counts from andAtLeast on', t => {
  const baseline = { report: withBase(10_000) };
  const at = (bytes: number, more: object): string =>
    check([{ metric: 'btf.base', maxIncrease: '2 %', ...more }], withBase(bytes), baseline)[0].verdict;
  t.is(at(10_200, {}), 'ok');
  t.is(at(10_201, {}), 'error');
  t.is(at(10_201, { level: 'warn' }), 'warn');
  t.is(at(10_299, { andAtLeast: '300' }), 'ok');
  t.is(at(10_300, { andAtLeast: '300' }), 'error');
  t.is(at(10_200, { andAtLeast: '1' }), 'ok');
  t.is(at(10_500, { maxIncrease: '500 B' }), 'ok');
  t.is(at(10_501, { maxIncrease: '500 B' }), 'error');
  t.is(at(10_001, { maxIncrease: '0' }), 'error');
  t.is(at(9_000, { maxIncrease: '0' }), 'ok');
});

test('from a baseline of 0 each increase is more than a percent', t => {
  const zero = { report: { ...REPORT, reasons: [] } };
  t.is(check([{ metric: 'root.kfunc', maxIncrease: '50 %' }], REPORT, zero)[0].verdict, 'error');
  t.is(check([{ metric: 'root.kfunc', maxIncrease: '50 %' }], zero.report, zero)[0].verdict, 'ok');
});

test('nothing to compare with is a notice, and does not hide a broken max', t => {
  const budget = { metric: 'btf.base', maxIncrease: '2 %' };
  const [alone] = check([budget], withBase(1));
  t.is(alone.verdict, 'notice');
  t.deepEqual(alone.limits[0].note, 'baseline: none');
  t.is(check([{ ...budget, max: '1' }], withBase(2))[0].verdict, 'error');
  t.is(check([{ ...budget, max: '2' }], withBase(2))[0].verdict, 'notice');
  const { gzip: _, ...compressed } = REPORT.base.compressed;
  const without = { report: { ...REPORT, base: { ...REPORT.base, compressed } } };
  const [lacking] = check([{ metric: 'btf.base.gzip', maxIncrease: '2 %' }], REPORT, without);
  t.is(lacking.verdict, 'notice');
  t.regex(lacking.limits[0].note ?? '', /made without gzip/);
});

test('a report that becomes the baseline has its increases accepted, a broken max not', t => {
  const baseline = { report: withBase(1_000) };
  const [finding] = check([{ metric: 'btf.base', maxIncrease: '1 %' }], withBase(5_000), baseline, true);
  t.is(finding.verdict, 'notice');
  t.is(finding.limits[0].difference, 3_990);
  t.is(
    check([{ metric: 'btf.base', max: '1 %', maxIncrease: '1 %' }], withBase(5_000), baseline, true)[0].verdict,
    'error',
  );
});

test('what is not measured breaks its budget, in the words of the report', t => {
  const { image: _, carrier: __, ...bare } = REPORT;
  for (const [metric, report, why] of [
    ['btf.base.xz', REPORT, 'xz is not installed'],
    ['btf.base.zstd', REPORT, 'the report was made without zstd (--sizes)'],
    ['modules.btf', REPORT, 'the split was given no modules'],
    ['image.file', bare, 'the report is of bare BTF, without an image'],
    ['total.flash', bare, 'the report is of bare BTF, without an image'],
    ['ram.resident', bare, 'the report is of bare BTF, without an image'],
    ['carrier.file.gzip', bare, 'the report is of bare BTF, without an image'],
    ['retained.func:x', REPORT, 'the report does not tell what roots retain; vmlinux-btf report does'],
  ] as const)
    for (const level of ['error', 'warn'] as const) {
      const [finding] = check([{ metric, max: '1', level }], report, { report });
      t.is(finding.verdict, level, metric);
      t.is(finding.value, null);
      t.is(finding.missing, why);
    }
});

test('retained bytes are those of the root of that name', t => {
  const row = (per: 'root' | 'set', name: string, bytes: number) => ({ per, name, bytes, roots: 1, types: 1 });
  const report: Report = {
    ...REPORT,
    analysis: {
      curve: [],
      treemap: [],
      retained: [row('set', 'func:a', 9), row('root', 'func:a', 7), row('root', 'func:bpf_b', 5)],
    },
  };
  const of = (metric: string): Finding => check([{ metric, max: '1 %' }], report)[0];
  t.is(of('retained.func:a').value, 7);
  t.is(of('retained.func:a').limits[0].limit, 23);
  t.is(of('retained.func:bpf_c').missing, 'no such root in the report; did you mean func:bpf_b?');
});

test('broken budgets come first, in the order of the configuration', t => {
  const baseline = { report: withBase(10) };
  const budgets = [
    { metric: 'btf.base', max: '1 MiB' },
    { metric: 'btf.base', max: '1', level: 'warn' },
    { metric: 'btf.base', max: '2' },
    { metric: 'btf.rest.gzip', maxIncrease: '1' },
    { metric: 'btf.base', max: '3' },
  ];
  t.deepEqual(
    check(budgets, withBase(10), { why: 'none' }).map(({ budget, verdict }) => [budget, verdict]),
    [
      [2, 'error'],
      [4, 'error'],
      [1, 'warn'],
      [3, 'notice'],
      [0, 'ok'],
    ],
  );
  t.is(check(budgets, withBase(10), baseline).at(-1)?.verdict, 'ok');
});

test('verdicts agree with fractions of floating point away from the limit, and get no better with size', t => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 90_000 }),
      fc.integer({ min: 1, max: 90_000 }),
      fc.integer({ min: 0, max: 200 }),
      fc.integer({ min: 0, max: 5_000 }),
      fc.integer({ min: 0, max: 100 }),
      (value, former, increase, least, max) => {
        const budgets = [{ metric: 'btf.base', max: `${max} %`, maxIncrease: `${increase} %`, andAtLeast: `${least}` }];
        const verdictOf = (bytes: number): number =>
          VERDICTS.indexOf(check(budgets, withBase(bytes), { report: withBase(former) })[0].verdict);
        if (verdictOf(value + 1) < verdictOf(value)) return false;
        const allowed = (former * increase) / 100;
        if (Math.abs(value - former - allowed) < 1e-6 || Math.abs(value - max * 1000) < 1e-6) return true;
        const broken = value > max * 1000 || (value - former > allowed && value - former >= least);
        return (verdictOf(value) === 3) === broken;
      },
    ),
    { seed: 1 },
  );
  t.pass();
});

test('of another version, closure, way or compressor is said; of another architecture is refused', t => {
  const other: Report = {
    ...REPORT,
    input: { ...REPORT.input, vermagic: '6.13.0' },
    closure: 'forward',
    compressors: { ...REPORT.compressors, gzip: 'gzip -1' },
    ...(REPORT.image === undefined ? {} : { image: { ...REPORT.image, linked: true } }),
    modules: { mode: 'keep', before: { types: 1, bytes: 1 }, after: { types: 1, bytes: 1 }, rows: [] },
  };
  t.deepEqual(checkComparable(REPORT, REPORT), []);
  t.deepEqual(checkComparable(REPORT, other), [
    'the baseline has another kernel: 6.13.0, now 6.12.0 SMP mod_unload ARMv7',
    'the baseline has another closure: forward, now complete',
    'the baseline has another way into the image: linked, now patched after the link',
    'the baseline has another treatment of modules: keep, now none given',
    'the baseline has another command for gzip: gzip -1, now gzip -9',
  ]);
  const { architecture: _, ...bare } = REPORT.input;
  for (const input of [{ ...REPORT.input, architecture: 'mips 32 bit big-endian' }, bare]) {
    const error = t.throws(() => checkComparable(REPORT, { ...REPORT, input }), { instanceOf: CodedError });
    t.is(error?.code, 'report-foreign');
  }
});
