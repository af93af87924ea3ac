import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Btf } from '../../plugin/btf/btf.js';
import { NameIndex } from '../../plugin/btf/names.js';
import { MemorySource } from '../../plugin/bytes/source.js';
import { resizeSections } from '../../plugin/elf/resize-sections.js';
import { ModuleRebaser } from '../../plugin/modules/module-rebaser.js';
import { MODULE_MODES, type ModuleMode, reach, seedsOf } from '../../plugin/modules/needs.js';
import { readModule } from '../../plugin/modules/read.js';
import { distilledRoots, moduleReferences, neededRoots, pointeeRoots } from '../../plugin/modules/roots.js';
import { withoutSignature } from '../../plugin/modules/signature.js';
import { type ScannedModules, withModuleRoots } from '../../plugin/pipeline/module-roots.js';
import type { Root } from '../../plugin/roots/root.js';
import { Companions } from '../../plugin/split/companions.js';
import { type Reach, type Split, splitBtf } from '../../plugin/split/split.js';
import { kernelBtf } from '../support/kernel-btf.js';
import { join as joined } from './join.js';
import { splitAndVerify } from './split-and-verify.js';
import { withFile } from './target.js';

/** A kernel's BTF and what it was split with, apart from what modules ask for. */
interface Kernel {
  readonly original: Btf;
  readonly names: NameIndex;
  readonly roots: readonly Root[];
}

/** The last part says the mode; what is none is one of them all the same. */
function modeOf(text: Uint8Array): ModuleMode {
  const asked = Buffer.from(text).toString('latin1');
  return MODULE_MODES.find(mode => mode === asked) ?? MODULE_MODES[text.length % MODULE_MODES.length];
}

function kernelOf(bytes: Uint8Array): Kernel {
  const original = Btf.decode(bytes);
  const names = new NameIndex(original);
  const roots = original.count === 0 ? [] : [{ id: 1, reason: 'keep', source: 'fuzz' } as const];
  return { original, names, roots };
}

/** What becomes of one module, in memory: the roots that it asks for, the split, the re-based file, its proof. */
export function rebase([bytes, ko, mode]: readonly Uint8Array[]): void {
  rebaseOnto(kernelOf(bytes), ko, modeOf(mode));
}

const fixtures = new Map<string, Kernel & { readonly split: Split }>();

/** The same for the fixtures' modules, whose kernel has been split once and for all. The first part names the kernel. */
export function rebaseFixture([ko, mode]: readonly Uint8Array[]): void {
  // The byte order tells the kernel.
  const name = ko[5] === 2 ? 'mips32-malta-be' : ko[4] === 2 ? 'arm64-virt' : 'armv7-virt';
  let kernel = fixtures.get(name);
  if (kernel === undefined) {
    const made = kernelOf(kernelBtf(`${name}/vmlinux`).bytes);
    kernel = { ...made, split: splitBtf(made.original, made.names, made.roots) };
    fixtures.set(name, kernel);
  }
  rebaseOnto(kernel, ko, modeOf(mode), kernel.split);
}

function rebaseOnto({ original, names, roots }: Kernel, ko: Uint8Array, mode: ModuleMode, known?: Split): void {
  // Either closure, whatever the input: which one is its size.
  const closure: Reach = known?.reach ?? (ko.length % 2 === 0 ? 'complete' : 'forward');
  const { body } = withoutSignature(new MemorySource(ko, 'module.ko'));
  const module = readModule(body, { original, machine: undefined, vermagic: undefined });
  if (module.isCarrier) return;
  const { btf, distilled } = module;
  const asked: Root[] = [];
  const references: ScannedModules['references'][number][] = [];
  if (btf !== undefined && mode !== 'strip') {
    if (distilled !== undefined) asked.push(...distilledRoots('module', distilled, original, names).roots);
    else {
      const seeds = seedsOf(module, original, names);
      const needs = reach(btf, seeds);
      asked.push(...neededRoots('module', needs), ...pointeeRoots('module', btf, seeds));
      const all = moduleReferences('module', btf, mode === 'prune' ? needs.own : undefined, closure);
      // As if there were two modules that refer to some of the same.
      const half = (ids: Uint32Array): Uint32Array => ids.filter((_, i) => i % 2 === 0);
      references.push(all, { name: 'other', entries: half(all.entries), named: half(all.named) });
    }
  }
  const scanned = { roots: asked, references } as unknown as ScannedModules;
  const companions = new Companions(original, names);
  const split =
    known ??
    splitBtf(original, names, withModuleRoots(original, companions, roots, scanned, closure), undefined, closure);
  const target = { original, base: Btf.decode(split.paddedBase), inBase: split.inBase(), reach: closure };
  const rebaser = new ModuleRebaser(target, names, mode);
  const plan = rebaser.plan(module);
  if (plan.changes.length === 0) return;
  const written = joined(...resizeSections(module.elf, plan.changes));
  rebaser.prove(module, plan, new MemorySource(written, 'written.ko'));
}

/** A whole run with a folder of modules. */
export async function splitWithModules(parts: readonly Uint8Array[], folder: string): Promise<void> {
  const [bytes, ko, mode, roots] = parts;
  const modules = join(folder, 'modules');
  const out = join(folder, 'out');
  const rootsFile = join(folder, 'roots');
  mkdirSync(modules);
  writeFileSync(rootsFile, roots);
  writeFileSync(join(modules, 'other.ko'), ko);
  await withFile(folder, 'input.btf', bytes, file =>
    withFile(modules, 'demo.ko', ko, () => splitAndVerify({ file, out, rootsFile, modules, moduleMode: modeOf(mode) })),
  );
}
