import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import type { Report } from '../../plugin/report/model.js';
import { REPORT } from '../support/any-report.js';
import { type CliRun, cli, cliPath, ERROR_LINE, splitQuickly } from '../support/cli.js';
import { fixture, repository } from '../support/fixtures.js';
import { scratchFolder } from '../support/scratch.js';
import { haveTool } from '../support/tools.js';

const folder = scratchFolder(test, 'check');

/** A folder with a report, `report.json`, and the configuration that a project has; `run` works in it. */
function project(budgets: readonly object[], report: Report = REPORT): { cwd: string; run: Run } {
  const cwd = mkdtempSync(join(folder, 'project-'));
  writeFileSync(join(cwd, 'vmlinux-btf.config.json'), JSON.stringify({ budgets }));
  writeFileSync(join(cwd, 'report.json'), JSON.stringify(report));
  return { cwd, run: (...args) => cli(['check', 'report.json', ...args], { cwd, env: ENVIRONMENT }) };
}

type Run = (...args: readonly string[]) => Promise<CliRun>;

/** The tests themselves may run in GitHub Actions. */
const ENVIRONMENT = { GITHUB_STEP_SUMMARY: '' };
const HOLDS = { metric: 'btf.base', max: '1 MiB' };
const BROKEN = { metric: 'btf.base', max: '10 %', message: 'ask first' };

function larger(bytes: number): Report {
  return { ...REPORT, base: { ...REPORT.base, bytes } };
}

test('1 when a budget of level error is broken, 0 when only one of level warn is', async t => {
  for (const [budgets, exitCode, says] of [
    [[HOLDS], 0, '1 budget: all hold\n'],
    [[HOLDS, { ...BROKEN, level: 'warn' }], 0, '2 budgets: 1 warning\n'],
    [[HOLDS, BROKEN], 1, '2 budgets: 1 broken\n'],
  ] as const) {
    const ran = await project(budgets).run();
    t.is(ran.exitCode, exitCode, ran.stderr);
    t.is(ran.stderr, '');
    t.true(ran.stdout.endsWith(says), ran.stdout);
  }
  const quiet = await project([HOLDS]).run('--quiet');
  t.deepEqual(quiet, { exitCode: 0, stdout: '', stderr: '' });
  t.true((await project([BROKEN]).run('--quiet')).stdout.includes('ask first'));
});

test('a baseline: none yet, written, compared with, accepted', async t => {
  const budgets = [{ metric: 'btf.base', maxIncrease: '2 %', andAtLeast: '100' }];
  const { cwd, run } = project(budgets);
  const first = await run('--baseline', 'base.json');
  t.is(first.exitCode, 0);
  t.true(first.stdout.includes('note: there is no baseline base.json yet'), first.stdout);
  t.deepEqual(readdirSync(cwd).sort(), ['report.json', 'vmlinux-btf.config.json']);

  t.is((await run('--baseline', 'base.json', '--update-baseline')).exitCode, 0);
  t.deepEqual(readFileSync(join(cwd, 'base.json')), readFileSync(join(cwd, 'report.json')));
  const same = await run('--baseline', 'base.json');
  t.is(same.exitCode, 0);
  t.true(same.stdout.includes('all hold'), same.stdout);

  writeFileSync(join(cwd, 'report.json'), JSON.stringify(larger(2_400)));
  const grown = await run('--baseline', 'base.json');
  t.is(grown.exitCode, 1);
  t.regex(grown.stdout, /error +btf\.base +2,400 +2,300 +maxIncrease 2 %, from 100 on +2,399 +\+1\n/);
  const accepted = await run('--baseline', 'base.json', '--update-baseline');
  t.is(accepted.exitCode, 0);
  t.true(accepted.stdout.includes('accepted: it is the new baseline'), accepted.stdout);
  t.true((await run('--baseline', 'base.json')).stdout.includes('all hold'));
});

test('--update-baseline leaves the former baseline when it cannot be compared with', async t => {
  const { cwd, run } = project([HOLDS]);
  const input = { ...REPORT.input, architecture: 'MIPS 32 bit big-endian' };
  const cases = [
    [JSON.stringify({ ...REPORT, input }), 'report-foreign', 3],
    [JSON.stringify({ ...REPORT, schemaVersion: 2 }), 'report-version', 3],
    ['{}', 'report', 3],
  ] as const;
  for (const [text, code, exitCode] of cases) {
    writeFileSync(join(cwd, 'base.json'), text);
    for (const more of [[], ['--update-baseline']]) {
      const ran = await run('--baseline', 'base.json', ...more);
      t.is(ran.exitCode, exitCode);
      t.is(ran.stdout, '');
      t.is(ERROR_LINE.exec(ran.stderr)?.[1], code, ran.stderr);
      t.true(ran.stderr.includes('base.json'), ran.stderr);
      t.is(readFileSync(join(cwd, 'base.json'), 'utf8'), text);
    }
  }
});

test('each thing that is wrong is one line', async t => {
  const { cwd, run } = project([HOLDS]);
  writeFileSync(join(cwd, 'none.json'), '{"keep": []}');
  writeFileSync(join(cwd, 'wrong.json'), '{"budgets": [{"metric": "btf.bas", "max": "1"}]}');
  symlinkSync('report.json', join(cwd, 'link.json'));
  for (const [args, code, exitCode] of [
    [['--config', 'none.json'], 'config', 2],
    [['--config', 'wrong.json'], 'config', 2],
    [['--config', 'missing.json'], 'file-unreadable', 3],
    [['--update-baseline'], 'usage', 2],
    [['--format', 'xml'], 'usage', 2],
    [['--baseline', 'link.json', '--update-baseline'], 'out-is-input', 2],
    [['--output', 'link.json'], 'out-is-input', 2],
    [['--output', 'vmlinux-btf.config.json', '--config', 'vmlinux-btf.config.json'], 'out-is-input', 2],
    [['--output', 'no/such/folder'], 'write-failed', 4],
    [['--baseline', 'no/such/folder', '--update-baseline'], 'write-failed', 4],
  ] as const) {
    const ran = await run(...args);
    t.is(ran.exitCode, exitCode, `${args.join(' ')}: ${ran.stderr}`);
    t.is(ERROR_LINE.exec(ran.stderr)?.[1], code, `${args.join(' ')}: ${ran.stderr}`);
    t.is(ran.stdout, '');
  }
  t.deepEqual(readdirSync(cwd).sort(), [
    'link.json',
    'none.json',
    'report.json',
    'vmlinux-btf.config.json',
    'wrong.json',
  ]);
  const elsewhere = await cli(['check', join(cwd, 'report.json')], { cwd: folder });
  t.is(ERROR_LINE.exec(elsewhere.stderr)?.[1], 'config', elsewhere.stderr);
  const absent = await cli(['check', 'absent.json'], { cwd });
  t.is(ERROR_LINE.exec(absent.stderr)?.[1], 'file-unreadable', absent.stderr);
  const asJson = await run('--json', '--config', 'wrong.json');
  t.is(JSON.parse(asJson.stdout).error.code, 'config');
  t.true(JSON.parse(asJson.stdout).error.detail.includes('did you mean btf.base?'));
});

test('--output has the format, and findings are printed all the same', async t => {
  const { cwd, run } = project([BROKEN]);
  for (const format of ['text', 'json', 'markdown', 'junit', 'openmetrics', 'github']) {
    const printed = await run('--format', format);
    const ran = await run('--format', format, '--output', 'findings');
    t.is(ran.exitCode, 1);
    t.is(readFileSync(join(cwd, 'findings'), 'utf8'), printed.stdout);
    t.is(ran.stdout, format === 'github' ? printed.stdout : (await run()).stdout);
  }
  const { findings, errors } = JSON.parse((await run('--json')).stdout);
  t.is(errors, 1);
  t.like(findings[0], { metric: 'btf.base', value: 2300, verdict: 'error', message: 'ask first' });
  t.like(findings[0].limits[0], { key: 'max', asked: '10 %', limit: 1230, difference: 1070 });
});

test('--format github appends the table to the step summary', async t => {
  const { cwd, run } = project([BROKEN]);
  const summary = join(cwd, 'summary.md');
  writeFileSync(summary, 'of an earlier step\n');
  const env = { GITHUB_STEP_SUMMARY: summary };
  const ran = await cli(['check', 'report.json', '--format', 'github'], { cwd, env });
  t.is(ran.exitCode, 1);
  t.regex(ran.stdout, /^::error title=Size budget of btf\.base::/m);
  const { stdout: markdown } = await run('--format', 'markdown');
  t.is(readFileSync(summary, 'utf8'), `of an earlier step\n${markdown}`);
  await cli(['check', 'report.json'], { cwd, env });
  t.is(readFileSync(summary, 'utf8'), `of an earlier step\n${markdown}`);
  const unwritable = await cli(['check', 'report.json', '--format', 'github'], {
    cwd,
    env: { GITHUB_STEP_SUMMARY: cwd },
  });
  t.is(ERROR_LINE.exec(unwritable.stderr)?.[1], 'write-failed');
});

test('colours are for terminals, and not with NO_COLOR', async t => {
  if (!haveTool(t, 'script', 'bsdutils')) return;
  const { cwd, run } = project([HOLDS]);
  const onTerminal = (env: Record<string, string>): string =>
    execFileSync('script', ['-qec', `'${process.execPath}' '${cliPath}' check report.json`, '/dev/null'], {
      cwd,
      env: { ...process.env, TERM: 'xterm', NO_COLOR: '', ...env },
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
    });
  t.true(onTerminal({}).includes('\u001b[32mok\u001b[0m'));
  for (const env of [{ NO_COLOR: '1' }, { TERM: 'dumb' }]) t.false(onTerminal(env).includes('\u001b'));
  t.false((await run()).stdout.includes('\u001b'));
});

test('a configuration with budgets is one for split and kbuild as well, and a wrong budget is told there too', async t => {
  const { cwd } = project([HOLDS, BROKEN]);
  const vmlinux = fixture('armv7-virt/vmlinux');
  const config = join(cwd, 'vmlinux-btf.config.json');
  t.is((await splitQuickly(vmlinux, join(cwd, 'out'), '--config', config)).exitCode, 0);
  const kbuild = await cli(['kbuild', '--config', config, '--pahole', '/bin/true']);
  t.is(kbuild.exitCode, 0, kbuild.stderr);
  writeFileSync(config, '{"budgets": [{"metric": "btf.base", "max": "1 kib"}]}');
  const wrong = await splitQuickly(vmlinux, join(cwd, 'out'), '--config', config);
  t.is(wrong.exitCode, 2);
  t.regex(wrong.stderr, /budgets\[0\]\.max: "kib": no such unit; did you mean KiB\?/);
});

/** The blocks of a document that are indented, without their indentation. */
function blocks(markdown: string): string[] {
  return markdown
    .split(/\n{2,}(?! {4})|\n\n(?= {4})/)
    .filter(part => part.startsWith('    '))
    .map(part => part.replace(/^ {4}/gm, ''));
}

test('the example of docs/budgets.md prints what stands there', async t => {
  const [config, example] = blocks(readFileSync(join(repository, 'docs', 'budgets.md'), 'utf8'));
  const cwd = join(folder, 'document');
  mkdirSync(cwd);
  t.is((await splitQuickly(fixture('armv7-virt/vmlinux'), join(cwd, 'out'))).exitCode, 0);
  writeFileSync(join(cwd, 'vmlinux-btf.config.json'), config);
  const [command, ...output] = example.trimEnd().split('\n');
  const { stdout, stderr } = await cli(command.replace('$ vmlinux-btf ', '').split(' '), { cwd, env: ENVIRONMENT });
  t.is(stderr, '');
  t.deepEqual(stdout.trimEnd().split('\n'), output);
});
