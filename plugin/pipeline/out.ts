import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CodedError } from '../errors.js';
import { SPLIT_JSON } from '../host/out-folder.js';
import { MODULE_MODES } from '../modules/needs.js';
import { REASONS } from '../roots/root.js';
import type { Manifest } from './manifest.js';

/** Reads `split.json` of an out folder. Throws `out-folder` when it is missing or not what a split writes. */
export function readManifest(out: string): Manifest {
  const file = join(out, SPLIT_JSON);
  let manifest: Manifest;
  try {
    manifest = JSON.parse(readFileSync(file, 'utf8')) as Manifest;
  } catch (error) {
    throw new CodedError('out-folder', (error as NodeJS.ErrnoException).code ?? 'no JSON', { file }, error);
  }
  if (!isManifest(manifest)) throw new CodedError('out-folder', 'not the split.json of this version', { file });
  return manifest;
}

function isManifest(value: Manifest): boolean {
  return (
    value?.schemaVersion === 1 &&
    typeof value.input?.file === 'string' &&
    typeof value.input.sha256 === 'string' &&
    (value.closure === 'complete' || value.closure === 'forward') &&
    (value.input.kind === 'vmlinux' || value.input.kind === 'btf') &&
    (value.systemMap === undefined || typeof value.systemMap === 'string') &&
    typeof value.types === 'object' &&
    value.types !== null &&
    Array.isArray(value.roots) &&
    value.roots.every(
      root =>
        Number.isInteger(root?.id) && root.id > 0 && REASONS.includes(root.reason) && typeof root.source === 'string',
    ) &&
    Array.isArray(value.files) &&
    value.files.every(
      entry => typeof entry?.name === 'string' && /^[\w.-]+$/.test(entry.name) && typeof entry.sha256 === 'string',
    ) &&
    (value.modules === undefined || isModules(value.modules)) &&
    (value.given === undefined || isGiven(value.given))
  );
}

function isGiven(given: NonNullable<Manifest['given']>): boolean {
  const { vermagic, layoutCrc } = Object(given) as typeof given;
  return (
    (vermagic === undefined || typeof vermagic === 'string') &&
    (layoutCrc === undefined || (Number.isInteger(layoutCrc) && layoutCrc >= 0 && layoutCrc < 2 ** 32))
  );
}

function isModules(modules: NonNullable<Manifest['modules']>): boolean {
  const { mode, folder, files } = Object(modules) as typeof modules;
  return (
    MODULE_MODES.includes(mode) &&
    typeof folder === 'string' &&
    Array.isArray(files) &&
    files.every(entry => typeof entry?.name === 'string' && typeof entry.sha256 === 'string')
  );
}
