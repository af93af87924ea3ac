import type { Budget } from '../budget/budget.js';
import { CodedError } from '../errors.js';
import { jsonPath } from '../json-path.js';
import { nearest } from '../nearest.js';
import { parseBudgets, type Wrong } from './budgets.js';

/** Looked for in the working folder when no other is named. */
export const CONFIG_FILE = 'vmlinux-btf.config.json';

/** What a configuration may say; schema/vmlinux-btf.config.schema.json says the same. */
export interface Config {
  /** Keep rules, as `--keep` takes them. */
  readonly keep: readonly string[];
  /** BPF objects whose needs are kept, as `--keep-for` takes them; paths from the folder of the configuration. */
  readonly keepFor: readonly string[];
  /** The real pahole of a kernel build: a name that is looked for on PATH, or a path from the folder of the configuration. */
  readonly pahole?: string;
  /** Limits that `check` holds a report to. */
  readonly budgets: readonly Budget[];
}

/** A configuration that says nothing. */
export const NO_CONFIG: Config = { keep: [], keepFor: [], budgets: [] };

/** What a key's value must be. */
type Shape = 'texts' | 'text' | 'budgets';

const KEYS: Readonly<Record<string, Shape>> = {
  $schema: 'text',
  keep: 'texts',
  keepFor: 'texts',
  pahole: 'text',
  budgets: 'budgets',
};

/** Throws `config` with the JSON path of what is wrong and, for an unknown key, the nearest known one. */
export function parseConfig(text: string, file: string): Config {
  const wrong: Wrong = (path, detail) =>
    new CodedError('config', path.length === 0 ? detail : `${jsonPath(path)}: ${detail}`, { file });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw wrong([], `no JSON: ${(error as Error).message}`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrong([], 'it is no object');
  let budgets: readonly Budget[] = [];
  for (const [key, entry] of Object.entries(value)) {
    const shape = Object.hasOwn(KEYS, key) ? KEYS[key] : undefined;
    if (shape === undefined) {
      const near = nearest(key, Object.keys(KEYS));
      throw wrong([key], `no such key${near === undefined ? '' : `; did you mean ${near}?`}`);
    }
    if (shape === 'text') checkText(entry, [key], wrong);
    else if (shape === 'budgets') budgets = parseBudgets(entry, [key], wrong);
    else if (!Array.isArray(entry)) throw wrong([key], 'it must be an array');
    else for (const [i, item] of entry.entries()) checkText(item, [key, i], wrong);
  }
  const { keep = [], keepFor = [], pahole } = value as Partial<Config>;
  return { keep, keepFor, ...(pahole === undefined ? {} : { pahole }), budgets };
}

function checkText(value: unknown, path: readonly (string | number)[], wrong: Wrong): void {
  if (typeof value !== 'string') throw wrong(path, 'it must be a string');
  if (value === '') throw wrong(path, 'it is empty');
}
