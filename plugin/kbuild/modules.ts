import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Btf } from '../btf/btf.js';
import type { NameIndex } from '../btf/names.js';
import { CodedError } from '../errors.js';
import type { ModulePath } from '../host/module-files.js';
import { DuplicateFinder } from '../modules/duplicates.js';
import { type ModulePlan, ModuleRebaser } from '../modules/module-rebaser.js';
import type { BuiltAgainst, KernelModule } from '../modules/read.js';
import type { Target } from '../modules/rebase.js';
import { refuseModule } from '../pipeline/lint.js';
import { levelsInBase, type ScannedModules, scanModules, withModuleRoots } from '../pipeline/module-roots.js';
import { withModule } from '../pipeline/open-module.js';
import type { Measured } from '../pipeline/report.js';
import type { ModuleRow } from '../report/model.js';
import type { Root } from '../roots/root.js';
import { Companions } from '../split/companions.js';
import { namedRoots, sameNames, textOf } from './module-roots.js';
import { COPIES_FOLDER, type LinkRecord, type SideFolder } from './side-files.js';

/**
 * The modules of a build, in the order of `modules.order`, as the wrappers copied them with their types on the unsplit kernel. Undefined
 * when one of them was not built for this vmlinux: no `modules.order`, no module, or one that is older than vmlinux. Throws
 * `kbuild-copy` for a module that is newer and has no copy.
 */
export function builtModules(objtree: string, folder: SideFolder): ModulePath[] | undefined {
  const linked = statSync(join(objtree, 'vmlinux')).mtimeMs;
  const newer = (path: string): boolean => (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0) >= linked;
  const names = moduleNames(objtree);
  if (names === undefined || !names.every(name => newer(join(objtree, name)))) return undefined;
  return names.map(name => {
    const path = join(folder.file(COPIES_FOLDER), name);
    if (!newer(path))
      throw new CodedError('kbuild-copy', `no ${path} of the same build`, { file: join(objtree, name) });
    return { path, name, packing: undefined };
  });
}

/** Paths below the object tree. Linux before 6.3 lists files that end with `.ko`, later ones `.o`. */
function moduleNames(objtree: string): string[] | undefined {
  const file = join(objtree, 'modules.order');
  if (!existsSync(file)) return undefined;
  const lines = readFileSync(file, 'latin1').split('\n');
  return lines.filter(line => line !== '').map(line => line.replace(/\.k?o$/, '.ko'));
}

/** What the modules of a build need, and what became of their types. */
export interface ReadModules {
  readonly needs: Pick<ScannedModules, 'roots' | 'references'>;
  readonly measured: NonNullable<Measured['modules']>;
}

/**
 * Reads the copy of each module, with its types on the unsplit kernel, and the module as it was built, which has to be what its copy gives
 * when it is re-based once more. Every module is held to the kernel's rules. Throws `invariant`, and what reading a module throws.
 */
export async function readModules(
  folder: SideFolder,
  objtree: string,
  { options: { moduleBtf: mode, closure } }: LinkRecord,
  built: readonly ModulePath[],
  kernel: BuiltAgainst,
  names: NameIndex,
  target: Target,
): Promise<ReadModules> {
  const linked: BuiltAgainst = { ...kernel, original: target.base };
  const rebaser = new ModuleRebaser(target, names, mode);
  const rows: ModuleRow[] = [];
  const duplicates = new DuplicateFinder();
  const measure = (copy: ModulePath, module: KernelModule): Promise<void> =>
    withModule({ ...copy, path: join(objtree, copy.name) }, linked, ({ module: made }) => {
      const plan = rebaser.plan(module);
      checkPlan(plan, made);
      if (made.btf !== undefined) {
        refuseModule(made.btf, kernel, module);
        duplicates.add(made.btf, made.distilled !== undefined);
      }
      rows.push(describe(copy.name, plan));
    });
  const needs =
    built.length === 0
      ? { roots: [], references: [] }
      : await scanModules(folder.file(COPIES_FOLDER), built, mode, kernel, names, closure, measure);
  const proved = ['.BTF and .BTF_ids of every module are those of the unsplit kernel, re-based'];
  return { needs, measured: { mode, rows, duplicates: duplicates.found(), proved } };
}

/**
 * Finds what modules need in the base besides what the kernel does, and leaves it for the next link when that is not what this one
 * took. Then throws `kbuild-modules`. `roots`: those of the kernel, whatever modules added to them.
 */
export function checkNeeds(
  folder: SideFolder,
  link: LinkRecord,
  needs: ReadModules['needs'],
  original: Btf,
  names: NameIndex,
  roots: readonly Root[],
): void {
  const { closure } = link.options;
  const own = roots.filter(({ reason }) => reason !== 'module');
  const companions = Companions.of(original, names);
  const needed = namedRoots(
    original,
    withModuleRoots(original, companions, own, needs, closure),
    levelsInBase(original, companions, own, closure),
    closure,
  );
  if (sameNames(needed, link.moduleRoots)) return;
  folder.writeModuleRoots(needed);
  const known = new Set(link.moduleRoots.map(textOf));
  const first = needed.find(root => !known.has(textOf(root)));
  const such = first === undefined ? '' : `, such as ${first.kind} ${first.name} (${first.source})`;
  throw new CodedError('kbuild-modules', `${needed.length} types, linked with ${known.size}${such}`, {
    file: folder.path,
  });
}

/** What stands in the module is what its copy, re-based once more, has. */
function checkPlan({ changes }: ModulePlan, { elf }: KernelModule): void {
  for (const { section, bytes } of changes)
    if (Buffer.compare(elf.data(elf.section(section.name)), bytes) !== 0)
      throw new CodedError('invariant', 'not what its re-basing gives', {
        file: elf.source.name,
        section: section.name,
      });
}

function describe(name: string, { before, after, copied }: ModulePlan): ModuleRow {
  return { name, before, after, copied, signature: 'none' };
}
