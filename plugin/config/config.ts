import { CodedError } from '../errors.js';
import { nearest } from '../nearest.js';

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
}

/** What a key's value must be. */
type Shape = 'texts' | 'text';

const KEYS: Readonly<Record<string, Shape>> = { $schema: 'text', keep: 'texts', keepFor: 'texts', pahole: 'text' };

/** Throws `config` with the JSON path of what is wrong and, for an unknown key, the nearest known one. */
export function parseConfig(text: string, file: string): Config {
  const wrong = (path: string, detail: string): CodedError =>
    new CodedError('config', path === '' ? detail : `${path}: ${detail}`, { file });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw wrong('', `no JSON: ${(error as Error).message}`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrong('', 'it is no object');
  for (const [key, entry] of Object.entries(value)) {
    const shape = Object.hasOwn(KEYS, key) ? KEYS[key] : undefined;
    if (shape === undefined) {
      const near = nearest(key, Object.keys(KEYS));
      throw wrong(pathOf(key), `no such key${near === undefined ? '' : `; did you mean ${near}?`}`);
    }
    if (shape === 'text') checkText(entry, pathOf(key), wrong);
    else if (!Array.isArray(entry)) throw wrong(pathOf(key), 'it must be an array');
    else for (const [i, item] of entry.entries()) checkText(item, `${pathOf(key)}[${i}]`, wrong);
  }
  const { keep = [], keepFor = [], pahole } = value as Partial<Config>;
  return { keep, keepFor, ...(pahole === undefined ? {} : { pahole }) };
}

function checkText(value: unknown, path: string, wrong: (path: string, detail: string) => CodedError): void {
  if (typeof value !== 'string') throw wrong(path, 'it must be a string');
  if (value === '') throw wrong(path, 'it is empty');
}

/** Keys that are no identifiers stand in brackets, and long ones are cut. */
function pathOf(key: string): string {
  return /^[$\w]{1,64}$/.test(key) ? key : `[${JSON.stringify(key.slice(0, 64))}]`;
}
