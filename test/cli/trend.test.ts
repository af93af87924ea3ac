import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { execa } from 'execa';
import { encodeHistoryLine, historyLine } from '../../plugin/report/history.js';
import type { Report } from '../../plugin/report/model.js';
import { REPORT } from '../support/any-report.js';
import { cli, ERROR_LINE, sha256Of, splitQuickly } from '../support/cli.js';
import { readCharts } from '../support/drawn.js';
import { fixture } from '../support/fixtures.js';
import { scratchFolder } from '../support/scratch.js';
import { haveTool } from '../support/tools.js';

const folder = scratchFolder(test, 'trend-cli');
const history = join(folder, 'history.jsonl');

function line(report: Report, commit: string): string {
  return encodeHistoryLine(historyLine(report, { time: '2026-01-31T12:00:00Z', commit }));
}

const grown: Report = { ...REPORT, base: { ...REPORT.base, bytes: 4_600 } };

test.before(() => writeFileSync(history, line(REPORT, 'v1') + line(grown, 'v2')));

test('a chart a figure, to stdout', async t => {
  const { exitCode, stdout, stderr } = await cli(['trend', history]);
  t.is(exitCode, 0, stderr);
  const charts = readCharts(stdout);
  const titles = charts.map(({ title }) => title);
  for (const title of [
    'btf.base, in bytes',
    'btf.base.types, in types',
    'image.file.gzip, in bytes',
    'root.kfunc, in bytes',
  ])
    t.true(titles.includes(title), title);
  t.false(titles.includes('root.lsm, in bytes'));
  const { dots, labels } = charts[titles.indexOf('btf.base, in bytes')];
  t.deepEqual(
    dots.map(({ title }) => title),
    ['v1, 2026-01-31T12:00:00Z: 2,300 bytes', 'v2, 2026-01-31T12:00:00Z: 4,600 bytes'],
  );
  t.true(dots[0].y > dots[1].y && dots[0].x < dots[1].x);
  t.deepEqual(
    labels.map(({ text }) => text),
    ['v1', 'v2'],
  );
});

test('some figures only, to a file, and as JSON', async t => {
  const out = join(folder, 'trend.svg');
  const args = ['trend', history, '--metric', 'btf.base', '--metric', 'btf.full', '-o', out];
  const { stdout, exitCode } = await cli(args);
  t.is(exitCode, 0);
  t.is(stdout, `${out}: 2 charts of 2 reports\n`);
  t.deepEqual(
    readCharts(readFileSync(out, 'utf8')).map(({ title }) => title),
    ['btf.base, in bytes', 'btf.full, in bytes'],
  );
  if (haveTool(t, 'xmllint', 'libxml2-utils')) {
    const { exitCode, stderr } = await execa('xmllint', ['--noout', '--nonet', out], { reject: false });
    t.is(exitCode, 0, stderr);
  }
  const json = JSON.parse((await cli([...args, '--json'])).stdout);
  t.is(json.reports, 2);
  t.deepEqual(
    json.series[0].points.map(({ value }: { value: number }) => value),
    [2_300, 4_600],
  );
});

test('the report of a split makes a line', async t => {
  const out = join(folder, 'out');
  t.is((await splitQuickly(fixture('armv7-virt/vmlinux'), out)).exitCode, 0);
  const report = JSON.parse(readFileSync(join(out, 'report.json'), 'utf8')) as Report;
  const file = join(folder, 'real.jsonl');
  writeFileSync(file, line(report, 'abc123'));
  const json = JSON.parse((await cli(['trend', file, '--json'])).stdout);
  const base = json.series.find(({ metric }: { metric: string }) => metric === 'btf.base');
  t.is(base.points[0].value, report.base.bytes);
  t.is(base.of, `${report.input.architecture}, closure complete`);
});

test('a bad history is one line that names the file and the line, and nothing is written', async t => {
  const bad = join(folder, 'bad.jsonl');
  const out = join(folder, 'never.svg');
  const cases: readonly (readonly [string | Uint8Array, RegExp])[] = [
    ['', /it has no lines/],
    [`${line(REPORT, 'v1')}{"schemaVersion": 1}\n`, /line 2: time: /],
    [`${line(REPORT, 'v1')}\n${line(REPORT, 'v2')}`, /line 2: it is empty/],
    [line(REPORT, 'v1').slice(0, 400), /line 1: no JSON/],
    [Buffer.from([0xff, 0xfe, 0x00]), /no UTF-8/],
  ];
  for (const [text, says] of cases) {
    writeFileSync(bad, text);
    const { exitCode, stdout, stderr } = await cli(['trend', bad, '-o', out]);
    t.is(exitCode, 3, stderr);
    t.is(stdout, '');
    t.is(ERROR_LINE.exec(stderr)?.[1], 'history', stderr);
    t.true(stderr.includes(bad));
    t.regex(stderr, says);
  }
  t.false(existsSync(out));
});

test('a figure that no line has, and a drawing over the history, are refused', async t => {
  const unknown = await cli(['trend', history, '--metric', 'btf.bse']);
  t.is(unknown.exitCode, 2);
  t.regex(unknown.stderr, /did you mean btf\.base\?.*\[usage\]\n$/);
  const before = sha256Of(history);
  const { exitCode, stderr } = await cli(['trend', history, '-o', history]);
  t.is(exitCode, 2);
  t.is(ERROR_LINE.exec(stderr)?.[1], 'out-is-input');
  t.is(sha256Of(history), before);
});
