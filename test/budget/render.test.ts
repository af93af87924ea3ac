import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { execa } from 'execa';
import fc from 'fast-check';
import type { Checked } from '../../plugin/budget/checked.js';
import { evaluate } from '../../plugin/budget/evaluate.js';
import { renderGithub } from '../../plugin/budget/render/github.js';
import { renderJunit } from '../../plugin/budget/render/junit.js';
import { renderMarkdown } from '../../plugin/budget/render/markdown.js';
import { renderOpenMetrics } from '../../plugin/budget/render/openmetrics.js';
import { renderText } from '../../plugin/budget/render/text.js';
import { parseConfig } from '../../plugin/config/config.js';
import { REPORT } from '../support/any-report.js';
import { repository } from '../support/fixtures.js';
import { scratchFolder } from '../support/scratch.js';
import { haveTool, missing } from '../support/tools.js';

const folder = scratchFolder(test, 'render');

function checked(budgets: readonly object[], over: Partial<Checked> = {}): Checked {
  const parsed = parseConfig(JSON.stringify({ budgets }), 'c.json').budgets;
  const findings = evaluate(parsed, REPORT, { why: 'there is none yet' });
  return { reportFile: 'out/report.json', report: REPORT, baselineFile: undefined, notes: [], findings, ...over };
}

/** One of each verdict; the base has 2,300 of 12,300 bytes. */
const EACH = checked([
  { metric: 'btf.base', max: '1 MiB' },
  { metric: 'btf.rest', maxIncrease: '2 %' },
  { metric: 'btf.base', max: '2 kB', level: 'warn' },
  { metric: 'btf.base', max: '10 %', message: 'ask: 100%,\nthen <wait>' },
  { metric: 'btf.base.xz', max: '1 KiB' },
]);

test('text has a line for each limit, broken ones first, then remarks and the sum', t => {
  t.is(
    renderText(EACH),
    `report out/report.json
          metric        value  baseline  budget             at most       above
  error   btf.base      2,300         -  max 10 %             1,230      +1,070
  error   btf.base.xz       -         -  max 1 KiB                -           -
  warn    btf.base      2,300         -  max 2 kB             2,000        +300
  notice  btf.rest     10,000         -  maxIncrease 2 %          -           -
  ok      btf.base      2,300         -  max 1 MiB        1,048,576  -1,046,276
btf.base: ask: 100%,\\x0athen <wait>
btf.base.xz: not measured: xz is not installed
btf.rest: baseline: there is none yet
5 budgets: 2 broken, 1 warning, 1 notice
`,
  );
});

test('colours change nothing but colours', t => {
  const coloured = renderText(EACH, true);
  t.true(coloured.includes('\u001b[31merror\u001b[0m   btf.base'));
  // biome-ignore lint/suspicious/noControlCharactersInRegex: it is what is looked for.
  t.is(coloured.replace(/\u001b\[\d+m/g, ''), renderText(EACH));
});

test('all that holds is said in a word', t => {
  t.regex(renderText(checked([{ metric: 'btf.base', max: '1 MiB' }])), /\n1 budget: all hold\n$/);
});

test('GitHub gets a command for each limit that does not simply hold, escaped as its toolkit does', t => {
  const notes = ['the baseline has another kernel: 6.1, now 6.12'];
  const lines = renderGithub({ ...EACH, notes }).split('\n');
  t.deepEqual(
    lines.filter(line => line.startsWith('::')),
    [
      '::error title=Size budget of btf.base::btf.base is 2,300 bytes: 1,070 above 1,230 (max 10 %25)%0Aask: 100%25,%0Athen <wait>',
      '::error title=Size budget of btf.base.xz::btf.base.xz is not measured (max 1 KiB): xz is not installed',
      '::warning title=Size budget of btf.base::btf.base is 2,300 bytes: 300 above 2,000 (max 2 kB)',
      '::notice title=Size budget of btf.rest::btf.rest is 10,000 bytes (maxIncrease 2 %25); baseline: there is none yet',
      '::notice title=Baseline::the baseline has another kernel: 6.1, now 6.12',
    ],
  );
});

/** Text that a configuration or a report may bring into any format. */
const hostile = fc.oneof(
  fc.string({ unit: 'binary', minLength: 1, maxLength: 40 }),
  fc.string({
    unit: fc.constantFrom(...'\n\r:,%|<>&"\'\\`[]]>\u0000\u001b\u202e\ud800\ufffe{}#'),
    minLength: 1,
    maxLength: 40,
  }),
  fc.constantFrom('::error::x', '\n::error::x', ']]>', '-->', '"} 1\n# EOF\n', '<script>', '| a |\n'),
);

const hostileChecked = fc.tuple(hostile, hostile, hostile).map(([message, root, file]) =>
  checked(
    [
      { metric: 'btf.base', max: '1', message },
      { metric: `retained.${root}`, max: '1', level: 'warn', message },
    ],
    { reportFile: file, baselineFile: file, notes: [message] },
  ),
);

test('whatever is in a name or a message, no line of it begins a command, and text stays lines', t => {
  fc.assert(
    fc.property(hostileChecked, one => {
      const commands = renderGithub(one)
        .split(/\r\n|\r|\n/)
        .filter(line => line.trimStart().startsWith('::'));
      const text = renderText(one);
      return commands.length === 3 && text.split(/[\n\r\u2028\u2029]/).length === 10;
    }),
    { seed: 1 },
  );
  t.pass();
});

test('the table of markdown keeps its columns', t => {
  fc.assert(
    fc.property(hostileChecked, one => {
      const rows = renderMarkdown(one)
        .split('\n')
        .filter(line => line.startsWith('|'));
      return rows.length === 4 && rows.every(row => row.replaceAll('\\|', '').split('|').length === 9);
    }),
    { seed: 1 },
  );
  t.true(renderMarkdown(EACH).includes('| error | btf.base | 2,300 | - | max 10 % | 1,230 | +1,070 |'));
});

async function validate(t: ExecutionContext, xmls: readonly string[]): Promise<string> {
  const files = xmls.map((xml, nth) => {
    const file = join(folder, `${nth}.xml`);
    writeFileSync(file, xml);
    return file;
  });
  const xsd = join(repository, 'test', 'budget', 'junit.xsd');
  const { exitCode, stderr } = await execa('xmllint', ['--noout', '--schema', xsd, ...files], { reject: false });
  t.is(exitCode, 0, stderr.slice(0, 2000));
  return stderr;
}

test('JUnit fits the schema of its readers, whatever is in names and messages', async t => {
  if (!haveTool(t, 'xmllint', 'libxml2-utils')) return;
  await validate(t, [renderJunit(EACH), ...fc.sample(hostileChecked, { numRuns: 100, seed: 1 }).map(renderJunit)]);
});

test('the schema refuses what it should', async t => {
  if (!haveTool(t, 'xmllint', 'libxml2-utils')) return;
  const good = renderJunit(EACH);
  const xsd = join(repository, 'test', 'budget', 'junit.xsd');
  for (const [from, to] of [
    [' tests="5"', ''],
    ['<failure type="budget"', '<failure'],
    ['classname=', 'class='],
    ['failures="2"', 'failures="two"'],
    ['<testsuite name="budgets"', '<testsuite'],
  ]) {
    t.true(good.includes(from), from);
    const { exitCode } = await execa('xmllint', ['--noout', '--schema', xsd, '-'], {
      input: good.replace(from, to),
      reject: false,
    });
    t.is(exitCode, 3, from);
  }
});

test('JUnit: errors fail, warnings pass and say so, what has no comparison is skipped', async t => {
  if (!haveTool(t, 'xmllint', 'libxml2-utils')) return;
  const ask = async (path: string): Promise<string> =>
    (await execa('xmllint', ['--xpath', path, '-'], { input: renderJunit(EACH) })).stdout;
  t.is(await ask('string(/testsuites/@failures)'), '2');
  t.is(await ask('count(//failure)'), '2');
  t.is(await ask('count(//skipped)'), '1');
  t.is(await ask('string(//testcase[1]/failure/@message)'), 'btf.base is 2,300 bytes: 1,070 above 1,230 (max 10 %)');
  t.regex(await ask('string(//testcase[1]/failure)'), /\nask: 100%,\nthen <wait>$/);
  t.is(await ask('string(//failure[@type="not-measured"]/../@name)'), 'btf.base.xz: max 1 KiB');
  t.regex(await ask('string(//testcase[@name="btf.base: max 2 kB"]/system-out)'), /300 above 2,000/);
});

const PARSER = `
import json, sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse
print(json.dumps([[f.name, f.type, f.unit, s.labels, s.value] for f in parse(sys.stdin.read()) for s in f.samples]))
`;

/** Debian's own Python has Debian's packages; another one may come first on PATH. */
async function python(t: ExecutionContext): Promise<string | undefined> {
  for (const program of ['/usr/bin/python3', 'python3']) {
    const { exitCode } = await execa(program, ['-c', 'import prometheus_client.openmetrics.parser'], { reject: false });
    if (exitCode === 0) return program;
  }
  missing(t, 'the OpenMetrics parser (apt-get install python3-prometheus-client)');
  return undefined;
}

test('OpenMetrics is read by the parser of prometheus_client, with every figure', async t => {
  const program = await python(t);
  if (program === undefined) return;
  const read = async (one: Checked): Promise<[string, string, string, Record<string, string>, number][]> =>
    JSON.parse((await execa(program, ['-c', PARSER], { input: renderOpenMetrics(one) })).stdout);
  const samples = await read(EACH);
  const size = (metric: string) => samples.filter(sample => sample[3].metric === metric);
  t.deepEqual(size('btf.base'), [['vmlinux_btf_size_bytes', 'gauge', 'bytes', { metric: 'btf.base' }, 2300]]);
  t.deepEqual(size('btf.base.gzip')[0][4], 766);
  t.deepEqual(size('btf.base.xz'), []);
  t.deepEqual(size('btf.base.types'), [['vmlinux_btf_types', 'gauge', '', { metric: 'btf.base.types' }, 100]]);
  t.deepEqual(
    samples.filter(([name]) => name === 'vmlinux_btf_budgets_broken').map(([, , , labels, value]) => [labels, value]),
    [
      [{ level: 'error' }, 2],
      [{ level: 'warn' }, 1],
    ],
  );
  for (const root of ['func:"x"\\', 'a\nb # EOF', '\ud800'])
    await t.notThrowsAsync(
      read({
        ...EACH,
        findings: [{ ...EACH.findings[0], metric: `retained.${root}` }],
      }),
    );
});
