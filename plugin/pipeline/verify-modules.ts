import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { NameIndex } from '../btf/names.js';
import { type ByteSource, FileSource, pieces } from '../bytes/source.js';
import { CodedError } from '../errors.js';
import { hashSource } from '../host/hash.js';
import { findModules, type ModulePath } from '../host/module-files.js';
import { MODULES_FOLDER } from '../host/out-folder.js';
import { ModuleRebaser } from '../modules/module-rebaser.js';
import type { Target } from '../modules/rebase.js';
import { withoutSignature } from '../modules/signature.js';
import type { Reach } from '../split/split.js';
import type { BtfInput } from './input.js';
import { type ScannedModules, scanModules } from './module-roots.js';
import type { ManifestModules } from './modules.js';
import { listModules, withModule, withModuleFile } from './open-module.js';

/**
 * Reads the modules that an out folder was made from once more. `folder`: where they are, when they have moved. Throws
 * `verify` when they are not there.
 */
export async function scanOriginals(
  out: string,
  modules: ManifestModules,
  input: BtfInput,
  names: NameIndex,
  closure: Reach,
  folder?: string,
): Promise<ScannedModules> {
  const from = folder ?? resolve(out, modules.folder);
  if (!existsSync(from)) throw failed(from, 'the original modules are not there: pass their folder with --modules');
  const kernel = { original: input.btf, machine: input.elf?.header, vermagic: undefined };
  return scanModules(from, listModules(from, out), modules.mode, kernel, names, closure);
}

/**
 * Proves each module of an out folder against its original: its hash, its BTF on the base, and that nothing else in it
 * changed. Throws `verify`.
 */
export async function verifyModules(
  out: string,
  modules: ManifestModules,
  originals: ScannedModules,
  target: Target,
): Promise<void> {
  const folder = join(out, MODULES_FOLDER);
  const written = new Map(
    (existsSync(folder) ? findModules(folder, join(out, 'none')) : []).map(path => [path.name, path]),
  );
  const listed = modules.files.map(file => file.name).join();
  if (listed !== [...written.keys()].join() || listed !== originals.paths.map(path => path.name).join())
    throw failed(folder, 'other modules than split.json lists, or than were split');
  const rebaser = new ModuleRebaser(target, new NameIndex(target.original), modules.mode);
  for (const [nth, path] of originals.paths.entries()) {
    const module = written.get(path.name);
    if (module === undefined) throw failed(folder, `no ${path.name}`);
    checkHash(module, modules.files[nth]);
    await verifyModule(path, module, originals, rebaser);
  }
}

async function verifyModule(
  original: ModulePath,
  written: ModulePath,
  { kernel }: ScannedModules,
  rebaser: ModuleRebaser,
): Promise<void> {
  await withModule(original, kernel, async open => {
    const plan = rebaser.plan(open.module);
    await withModuleFile(written, file => {
      if (plan.changes.length === 0) {
        if (!sameBytes(open.file, file)) throw failed(written.path, 'it differs from its original');
      } else rebaser.prove(open.module, plan, withoutSignature(file).body, 'verify');
    });
  });
}

function failed(file: string, detail: string): CodedError {
  return new CodedError('verify', detail, { file });
}

function checkHash({ path }: ModulePath, { bytes, sha256 }: ManifestModules['files'][number]): void {
  const source = FileSource.open(path);
  try {
    if (source.size !== bytes || hashSource(source) !== sha256)
      throw failed(path, 'its SHA-256 is not the one in split.json');
  } finally {
    source.close();
  }
}

function sameBytes(a: ByteSource, b: ByteSource): boolean {
  if (a.size !== b.size) return false;
  for (const { offset, bytes } of pieces(a))
    if (Buffer.compare(bytes, b.read(offset, bytes.length)) !== 0) return false;
  return true;
}
