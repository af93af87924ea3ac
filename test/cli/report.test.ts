import { cpSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { parseHistory } from '../../plugin/report/history.js';
import type { Report } from '../../plugin/report/model.js';
import { COMMENT_MARKER } from '../../plugin/report/render/comment.js';
import { bzImage, pack } from '../support/boot-image.js';
import { cli, ERROR_LINE, splitQuickly } from '../support/cli.js';
import { fixture } from '../support/fixtures.js';
import { scratchFolder } from '../support/scratch.js';
import { haveBinutils, stripTo, systemMapOf } from '../support/system-map.js';
import { haveTool } from '../support/tools.js';

const folder = scratchFolder(test, 'report');
const vmlinux = fixture('armv7-virt/vmlinux');

const split = new Map<string, Promise<string>>();

/** An out folder of the fixture, made once. */
function outOf(closure: 'complete' | 'forward'): Promise<string> {
  const out = join(folder, closure);
  const made = split.get(out) ?? splitQuickly(vmlinux, out, '--closure', closure).then(() => out);
  split.set(out, made);
  return made;
}

async function print(...args: readonly string[]): Promise<string> {
  const { stdout, exitCode, stderr } = await cli(['report', ...args]);
  if (exitCode !== 0) throw new Error(stderr);
  return stdout;
}

/** RFC 4180, as a reader of its own. */
function parseCsv(text: string): string[][] {
  const cells = [...text.matchAll(/(?:"((?:[^"]|"")*)"|([^",\n]*))(,|\n)/g)];
  const rows: string[][] = [[]];
  for (const [, quoted, plain, end] of cells) {
    rows[rows.length - 1].push(quoted?.replaceAll('""', '"') ?? plain);
    if (end === '\n') rows.push([]);
  }
  rows.pop();
  return rows;
}

test('every format of an out folder is written to a folder, and one is printed', async t => {
  const out = await outOf('complete');
  const to = join(folder, 'all');
  await print(out, '--format', 'all', '--to', to);
  t.deepEqual(readdirSync(to).sort(), [
    'bar.svg',
    'btf-file-size-stats.csv',
    'comment.md',
    'report.csv',
    'report.html',
    'report.json',
    'report.txt',
    'treemap.svg',
  ]);
  const read = (name: string): string => readFileSync(join(to, name), 'utf8');
  t.true((await print(out, '--format', 'html')) === read('report.html'));
  t.true((await print(out)) === read('report.txt'));
  t.regex(read('report.txt'), /What would leave the base without one subsystem\n/);
  // What it wrote it reads again, with all that it found out.
  t.true((await print(join(to, 'report.json'), '--format', 'html')) === read('report.html'));
});

test('CSV says what the report does, and Buildroot’s shape has its columns and sums', async t => {
  const out = await outOf('complete');
  const report = JSON.parse(await print(out, '--format', 'json')) as Report;
  const rows = parseCsv(await print(out, '--format', 'csv'));
  t.deepEqual(rows[0], ['table', 'row', 'measure', 'value']);
  t.true(rows.every(row => row.length === 4));
  const value = (...key: readonly string[]): number =>
    Number(rows.find(row => row.slice(0, 3).join('|') === key.join('|'))?.[3] ?? Number.NaN);
  t.is(value('btf', 'base', 'bytes'), report.base.bytes);
  for (const { reason, bytes } of report.reasons) t.is(value('reason', reason, 'bytes'), bytes);
  for (const { kind, rest } of report.kinds) t.is(value('kind rest', kind, 'types'), rest.types);
  t.is(rows.filter(([table]) => table === 'retained by root').length / 3, perRoot(report));
  const [head, ...files] = parseCsv(await print(out, '--format', 'file-sizes'));
  t.deepEqual(head, [
    'File name',
    'Package name',
    'File size',
    'Package size',
    'File size in package (%)',
    'File size in system (%)',
  ]);
  t.deepEqual(
    files.map(([name, , size]) => [name, Number(size)]),
    [
      ['vmlinux', report.base.bytes + report.padding],
      ['vmlinux_btf.ko', report.carrier?.bytes ?? -1],
    ],
  );
  const shares = files.map(row => Number(row[5]));
  t.true(Math.abs(shares[0] + shares[1] - 100) < 0.2);
});

function perRoot({ analysis }: Report): number {
  return analysis?.retained.filter(({ per }) => per === 'root').length ?? -1;
}

test('a comment has the marker first, what changed against a baseline next, and stays below 60,000 bytes', async t => {
  const [complete, forward] = [await outOf('complete'), await outOf('forward')];
  const text = await print(forward, '--format', 'comment', '--baseline', join(complete, 'report.json'));
  t.true(text.startsWith(`${COMMENT_MARKER}\n`));
  t.true(Buffer.byteLength(text) < 60_000);
  t.true(text.includes('another closure: complete, now forward'));
  const [was, is] = [complete, forward].map(
    out => (JSON.parse(readFileSync(join(out, 'report.json'), 'utf8')) as Report).base.bytes,
  );
  const grouped = (value: number): string => value.toLocaleString('en-US');
  t.true(text.includes(`| btf.base | ${grouped(was)} | ${grouped(is)} | -${grouped(was - is)} | -`));
  const first = text.indexOf('| btf.base |');
  t.true(first < text.indexOf('figures did not change'));
  const same = await print(forward, '--format', 'comment', '--baseline', join(forward, 'report.json'));
  t.true(same.includes('Nothing changed against the baseline.'));
  const html = await print(forward, '--format', 'html', '--baseline', join(complete, 'report.json'));
  t.true(html.includes('<h2>Against the baseline</h2>'));
});

test('a history gets a line for each report', async t => {
  const out = await outOf('complete');
  const history = join(folder, 'history.jsonl');
  for (const commit of ['one', 'two'])
    await print(out, '--history', history, '--commit', commit, '--time', '2026-01-31T12:00:00Z');
  const lines = parseHistory(readFileSync(history, 'utf8'));
  t.deepEqual(
    lines.map(({ commit, time }) => [commit, time]),
    [
      ['one', '2026-01-31T12:00:00Z'],
      ['two', '2026-01-31T12:00:00Z'],
    ],
  );
  t.true(lines[0].metrics['btf.base'] > 400_000);
});

test('a vmlinux that is not split yet is reported as its split would be, and nothing is written', async t => {
  for (const closure of ['complete', 'forward'] as const) {
    const told = JSON.parse(await print(await outOf(closure), '--format', 'json')) as Report;
    const { image: _, carrier: __, compressors, ...split } = told;
    const unsplit = JSON.parse(await print(vmlinux, '--closure', closure, '--format', 'json'));
    t.deepEqual(unsplit, { ...split, compressors });
  }
  // The same of an image of x86 with its System.map, of which the ELF file inside is stripped.
  const kernel = fixture('x86_64-pc/vmlinux');
  if (!haveBinutils(t, 'x86_64-pc') || !haveTool(t, 'zstd', 'zstd')) return;
  const [map, stripped, image] = ['System.map', 'stripped', 'bzImage'].map(name => join(folder, name));
  writeFileSync(map, systemMapOf('x86_64-pc', kernel), 'latin1');
  stripTo('x86_64-pc', kernel, stripped);
  writeFileSync(image, bzImage(pack('zstd', readFileSync(stripped))));
  const symvers = join(folder, 'Module.symvers');
  writeFileSync(symvers, '0x12345678\tmodule_layout\tvmlinux\tEXPORT_SYMBOL\t\n');
  const words = ['--system-map', map, '--module-symvers', symvers, '--format', 'json'];
  const { input: packed, ...ofImage } = JSON.parse(await print(image, ...words));
  const { input: plain, ...ofVmlinux } = JSON.parse(await print(kernel, '--format', 'json'));
  t.is(packed.btfBytes, plain.btfBytes);
  t.deepEqual(ofImage, ofVmlinux);
});

test('several are merged into one table, whatever they were taken from', async t => {
  const [complete, forward] = [await outOf('complete'), await outOf('forward')];
  const json = join(forward, 'report.json');
  const to = join(folder, 'merged');
  await print('--merge', complete, json, vmlinux, '--format', 'all', '--to', to);
  t.deepEqual(readdirSync(to).sort(), ['comment.md', 'reports.csv', 'reports.html', 'reports.json', 'reports.txt']);
  const { reports } = JSON.parse(readFileSync(join(to, 'reports.json'), 'utf8'));
  t.deepEqual(
    reports.map(({ source }: { source: string }) => source),
    [complete, json, vmlinux],
  );
  const [head, ...rows] = parseCsv(readFileSync(join(to, 'reports.csv'), 'utf8'));
  t.true(rows.every(row => row.length === head.length));
  const column = (name: string): string[] => rows.map(row => row[head.indexOf(name)]);
  t.deepEqual(column('closure'), ['complete', 'forward', 'complete']);
  t.deepEqual(
    column('btf.base').map(Number),
    reports.map(({ report }: { report: Report }) => report.base.bytes),
  );
  t.is(column('image.file')[2], '');
  for (const [args, says] of [
    [[complete, forward], /--merge.*\[usage\]/],
    [['--merge', complete, '--baseline', json], /no --original, --baseline or --history.*\[usage\]/],
    [['--merge', complete, '--format', 'treemap'], /none of text, comment, html, csv, json.*\[usage\]/],
    [['--merge', complete, join(folder, 'gone')], /\[file-unreadable\]/],
    [['--merge', complete, '--to', complete, '--format', 'json'], undefined],
    [[complete, '--to', complete, '--format', 'json'], /\[out-is-input\]/],
  ] as const) {
    const { stderr, exitCode } = await cli(['report', ...args]);
    t.is(exitCode === 0, says === undefined, stderr);
    if (says !== undefined) t.regex(stderr, says);
  }
});

test('wrong usage and wrong files are one error, and nothing is written', async t => {
  const out = await outOf('complete');
  const other = await outOf('forward');
  const mixed = join(folder, 'mixed');
  cpSync(out, mixed, { recursive: true });
  const report = JSON.parse(readFileSync(join(out, 'report.json'), 'utf8'));
  writeFileSync(
    join(mixed, 'report.json'),
    JSON.stringify({ ...report, input: { ...report.input, sha256: '0'.repeat(64) } }),
  );
  const foreign = join(folder, 'foreign.json');
  writeFileSync(foreign, JSON.stringify({ ...report, input: { ...report.input, architecture: 'x86-64 64 bit' } }));
  const changed = join(folder, 'changed');
  cpSync(vmlinux, changed);
  writeFileSync(changed, 'x', { flag: 'a' });
  const to = join(folder, 'none');
  for (const [args, says] of [
    [[out, '--format', 'htmls'], /htmls is none of .*did you mean html\?.*\[usage\]/],
    [[out, '--format', 'html,csv'], /more than one format wants a folder .*\[usage\]/],
    [[out, '--history', join(folder, 'h')], /--history wants a --commit.*\[usage\]/],
    [[join(folder, 'gone')], /\[file-unreadable\]/],
    [[out, '--closure', 'forward'], /for a file that is not split yet.*\[usage\]/],
    [[vmlinux, '--original', vmlinux], /--original is for an out folder.*\[usage\]/],
    [[folder], /split\.json.*\[out-folder\]/],
    [[mixed], /of two splits.*\[out-folder\]/],
    [[out, '--original', changed], /not the file that was split.*\[verify\]/],
    [[join(out, 'report.json'), '--format', 'treemap'], /wants the folder of the split.*\[usage\]/],
    [[other, '--format', 'comment', '--baseline', foreign], /x86-64 64 bit.*\[report-foreign\]/],
  ] as const) {
    const { stderr, stdout, exitCode } = await cli(['report', ...args]);
    t.not(exitCode, 0, args.join(' '));
    t.is(stdout, '');
    t.regex(stderr, says);
    t.regex(stderr, ERROR_LINE);
  }
  t.not((await cli(['report', mixed, '--format', 'html', '--to', to])).exitCode, 0);
  t.false(existsSync(to));
});
