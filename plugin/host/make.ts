import { accessSync, constants, realpathSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { CodedError } from '../errors.js';

/**
 * Runs a program on our own terminal until it ends. `output`: where its standard output goes. Throws `tool-missing`,
 * `tool-failed`.
 */
export async function runProgram(
  program: string,
  words: readonly string[],
  environment: Readonly<Record<string, string>>,
  output: 'stdout' | 'stderr',
): Promise<void> {
  const { execa } = await import('execa');
  const result = await execa(program, words, {
    stdio: ['inherit', output === 'stdout' ? 'inherit' : 2, 'inherit'],
    env: environment,
    reject: false,
  });
  if (result.code === 'ENOENT') throw new CodedError('tool-missing', program);
  if (result.failed)
    throw new CodedError(
      'tool-failed',
      result.exitCode === undefined
        ? `${program} was ended by ${result.signal}`
        : `${program} exited with ${result.exitCode}`,
    );
}

/** First program of this name on PATH that is not `not`; undefined when there is none. */
export function findOnPath(name: string, not: string): string | undefined {
  const self = realpathSync(not);
  return (process.env.PATH ?? '')
    .split(delimiter)
    .map(folder => join(folder === '' ? '.' : folder, name))
    .find(path => isProgram(path) && realpathSync(path) !== self);
}

export function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
