import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CodedError, type ErrorCode, formatError } from '../../plugin/errors.js';
import type { Seed } from './seed.js';

/** A way into the program that takes files which others made. */
export interface Target {
  readonly name: string;
  /** Its share of the cases, in parts of the sum over all targets: slow ones get less. */
  readonly weight: number;
  /** Made when they are first asked for. */
  readonly seeds: () => readonly Seed[];
  /** Reads the parts; `folder` is empty, and emptied afterwards. May throw coded errors and nothing else. */
  readonly run: (parts: readonly Uint8Array[], folder: string) => unknown;
  /** Codes of exit 1 that are an answer here, not a defect. */
  readonly mayFail?: readonly ErrorCode[];
}

/** What a run came to: a result, a coded error that a person can act on, or a defect. */
export type Outcome =
  | { readonly kind: 'fine' }
  | { readonly kind: 'refused'; readonly code: ErrorCode }
  | { readonly kind: 'crash'; readonly what: string };

/** Runs a target on parts of its own. Never throws. */
export async function runTarget(target: Target, parts: readonly Uint8Array[], folder: string): Promise<Outcome> {
  const kept = parts.map(part => part.slice());
  let outcome: Outcome = { kind: 'fine' };
  try {
    await target.run(parts, folder);
  } catch (error) {
    outcome = judge(error, target.mayFail ?? []);
  }
  const changed = parts.findIndex((part, i) => Buffer.compare(part, kept[i]) !== 0);
  return changed < 0 ? outcome : { kind: 'crash', what: `it changed its input, part ${changed}` };
}

/** Exit 2 and 3 are what a mutated input may come to. */
export function judge(error: unknown, mayFail: readonly ErrorCode[] = []): Outcome {
  if (!(error instanceof CodedError)) return { kind: 'crash', what: describe(error) };
  if (error.exitCode !== 2 && error.exitCode !== 3 && !mayFail.includes(error.code))
    return { kind: 'crash', what: `exit ${error.exitCode}: ${describe(error)}` };
  const line = formatError(error);
  return line.includes('\n') || line.length > 4096
    ? { kind: 'crash', what: `its message is no short line: ${line.slice(0, 200)}` }
    : { kind: 'refused', code: error.code };
}

/** Message and the innermost calls, without paths of this machine. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return `thrown: ${String(error)}`;
  const calls = (error.stack ?? '')
    .split('\n')
    .filter(line => line.startsWith('    at '))
    .slice(0, 4)
    .map(line => line.trim().replace(/\(?(?:file:\/\/)?\/[^)]*\/build\//, '('));
  return [`${error.name}: ${error.message.slice(0, 200)}`, ...calls].join(' ');
}

/** Writes a part as a file, lets `use` read it, and holds it to leaving the file as it was. */
export async function withFile<T>(
  folder: string,
  name: string,
  bytes: Uint8Array,
  use: (file: string) => T | Promise<T>,
): Promise<T> {
  const file = join(folder, name);
  writeFileSync(file, bytes);
  const outcome = await Promise.resolve(file)
    .then(use)
    .then(
      value => ({ value }),
      (error: unknown) => ({ error }),
    );
  if (Buffer.compare(readFileSync(file), bytes) !== 0) throw new Error('it changed its input file');
  rmSync(file);
  if ('error' in outcome) throw outcome.error;
  return outcome.value;
}

/** An empty folder in place of what stood there. */
export function emptied(folder: string): string {
  if (existsSync(folder)) rmSync(folder, { recursive: true });
  mkdirSync(folder, { recursive: true });
  return folder;
}
