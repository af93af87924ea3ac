import { basename, resolve } from 'node:path';
import { needsOf } from '../bpf/needs.js';
import type { Btf } from '../btf/btf.js';
import type { NameIndex } from '../btf/names.js';
import { applyKeepRules, type KeepRule, keepRoots, keepWarnings, parseKeepRule } from '../roots/keep.js';
import { keepForRoots, keepForWarnings } from '../roots/keep-for.js';
import type { Root } from '../roots/root.js';
import { withBpfObject } from './bpf.js';
import { readConfigFile } from './config-file.js';
import { inOrder } from './roots.js';

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
  const { config: read, folder, name } = readConfigFile(config);
  return {
    rules: [
      ...read.keep.map((rule, i) => parseKeepRule(rule, `keep[${i}] of ${name}`)),
      ...keep.map(rule => parseKeepRule(rule, '--keep')),
    ],
    objects: [...read.keepFor.map(path => resolve(folder, path)), ...keepFor],
  };
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
