import type { Btf } from '../btf/btf.js';
import type { NameIndex } from '../btf/names.js';
import type { ByteOrder } from '../bytes/endian.js';
import type { ByteSource } from '../bytes/source.js';
import { ElfFile, type ElfSection } from '../elf/file.js';
import { proveResized, type SectionChange } from '../elf/resize-sections.js';
import { SymbolTable } from '../elf/symbols.js';
import { CodedError, type ErrorCode } from '../errors.js';
import { BTF_IDS_SECTION, idOffsets, readBtfIds } from '../roots/btf-ids.js';
import { wholeInBase } from '../split/levels.js';
import { type ModuleMode, reach, seedsOf } from './needs.js';
import { ModuleProver } from './prove.js';
import type { KernelModule } from './read.js';
import { type Rebased, Rebaser, type Target } from './rebase.js';

/** What becomes of one module. Bytes are those of `.BTF` and `.BTF.base`. */
export interface ModulePlan {
  /** Empty for a module that stays as it is. */
  readonly changes: readonly SectionChange[];
  readonly before: { readonly types: number; readonly bytes: number };
  readonly after: { readonly types: number; readonly bytes: number };
  /** Types that are copied from vmlinux; part of `after`. */
  readonly copied: number;
  /** Undefined for a module whose types do not change or are all gone. */
  readonly rebased: Rebased | undefined;
}

const NOTHING = new Uint8Array(0);

/** Plans and proves what becomes of modules, one after the other. */
export class ModuleRebaser {
  readonly #target: Target;
  readonly #names: NameIndex;
  readonly #mode: ModuleMode;
  readonly #rebaser: Rebaser;
  readonly #prover: ModuleProver;

  constructor(target: Target, names: NameIndex, mode: ModuleMode) {
    this.#target = target;
    this.#names = names;
    this.#mode = mode;
    this.#rebaser = new Rebaser(target);
    this.#prover = new ModuleProver(target);
  }

  /**
   * `keep` re-bases all types, but leaves a module with `.BTF.base` alone: the kernel re-bases it. `prune` takes what the
   * module registers; where nothing is left, `.BTF` becomes empty. `strip` empties `.BTF` and `.BTF.base` and makes every id
   * in `.BTF_ids` 0: an old id could name any type of the base. Counts and flags of its sets stay, for registering a set
   * asks for its flags first (register_btf_kfunc_id_set). Ids of a module without `.BTF` become 0 in every mode: the kernel
   * registers nothing by them, but the module itself compares types of vmlinux with them
   * (_nf_conntrack_btf_struct_access). Throws what its parts throw.
   */
  plan(module: KernelModule): ModulePlan {
    const { btf, section, distilled, distilledSection } = module;
    const sections = sectionsOf(module);
    const before = { types: btf?.count ?? 0, bytes: sections.reduce((sum, { size }) => sum + size, 0) };
    if (btf === undefined || section === undefined || this.#mode === 'strip')
      return this.#plan(before, cleared(module));
    if (staysAsItIs(module, this.#mode)) return { changes: [], before, after: before, copied: 0, rebased: undefined };
    const own = this.#mode === 'keep' ? undefined : reach(btf, seedsOf(module, this.#target.original, this.#names)).own;
    const isEmpty = own?.every(kept => kept === 0) ?? btf.count === 0;
    if (isEmpty && distilled !== undefined) return this.#plan(before, cleared(module));
    const rebaser = distilled === undefined ? this.#rebaser : new Rebaser(standalone(distilled));
    const named = module.ids?.slots.map(({ id }) => id).filter(id => id < btf.firstId);
    const rebased = rebaser.rebase(btf, own, named);
    const ids = mapIds(module, rebased.newId);
    if (isEmpty) return this.#plan(before, [...sections.map(emptied), ...ids]);
    return this.#plan(before, [{ section, bytes: rebased.bytes }, ...ids], rebased, distilledSection?.size);
  }

  #plan(before: ModulePlan['before'], all: SectionChange[], rebased?: Rebased, distilledBytes = 0): ModulePlan {
    return {
      changes: all,
      before,
      after:
        rebased === undefined
          ? { types: 0, bytes: 0 }
          : { types: rebased.from.length, bytes: rebased.bytes.length + distilledBytes },
      copied: rebased?.copied ?? 0,
      rebased,
    };
  }

  /**
   * Proves a finished module, its signature taken off, against its original. Returns its BTF where that was re-based. Throws
   * `code`.
   */
  prove(module: KernelModule, plan: ModulePlan, body: ByteSource, code: ErrorCode = 'invariant'): Btf | undefined {
    const elf = ElfFile.open(body);
    proveResized(module.elf, elf, plan.changes, code);
    const { btf, distilled } = module;
    if (plan.rebased === undefined || btf === undefined) return undefined;
    const prover = distilled === undefined ? this.#prover : new ModuleProver(standalone(distilled));
    const after = prover.prove(btf, elf.data(elf.section('.BTF')), plan.rebased.from, body.name, code);
    if (module.ids === undefined) return after;
    // Each id is compared with the name and kind of its symbol once more, and sets with their order.
    const ids = readBtfIds(elf, SymbolTable.read(elf), after);
    const roots = module.ids.roots;
    const same =
      ids?.roots.length === roots.length && ids.roots.every((root, i) => sameName(after, root.id, btf, roots[i].id));
    if (!same) throw new CodedError(code, 'its ids name other types', { file: body.name, section: BTF_IDS_SECTION });
    return after;
  }
}

function sameName(a: Btf, aId: number, b: Btf, bId: number): boolean {
  return a.kind(aId) === b.kind(bId) && a.name(aId) === b.name(bId);
}

/** True when re-basing will write other bytes than the module has: a signature of it is lost. Throws `btf-ids`. */
export function willChange(module: KernelModule, mode: ModuleMode): boolean {
  if (module.btf === undefined || mode === 'strip') return cleared(module).length > 0;
  return !staysAsItIs(module, mode);
}

function staysAsItIs({ distilled }: KernelModule, mode: ModuleMode): boolean {
  return mode === 'keep' && distilled !== undefined;
}

function sectionsOf({ section, distilledSection }: KernelModule): ElfSection[] {
  return [section, distilledSection].filter(found => found !== undefined);
}

function emptied(section: ElfSection): SectionChange {
  return { section, bytes: NOTHING };
}

/** A module without types, and without the ids of any. */
function cleared(module: KernelModule): SectionChange[] {
  return [...sectionsOf(module).map(emptied), ...zeroIds(module)];
}

/** A BTF as the target of what is split on it: nothing is renumbered but the types behind it. */
function standalone(btf: Btf): Target {
  const ids = Uint32Array.from({ length: btf.endId }, (_, id) => id);
  return { original: btf, base: btf, inBase: wholeInBase(ids), reach: 'complete' };
}

/** `.BTF_ids` with every id 0; nothing when they are. */
function zeroIds({ elf, symbols }: KernelModule): SectionChange[] {
  return changeIds(elf, idOffsets(elf, symbols), () => 0);
}

function mapIds({ elf, ids }: KernelModule, newId: (id: number) => number | undefined): SectionChange[] {
  if (ids === undefined) return [];
  const offsets = ids.slots.map(slot => slot.offset);
  return changeIds(elf, offsets, id => {
    const mapped = newId(id);
    if (mapped !== undefined) return mapped;
    throw new CodedError('invariant', `type ${id} of its ids is not in the base`, {
      file: elf.source.name,
      section: BTF_IDS_SECTION,
    });
  });
}

function changeIds(elf: ElfFile, offsets: readonly number[], change: (id: number) => number): SectionChange[] {
  const section = elf.find(BTF_IDS_SECTION);
  if (section === undefined || offsets.length === 0) return [];
  const bytes = elf.data(section);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const little = isLittle(elf.header.order);
  let changed = false;
  for (const offset of offsets) {
    const id = view.getUint32(offset, little);
    const mapped = change(id);
    changed ||= mapped !== id;
    view.setUint32(offset, mapped, little);
  }
  return changed ? [{ section, bytes }] : [];
}

function isLittle(order: ByteOrder): boolean {
  return order === 'little';
}
