import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { parse } from 'yaml';

/** What of a step of GitHub Actions the recipes use. */
export interface Step {
  readonly name?: string;
  readonly uses?: string;
  readonly with?: Readonly<Record<string, string>>;
  readonly run?: string;
  readonly shell?: string;
  readonly env?: Readonly<Record<string, string>>;
}

export interface Workflow {
  readonly jobs: Readonly<Record<string, { readonly steps: readonly Step[] }>>;
}

interface Action {
  readonly inputs: Readonly<Record<string, { readonly required: boolean; readonly default?: string }>>;
  readonly runs: { readonly using: string; readonly steps: readonly Step[] };
}

export interface Ran {
  readonly exitCode: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs commands as GitHub and GitLab do: a bash that ends at the first one that fails, also in a pipe. */
export async function bash(script: string, cwd: string, env: Readonly<Record<string, string>> = {}): Promise<Ran> {
  const args = ['--noprofile', '--norc', '-eo', 'pipefail', '-c', script];
  const { exitCode, stdout, stderr } = await execa('bash', args, { cwd, env, stdin: 'ignore', reject: false });
  return { exitCode, stdout, stderr };
}

export function readYaml<T>(file: string): T {
  return parse(readFileSync(file, 'utf8')) as T;
}

/**
 * Runs the steps of a job up to the first that fails. Actions of the workspace are run too; those of others, which check out and
 * upload, are passed over.
 */
export async function runSteps(
  steps: readonly Step[],
  workspace: string,
  env: Readonly<Record<string, string>>,
  values: Readonly<Record<string, string>> = {},
): Promise<Ran> {
  let ran: Ran = { exitCode: 0, stdout: '', stderr: '' };
  for (const step of steps) {
    const next = await runStep(step, workspace, env, values);
    ran = { exitCode: next.exitCode, stdout: ran.stdout + next.stdout, stderr: ran.stderr + next.stderr };
    if (ran.exitCode !== 0) return ran;
  }
  return ran;
}

async function runStep(
  step: Step,
  workspace: string,
  env: Readonly<Record<string, string>>,
  values: Readonly<Record<string, string>>,
): Promise<Ran> {
  if (step.run !== undefined) {
    const own = Object.entries(step.env ?? {}).map(([name, text]) => [name, expand(text, values)]);
    return bash(step.run, workspace, { ...env, ...Object.fromEntries(own) });
  }
  if (!step.uses?.startsWith('./')) return { exitCode: 0, stdout: '', stderr: '' };
  const path = join(workspace, step.uses);
  const { inputs, runs } = readYaml<Action>(join(path, 'action.yml'));
  if (runs.using !== 'composite' || runs.steps.some(({ shell }) => shell !== 'bash'))
    throw new Error('a composite action names the shell of each step');
  for (const name of Object.keys(step.with ?? {}))
    if (!Object.hasOwn(inputs, name)) throw new Error(`no input ${name}`);
  const given = Object.entries(inputs).map(([name, { required, default: otherwise }]) => {
    const value = step.with?.[name] ?? otherwise;
    if (value === undefined || (required && value === '')) throw new Error(`input ${name} is missing`);
    return [`inputs.${name}`, value];
  });
  return runSteps(runs.steps, workspace, env, { ...Object.fromEntries(given), 'github.action_path': path });
}

/** Expressions of the one form that the recipes use; any other is an error. */
function expand(text: string, values: Readonly<Record<string, string>>): string {
  return text.replace(/\$\{\{\s*(.*?)\s*\}\}/g, (_, name: string) => {
    if (!Object.hasOwn(values, name)) throw new Error(`no value of ${name}`);
    return values[name];
  });
}
