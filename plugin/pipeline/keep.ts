import { statSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { needsOf } from '../bpf/needs.js';
import type { Btf } from '../btf/btf.js';
import type { NameIndex } from '../btf/names.js';
import { FileSource } from '../bytes/source.js';
import { CONFIG_FILE, type Config, parseConfig } from '../config/config.js';
import { CodedError } from '../errors.js';
import { applyKeepRules, type KeepRule, keepRoots, keepWarnings, parseKeepRule } from '../roots/keep.js';
import { keepForRoots, keepForWarnings } from '../roots/keep-for.js';
import type { Root } from '../roots/root.js';
import { withBpfObject } from './bpf.js';
import { inOrder } from './roots.js';

const MAX_CONFIG_BYTES = 1 << 20;

/** What a command line says of types to keep. */
export interface KeepOptions {
  readonly keep?: readonly string[] | undefined;
  /** BPF objects. */
  readonly keepFor?: readonly string[] | undefined;
  /** Without it, `vmlinux-btf.config.json` of the working folder, where there is one. */
  readonly config?: string | undefined;
}

/** What is to be kept, before any kernel is looked at. */
export interface KeepRequest {
  readonly rules: readonly KeepRule[];
  /** Paths of BPF objects. */
  readonly objects: readonly string[];
}

/** Merges a configuration and the command line. Throws `config`, `keep-rule`, `file-unreadable`. */
export function readKeepRequest({ keep = [], keepFor = [], config }: KeepOptions): KeepRequest {
  const file = config ?? (statSync(CONFIG_FILE, { throwIfNoEntry: false }) === undefined ? undefined : CONFIG_FILE);
  const { config: read, folder } = file === undefined ? NOTHING : { config: readConfig(file), folder: dirname(file) };
  return {
    rules: [
      ...read.keep.map((rule, i) => parseKeepRule(rule, `keep[${i}] of ${basename(file ?? CONFIG_FILE)}`)),
      ...keep.map(rule => parseKeepRule(rule, '--keep')),
    ],
    objects: [...read.keepFor.map(path => resolve(folder, path)), ...keepFor],
  };
}

const NOTHING: { readonly config: Config; readonly folder: string } = { config: { keep: [], keepFor: [] }, folder: '' };

function readConfig(file: string): Config {
  const source = FileSource.open(file);
  try {
    if (source.size > MAX_CONFIG_BYTES) throw new CodedError('config', `${source.size} bytes`, { file });
    return parseConfig(new TextDecoder('utf-8', { fatal: true }).decode(source.read(0, source.size)), file);
  } catch (error) {
    if (error instanceof TypeError) throw new CodedError('config', 'no UTF-8', { file }, error);
    throw error;
  } finally {
    source.close();
  }
}

/** The roots of a request in one kernel, in order, and what a person should know. Throws what rules and objects throw. */
export function keptRoots(request: KeepRequest, btf: Btf, names: NameIndex): { roots: Root[]; warnings: string[] } {
  const kept = applyKeepRules(btf, names, request.rules);
  const roots = keepRoots(kept);
  const warnings = keepWarnings(kept);
  for (const file of request.objects) {
    const { needs } = withBpfObject(file, object => needsOf(object, btf, names));
    roots.push(...keepForRoots(basename(file), needs));
    warnings.push(...keepForWarnings(basename(file), needs));
  }
  return { roots: inOrder(roots), warnings };
}
