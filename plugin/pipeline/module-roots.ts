import type { Btf } from '../btf/btf.js';
import type { NameIndex } from '../btf/names.js';
import type { FileState } from '../bytes/source.js';
import { CodedError } from '../errors.js';
import type { ModulePath } from '../host/module-files.js';
import { willChange } from '../modules/module-rebaser.js';
import { type ModuleMode, reach, seedsOf } from '../modules/needs.js';
import type { BuiltAgainst, KernelModule } from '../modules/read.js';
import {
  distilledRoots,
  type ModuleReferences,
  moduleReferences,
  neededRoots,
  pointeeRoots,
  sharedRoots,
} from '../modules/roots.js';
import type { Root } from '../roots/root.js';
import { closeOver } from '../split/closure.js';
import type { Companions } from '../split/companions.js';
import { levelsOf } from '../split/forward.js';
import { wholeInBase } from '../split/levels.js';
import type { Reach } from '../split/split.js';
import { withModule } from './open-module.js';
import { inOrder } from './roots.js';

/** The modules of a kernel, looked through once before the split: what they ask of the base. */
export interface ScannedModules {
  readonly folder: string;
  readonly mode: ModuleMode;
  readonly kernel: BuiltAgainst;
  readonly paths: readonly ModulePath[];
  /** Of each of their files, as it was read. */
  readonly states: readonly FileState[];
  /** What the base must hold for their sake, but for what they share. */
  readonly roots: readonly Root[];
  readonly references: readonly ModuleReferences[];
  /** Modules that change, so that a signature of theirs is lost. */
  readonly changing: number;
  readonly signed: number;
  readonly warnings: readonly string[];
}

/**
 * Reads modules of a folder. `closure`: of the base they will stand on. `also` is done with each while it is open. Throws what reading a
 * module throws, and `modules-folder` when all are carriers.
 */
export async function scanModules(
  folder: string,
  listed: readonly ModulePath[],
  mode: ModuleMode,
  kernel: BuiltAgainst,
  names: NameIndex,
  closure: Reach,
  also?: (path: ModulePath, module: KernelModule) => Promise<void>,
): Promise<ScannedModules> {
  const { original } = kernel;
  const paths: ModulePath[] = [];
  const states: FileState[] = [];
  const roots: Root[] = [];
  const references: ModuleReferences[] = [];
  const warnings: string[] = [];
  let [changing, signed] = [0, 0];
  const look = (path: ModulePath, module: KernelModule): void => {
    const { btf, distilled } = module;
    if (btf === undefined || mode === 'strip') return;
    const name = moduleName(path);
    if (distilled !== undefined) {
      const found = distilledRoots(name, distilled, original, names);
      roots.push(...found.roots);
      if (found.missing.length > 0)
        warnings.push(
          `${path.name}: vmlinux lacks what its .BTF.base names (${found.missing.slice(0, 4).join(', ')}${found.missing.length > 4 ? ' …' : ''}): the unsplit kernel refuses it as well`,
        );
      return;
    }
    const seeds = seedsOf(module, original, names);
    const needs = reach(btf, seeds);
    roots.push(...neededRoots(name, needs), ...pointeeRoots(name, btf, seeds));
    references.push(moduleReferences(name, btf, mode === 'prune' ? needs.own : undefined, closure));
  };
  for (const path of listed) {
    await withModule(path, kernel, async ({ module, signatureBytes, state }) => {
      if (module.isCarrier) {
        warnings.push(`${path.name} is the carrier of another split: left out`);
        return;
      }
      paths.push(path);
      states.push(state);
      const changes = willChange(module, mode);
      if (changes) changing++;
      if (changes && signatureBytes > 0) signed++;
      look(path, module);
      await also?.(path, module);
    });
  }
  if (paths.length === 0) throw new CodedError('modules-folder', 'no module in it but a carrier', { file: folder });
  return { folder, mode, kernel, paths, states, roots, references, changing, signed, warnings };
}

/** `kernel/net/ipv4/tcp_bbr.ko.xz` → `tcp_bbr`. */
function moduleName({ name }: ModulePath): string {
  return name.replace(/^.*\//, '').replace(/\.ko(\.\w+)?$/, '');
}

/**
 * The roots of a kernel with those of its modules: what each needs of the base, then, of what is not in the base yet, all
 * that two of them refer to, until nothing more comes.
 */
export function withModuleRoots(
  btf: Btf,
  companions: Companions,
  kernelRoots: readonly Root[],
  { roots, references }: Pick<ScannedModules, 'roots' | 'references'>,
  reach: Reach = 'complete',
): Root[] {
  const all = [...kernelRoots, ...roots];
  for (;;) {
    const shared = sharedRoots(btf, references, levelsInBase(btf, companions, all, reach), reach);
    if (shared.length === 0) return inOrder(all);
    all.push(...shared);
  }
}

/** By id, how much of a type some roots bring to the base (levels.ts). */
export function levelsInBase(btf: Btf, companions: Companions, roots: readonly Root[], reach: Reach): Uint8Array {
  return reach === 'forward'
    ? levelsOf(btf, companions, roots)
    : wholeInBase(closeOver(btf, companions, roots).nearest).levels;
}
