import { extname, join } from 'node:path';
import test from 'ava';
import type { Checked } from '../../plugin/budget/checked.js';
import { evaluate } from '../../plugin/budget/evaluate.js';
import { CHECK_FORMATS } from '../../plugin/budget/formats.js';
import { parseConfig } from '../../plugin/config/config.js';
import { runSplit } from '../../plugin/pipeline/split.js';
import { FORMATS, MERGED_FORMATS } from '../../plugin/report/formats.js';
import { encodeHistoryLine, historyLine } from '../../plugin/report/history.js';
import { renderMarkdown } from '../../plugin/report/render/markdown.js';
import { renderText } from '../../plugin/report/render/text.js';
import { renderTrend } from '../../plugin/report/render/trend.js';
import { seriesOf } from '../../plugin/report/series.js';
import { EARLIER_REPORT, FULL_REPORT, REPORT } from '../support/any-report.js';
import { fixture } from '../support/fixtures.js';
import { matchesGolden } from '../support/golden.js';
import { scratchFolder } from '../support/scratch.js';

const folder = scratchFolder(test, 'golden');

/** `made-up.report.html`, `made-up.report.comment.md`, `made-up.report.html.baseline.html`. */
const goldenName = (what: string, format: string, extension: string): string =>
  `made-up.${what}${extension === `.${format}` ? '' : `.${format}`}${extension}`;

test('the report of the ARM fixture is the one that was looked at', async t => {
  const report = await runSplit({ file: fixture('armv7-virt/vmlinux'), out: join(folder, 'out'), compressors: [] });
  matchesGolden(t, 'armv7-virt.report.txt', renderText(report));
});

for (const { name, file, render } of FORMATS)
  test(`report --format ${name} is the one that was looked at`, t => {
    matchesGolden(t, goldenName('report', name, extname(file)), render(FULL_REPORT, {}) ?? '');
    const compared = render(FULL_REPORT, { baseline: EARLIER_REPORT }) ?? '';
    if (compared === render(FULL_REPORT, {})) return;
    matchesGolden(t, `made-up.report.${name}.baseline${extname(file)}`, compared);
  });

test('the markdown beside a split, and colours on a terminal, are those that were looked at', t => {
  matchesGolden(t, 'made-up.split.md', renderMarkdown(FULL_REPORT));
  matchesGolden(t, 'made-up.report.text.colours.txt', renderText(FULL_REPORT, true));
});

for (const { name, file, render } of MERGED_FORMATS)
  test(`report --merge --format ${name} is the one that was looked at`, t => {
    const { image: _, carrier: __, modules: ___, analysis: ____, ...bare } = FULL_REPORT;
    const { architecture: _____, vermagic: ______, ...input } = bare.input;
    const reports = [
      { source: 'arm/report.json', report: FULL_REPORT },
      { source: 'before/report.json', report: { ...EARLIER_REPORT, closure: 'forward' as const } },
      { source: 'bare|<out>', report: { ...bare, input: { ...input, file: 'some.btf', kind: 'btf' as const } } },
    ];
    matchesGolden(t, goldenName('merge', name, extname(file)), render({ schemaVersion: 1, reports }));
  });

/** A budget of each verdict. */
const BUDGETS = [
  { metric: 'btf.base', max: '1 MiB' },
  { metric: 'btf.rest', maxIncrease: '2 %' },
  { metric: 'btf.full', maxIncrease: '1 %' },
  { metric: 'btf.base', max: '2 kB', level: 'warn' },
  { metric: 'image.partition.kernel', partition: '1 MiB', message: 'the partition of <board> & its spare' },
  { metric: 'btf.base.xz', max: '1 KiB' },
];
const EXTENSIONS = { text: '.txt', json: '.json', markdown: '.md', junit: '.xml', github: '.txt', openmetrics: '.txt' };

for (const [name, render] of Object.entries(CHECK_FORMATS))
  test(`check --format ${name} is the one that was looked at`, t => {
    const { budgets } = parseConfig(JSON.stringify({ budgets: BUDGETS }), 'vmlinux-btf.config.json');
    const checked: Checked = {
      reportFile: 'out/report.json',
      report: FULL_REPORT,
      baselineFile: 'main.json',
      notes: ['the baseline has another kernel: 6.12.0 SMP preempt mod_unload ARMv7, now 6.12.0 SMP mod_unload ARMv7'],
      findings: evaluate(budgets, FULL_REPORT, { report: EARLIER_REPORT }),
    };
    matchesGolden(t, goldenName('check', name, EXTENSIONS[name as keyof typeof EXTENSIONS]), render(checked));
  });

test('a history and its trend are those that were looked at', t => {
  const lines = [EARLIER_REPORT, REPORT, FULL_REPORT].map((report, i) =>
    historyLine(report, { time: `2026-01-0${i + 1}T12:00:00Z`, commit: `c0ffee${i}` }),
  );
  matchesGolden(t, 'made-up.history.jsonl', lines.map(encodeHistoryLine).join(''));
  const metrics = ['btf.base', 'btf.full.gzip', 'image.file.kernel'];
  matchesGolden(t, 'made-up.trend.svg', renderTrend(seriesOf(lines, metrics)));
});
