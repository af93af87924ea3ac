import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { execa } from 'execa';
import { runSplit } from '../../plugin/pipeline/split.js';
import { FAMILIES, findMetric, METRIC_NAMES, measuredMetrics } from '../../plugin/report/metrics.js';
import type { Report } from '../../plugin/report/model.js';
import { fixture, repository } from '../support/fixtures.js';
import { IndependentElf } from '../support/independent-elf.js';
import { moduleFolder } from '../support/module-folder.js';
import { scratchFolder } from '../support/scratch.js';
import { haveTool } from '../support/tools.js';

const folder = scratchFolder(test, 'metrics');

function value(report: Report, name: string): number {
  const reading = findMetric(name)?.read(report);
  if (reading === undefined || 'missing' in reading) throw new Error(`${name}: ${reading?.missing}`);
  return reading.value;
}

function whole(report: Report, name: string): number | undefined {
  const reading = findMetric(name)?.read(report);
  return reading === undefined || 'missing' in reading ? undefined : reading.whole;
}

/** Bytes that gzip makes of a file, asked by hand. */
async function gzipped(file: string): Promise<number> {
  const { stdout } = await execa('gzip', ['-9', '--no-name', '--stdout', file], { encoding: 'buffer' });
  return stdout.length;
}

for (const kernel of ['armv7-virt', 'riscv64-virt'] as const)
  test(`figures of ${kernel} are those of its files`, async t => {
    if (!haveTool(t, 'gzip', 'gzip')) return;
    const out = join(folder, kernel);
    const vmlinux = fixture(`${kernel}/vmlinux`);
    const modules = moduleFolder(join(folder, `${kernel}-modules`), kernel);
    const report = await runSplit({ file: vmlinux, out, modules, compressors: ['gzip'] });
    const size = (name: string): number => statSync(join(out, name)).size;
    t.is(value(report, 'btf.full'), size('full.btf'));
    t.is(value(report, 'btf.rest'), size('rest.btf'));
    t.is(value(report, 'btf.base'), size('base.btf') - report.padding);
    t.is(value(report, 'carrier.file'), size('vmlinux_btf.ko'));
    t.is(value(report, 'btf.rest.gzip'), await gzipped(join(out, 'rest.btf')));
    t.is(value(report, 'carrier.file.gzip'), await gzipped(join(out, 'vmlinux_btf.ko')));
    t.is(whole(report, 'btf.rest.gzip'), await gzipped(join(out, 'full.btf')));

    const elf = IndependentElf.of(join(out, 'vmlinux'));
    const section = elf.sections.find(({ name }) => name === '.BTF')?.size ?? 0;
    const types = value(report, 'btf.base.types');
    t.is(value(report, 'ram.resident'), section + types * elf.wordSize);
    t.is(whole(report, 'ram.resident'), section + report.full.types * elf.wordSize);

    const [before, after] = [report.modules?.before.bytes ?? 0, value(report, 'modules.btf')];
    t.true(before > 0 && after > 0 && before !== after);
    t.is(whole(report, 'modules.btf'), before);
    t.is(value(report, 'total.flash'), value(report, 'image.file') + size('vmlinux_btf.ko') + after);
    t.is(
      value(report, 'total.flash.gzip'),
      value(report, 'image.file.gzip') + value(report, 'carrier.file.gzip') + after,
    );
    t.is(whole(report, 'total.flash.gzip'), (report.image?.before.compressed.gzip ?? 0) + before);
    t.true(value(report, 'image.partition.gzip') === value(report, 'image.file.gzip'));

    const roots = measuredMetrics(report).filter(({ name }) => name.startsWith('root.'));
    const sum = roots.reduce((total, root) => total + root.value, 0);
    t.is(sum, value(report, 'btf.base') - report.base.headerBytes - 1);
  });

test('each name is found as itself, and no other is', t => {
  t.true(METRIC_NAMES.length > 40);
  for (const name of METRIC_NAMES) t.is(findMetric(name)?.name, name);
  for (const name of [
    '',
    'btf',
    'btf.base.',
    'btf.base.bytes',
    'ram.resident.xz',
    'root.',
    'root.<reason>',
    'root.rest',
    'retained.',
  ])
    t.is(findMetric(name), undefined, name);
});

test('the schema for editors has the same names', t => {
  const { $defs } = JSON.parse(readFileSync(join(repository, 'schema', 'vmlinux-btf.config.schema.json'), 'utf8'));
  t.deepEqual([...$defs.budget.properties.metric.anyOf[0].enum].sort(), [...METRIC_NAMES].sort());
});

test('docs/budgets.md has the table of metrics', t => {
  const document = readFileSync(join(repository, 'docs', 'budgets.md'), 'utf8').split('\n');
  const start = document.findIndex(line => line.startsWith('| metric | unit |'));
  const rows = document.slice(start + 2, document.indexOf('', start));
  t.deepEqual(
    rows,
    FAMILIES.map(({ name, compressors, unit, what, whole }) => {
      const names = compressors.length > 0 ? `\`${name}\`, \`.*\`` : `\`${name}\``;
      return `| ${names} | ${unit === 'bytes' ? 'bytes' : 'types'} | ${what} | ${whole ?? '–'} |`;
    }),
  );
});
