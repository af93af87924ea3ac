import { mkdirSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { execa } from 'execa';
import { fixture, repository } from '../support/fixtures.js';
import { scratchFolder } from '../support/scratch.js';
import { haveTool } from '../support/tools.js';
import { bash, type Ran, readYaml, runSteps, type Workflow } from './shell-steps.js';

const folder = scratchFolder(test, 'recipes');
const FILES = ['action.yml', 'docs/ci/github.yml', 'docs/ci/gitlab.yml'].map(name => join(repository, name));

const HOLDS = { metric: 'btf.base', max: '20 %', maxIncrease: '2 %' };
const BROKEN = { metric: 'btf.base', max: '400 KiB', message: 'ask first' };

/** The repository of a user: its build gives the ARM kernel, and vmlinux-btf is where its submodule would be. */
function workspace(budgets: readonly object[]): string {
  const path = mkdtempSync(join(folder, 'workspace-'));
  symlinkSync(repository, join(path, 'vmlinux-btf'));
  mkdirSync(join(path, 'ci'));
  writeFileSync(join(path, 'vmlinux-btf.config.json'), JSON.stringify({ budgets }));
  const script = `#!/bin/sh\nmkdir -p build && cp '${fixture('armv7-virt/vmlinux')}' build/vmlinux\n`;
  writeFileSync(join(path, 'build-kernel.sh'), script, { mode: 0o755 });
  return path;
}

async function github(path: string): Promise<Ran & { summary: string }> {
  const file = join(path, 'summary.md');
  writeFileSync(file, '');
  const { steps } = readYaml<Workflow>(join(repository, 'docs', 'ci', 'github.yml')).jobs['btf-size'];
  const ran = await runSteps(steps, path, { GITHUB_STEP_SUMMARY: file });
  return { ...ran, summary: readFileSync(file, 'utf8') };
}

interface GitlabJob {
  readonly script: readonly string[];
  readonly artifacts: { readonly reports: { readonly junit: string; readonly metrics: string } };
}

async function gitlab(path: string): Promise<Ran & { junit: string; metrics: string }> {
  const jobs = readYaml<{ kernel: GitlabJob; 'btf-size': GitlabJob }>(join(repository, 'docs', 'ci', 'gitlab.yml'));
  const built = await bash(jobs.kernel.script.join('\n'), path);
  if (built.exitCode !== 0) throw new Error(built.stderr);
  const { script, artifacts } = jobs['btf-size'];
  const ran = await bash(script.join('\n'), path, { GITHUB_STEP_SUMMARY: '' });
  const [junit, metrics] = [artifacts.reports.junit, artifacts.reports.metrics].map(name =>
    readFileSync(join(path, name), 'utf8'),
  );
  return { ...ran, junit, metrics };
}

function haveCompressors(t: ExecutionContext): boolean {
  return haveTool(t, 'gzip', 'gzip') && haveTool(t, 'xz', 'xz-utils');
}

test('GitHub: the workflow passes while budgets hold, with a summary and JUnit', async t => {
  t.timeout(600_000, 'a split with compressors');
  if (!haveCompressors(t)) return;
  const path = workspace([HOLDS]);
  const { exitCode, stdout, stderr, summary } = await github(path);
  t.is(exitCode, 0, stderr);
  t.regex(stdout, /^::notice title=Size budget of btf\.base::/m);
  t.true(summary.includes('| ok | btf.base | 410,037 |'), summary);
  t.regex(readFileSync(join(path, 'btf-junit.xml'), 'utf8'), /<testsuite name="budgets" tests="1" failures="0"/);
});

test('GitHub: it fails when one is broken, and says which', async t => {
  t.timeout(600_000, 'a split with compressors');
  if (!haveCompressors(t)) return;
  const path = workspace([HOLDS, BROKEN]);
  const { exitCode, stdout, summary } = await github(path);
  t.is(exitCode, 1);
  t.regex(stdout, /^::error title=Size budget of btf\.base::.*437 above 409,600.*%0Aask first$/m);
  t.true(summary.includes('| error | btf.base | 410,037 | - | max 400 KiB | 409,600 | +437 |'), summary);
  t.regex(readFileSync(join(path, 'btf-junit.xml'), 'utf8'), /failures="1"/);
});

test('GitHub: a wrong configuration fails too, before anything is written', async t => {
  t.timeout(600_000, 'a split with compressors');
  const path = workspace([]);
  writeFileSync(join(path, 'report.json'), '{}');
  const step = { uses: './vmlinux-btf', with: { report: 'report.json', junit: 'junit.xml' } };
  const { exitCode, stderr } = await runSteps([step], path, { GITHUB_STEP_SUMMARY: '' });
  t.is(exitCode, 1);
  t.regex(stderr, /\[config\]/);
  t.throws(() => readFileSync(join(path, 'junit.xml')), { code: 'ENOENT' });
});

test('GitLab: the job leaves JUnit and metrics, broken or not', async t => {
  t.timeout(600_000, 'two splits with compressors');
  if (!haveCompressors(t)) return;
  for (const [budgets, exitCode] of [
    [[HOLDS], 0],
    [[HOLDS, BROKEN], 1],
  ] as const) {
    const ran = await gitlab(workspace(budgets));
    t.is(ran.exitCode, exitCode, ran.stderr);
    t.regex(ran.junit, new RegExp(`failures="${exitCode}"`));
    t.true(ran.metrics.includes('vmlinux_btf_size_bytes{metric="btf.base"} 410037\n'), ran.metrics);
    t.regex(ran.metrics, /^vmlinux_btf_size_bytes\{metric="image\.file\.xz"\} \d+$/m);
  }
});

test('the recipes are what yamllint lets pass', async t => {
  if (!haveTool(t, 'yamllint', 'yamllint')) return;
  const rules = '{extends: default, rules: {line-length: {max: 120}}}';
  const { stdout, exitCode } = await execa('yamllint', ['--strict', '-d', rules, ...FILES], { reject: false });
  t.is(exitCode, 0, stdout);
});

test('nothing that somebody else may choose is pasted into a shell', t => {
  for (const file of FILES) {
    const shell = JSON.stringify(readYaml(file), (key, value) => (key === 'env' ? undefined : value));
    t.false(shell.includes('${{'), file);
  }
});
