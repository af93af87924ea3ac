import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { repository } from './fixtures.js';

export const cliPath = join(repository, 'build', 'bin', 'vmlinux-btf.cjs');

export interface CliRun {
  readonly exitCode: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CliOptions {
  readonly cwd?: string;
  /** Run as this user, where the tests run as root. */
  readonly uid?: number;
  /** Besides the environment of the tests. */
  readonly env?: Readonly<Record<string, string>>;
  /** How bytes become characters: `latin1` where names of BTF are compared. */
  readonly encoding?: 'utf8' | 'latin1';
}

/** Runs the compiled program as a user would, with neither a terminal nor an input. */
export async function cli(
  args: readonly string[],
  { encoding = 'utf8', ...options }: CliOptions = {},
): Promise<CliRun> {
  const { exitCode, stdout, stderr } = await execa(process.execPath, [cliPath, ...args], {
    ...options,
    encoding,
    stdin: 'ignore',
    reject: false,
    stripFinalNewline: false,
    maxBuffer: 2 ** 28,
  });
  return { exitCode, stdout, stderr };
}

/** `split FILE -o OUT` without measuring compressed sizes, which costs most of the time. */
export function splitQuickly(file: string, out: string, ...more: readonly string[]): Promise<CliRun> {
  return cli(['split', file, '-o', out, '--sizes', 'none', ...more]);
}

export function sha256Of(file: string): string {
  return createHash('sha256').update(readFileSync(file)).digest('hex');
}

/** SHA-256 of each file of a folder, by name. */
export function hashesOf(folder: string): Record<string, string> {
  return Object.fromEntries(
    readdirSync(folder)
      .sort()
      .map(name => [name, sha256Of(join(folder, name))]),
  );
}

/** One line of the form `vmlinux-btf: <what> (<detail>): <where>: <what to do> [<code>]`, and nothing else. */
export const ERROR_LINE = /^vmlinux-btf: [^\n(]+ \([^\n]+\): (?:[^\n]+: )?[^\n]+ \[([a-z-]+)\]\n$/;
