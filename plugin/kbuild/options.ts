import { resolve } from 'node:path';
import { CodedError } from '../errors.js';
import { MODULE_MODES, type ModuleMode } from '../modules/needs.js';
import type { KeepRequest } from '../pipeline/keep.js';
import { parseKeepRule } from '../roots/keep.js';
import type { Reach } from '../split/split.js';

/** What a link is to keep; make hands it to the wrappers in {@link OPTIONS_VARIABLE}. */
export interface LinkOptions {
  readonly closure: Reach;
  /** Keep rules as they were written, those of a configuration too. */
  readonly keep: readonly string[];
  /** Absolute paths of BPF objects. */
  readonly keepFor: readonly string[];
  /** What of the types of modules stays. */
  readonly moduleBtf: ModuleMode;
}

export const DEFAULT_OPTIONS: LinkOptions = { closure: 'complete', keep: [], keepFor: [], moduleBtf: 'keep' };

/** Variables of make and of the environment that the wrappers read. */
export const OPTIONS_VARIABLE = 'VMLINUX_BTF_OPTIONS';
export const PAHOLE_VARIABLE = 'VMLINUX_BTF_PAHOLE';
export const NODE_VARIABLE = 'VMLINUX_BTF_NODE';
/** Folder of the service that does the wrappers' work, while `kbuild` runs make. */
export const SERVICE_VARIABLE = 'VMLINUX_BTF_SERVICE';

export function linkOptions(closure: Reach, { rules, objects }: KeepRequest, moduleBtf: ModuleMode): LinkOptions {
  return { closure, keep: rules.map(rule => rule.text), keepFor: objects.map(path => resolve(path)), moduleBtf };
}

export function keepRequest({ keep, keepFor }: LinkOptions): KeepRequest {
  return { rules: keep.map(rule => parseKeepRule(rule, '--keep')), objects: keepFor };
}

/** Letters, digits, `%`, `.`, `_` and `-` only: neither make nor a shell sees anything in it. */
export function encodeOptions(options: LinkOptions): string {
  return encodeURIComponent(JSON.stringify(options)).replace(
    /[!'()*~]/g,
    character => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/** Undefined and empty text are the defaults. Throws `usage`. */
export function decodeOptions(text: string | undefined): LinkOptions {
  if (text === undefined || text === '') return DEFAULT_OPTIONS;
  let value: LinkOptions;
  try {
    value = JSON.parse(decodeURIComponent(text)) as LinkOptions;
  } catch (error) {
    throw new CodedError('usage', `${OPTIONS_VARIABLE} is not what vmlinux-btf kbuild prints`, {}, error);
  }
  const texts = (list: unknown): boolean => Array.isArray(list) && list.every(item => typeof item === 'string');
  const { closure, keep, keepFor, moduleBtf } = value ?? {};
  if (
    (closure !== 'complete' && closure !== 'forward') ||
    !texts(keep) ||
    !texts(keepFor) ||
    !MODULE_MODES.includes(moduleBtf)
  )
    throw new CodedError('usage', `${OPTIONS_VARIABLE} is not what vmlinux-btf kbuild prints`);
  return value;
}
