import { Relocations } from '../elf/relocations.js';
import { CodedError } from '../errors.js';
import { type BtfIds, readBtfIds } from '../roots/btf-ids.js';
import { rootsByName } from '../roots/by-name.js';
import { REASONS, type Root } from '../roots/root.js';
import { readStructOps } from '../roots/struct-ops.js';
import type { KernelInput } from './input.js';

export interface KernelRoots {
  /** In the order of REASONS, then by id. */
  readonly roots: readonly Root[];
  readonly ids: BtfIds;
  readonly structOps: readonly string[];
  readonly warnings: readonly string[];
}

/** What roots are looked for in: a finished vmlinux, or one on its way through the link. */
export interface RootsSource extends Pick<KernelInput, 'elf' | 'symbols' | 'btf' | 'names' | 'file'> {
  /** `.BTF_ids` as resolve_btfids makes it, where the file still has it unresolved. */
  readonly resolvedIds?: Uint8Array | undefined;
}

/** Everything the kernel needs of its BTF. Throws what the readers of `roots/` throw. */
export function kernelRoots(kernel: RootsSource): KernelRoots {
  const { elf, symbols, btf, names } = kernel;
  const relocations = Relocations.read(elf);
  const ids = readBtfIds(elf, symbols, btf, kernel.resolvedIds);
  if (ids === undefined) throw new CodedError('btf-ids', 'no .BTF_ids section', { file: kernel.file });
  const structOps = readStructOps(elf, relocations, symbols, btf, names);
  const named = rootsByName(btf, names, ids.roots);
  const warnings = [...structOps.warnings];
  if (ids.unresolved.length > 0)
    warnings.push(
      `resolve_btfids left ${ids.unresolved.length} ids at 0: ${ids.unresolved.slice(0, 8).join(', ')}${ids.unresolved.length > 8 ? ' …' : ''}`,
    );
  return { roots: inOrder([...ids.roots, ...structOps.roots, ...named]), ids, structOps: structOps.names, warnings };
}

/** One order for every run: by reason, then by id, then by source. */
export function inOrder(roots: readonly Root[]): Root[] {
  return [...roots].sort(
    (a, b) =>
      REASONS.indexOf(a.reason) - REASONS.indexOf(b.reason) ||
      a.id - b.id ||
      (a.source < b.source ? -1 : a.source > b.source ? 1 : 0),
  );
}
