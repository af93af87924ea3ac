import type { Btf } from '../btf/btf.js';
import { encodeBtf } from '../btf/encode.js';
import { HEAD_WORDS, IS_COMPOSITE, ROLE_STRING, ROLE_TYPE } from '../btf/kinds.js';
import { forwardInfo } from '../split/forward.js';
import { type InBase, levelBehind, NAME_ONLY, settledLevel, WHOLE } from '../split/levels.js';
import type { Reach } from '../split/split.js';
import { BaseStrings, nameLength } from './base-strings.js';
import { OwnCompanions } from './companions.js';
import { referencesOut } from './needs.js';
import { isSorted, mergeByName } from './order.js';

/** What modules are re-based onto. */
export interface Target {
  /** BTF of the unsplit vmlinux, which modules were built against. */
  readonly original: Btf;
  /** `.BTF` of the split vmlinux, padding included: what the kernel numbers a module's ids and strings on from. */
  readonly base: Btf;
  readonly inBase: InBase;
  /** Of the base, and of modules: with `forward`, what a module only points to is a FWD in it as well. */
  readonly reach: Reach;
}

export interface Rebased {
  /** `.BTF` of the module. */
  readonly bytes: Uint8Array;
  /**
   * Where each of its types comes from, in order: ids in the old numbering, of the original for a copied type, and of the
   * module for its own.
   */
  readonly from: Uint32Array;
  /** How many of them are copied from vmlinux, or FWDs for what is there. */
  readonly copied: number;
  /** Words of `.BTF_ids`: old id to new one; undefined for a type that is in neither. */
  readonly newId: (id: number) => number | undefined;
}

/**
 * Re-bases modules, one after the other. Types of vmlinux that the base lacks and that a module needs are copied into its
 * BTF in their old order, before its own; where vmlinux and the module are sorted by name (7.x), the two are merged, so
 * that the kernel still searches by bisection (btf_check_sorted). Either way the order among copied types and among own
 * ones stays, so sets of `.BTF_ids` stay sorted.
 */
export class Rebaser {
  readonly #target: Target;
  readonly #strings: BaseStrings;
  readonly #sorted: boolean;
  readonly #companions: OwnCompanions;
  /** By id of the original, for the module at hand: id of its copy. */
  readonly #copyOf: Uint32Array;
  /** By id of the original: how much of it the copy in the module at hand has. */
  readonly #levels: Uint8Array;

  constructor(target: Target) {
    this.#target = target;
    this.#strings = new BaseStrings(target.base);
    this.#sorted = isSorted(
      target.original,
      Uint32Array.from({ length: target.original.count }, (_, i) => i + 1),
    );
    this.#companions = new OwnCompanions(target.original);
    this.#copyOf = new Uint32Array(target.original.count + 1);
    this.#levels = new Uint8Array(target.original.count + 1);
  }

  /**
   * `keep`: by own type, 0 for one that is left out; without it all stay. What stays must not refer to what does not. `named`: types
   * of the original that `.BTF_ids` of the module names, whether or not its types refer to them.
   */
  rebase(module: Btf, keep?: Uint8Array, named: readonly number[] = []): Rebased {
    const { base, inBase } = this.#target;
    const own = ownIds(module, keep);
    const copied = this.#copies(module, keep, named);
    const from = this.#order(module, copied, own);
    const ownIdOf = new Uint32Array(module.count);
    const copyOf = this.#copyOf;
    const levels = this.#levels;
    for (let i = 0; i < from.length; i++)
      if (from[i] >= module.firstId) ownIdOf[from[i] - module.firstId] = base.endId + i;
      else copyOf[from[i]] = base.endId + i;
    const map = (id: number): number =>
      id >= module.firstId ? ownIdOf[id - module.firstId] : copyOf[id] || inBase.ids[id];
    const bytes = this.#encode(module, from, map);
    const copies = new Map(Array.from(copied, id => [id, levels[id] === WHOLE ? copyOf[id] : 0]));
    for (const id of copied) copyOf[id] = levels[id] = 0;
    return {
      bytes,
      from,
      copied: copied.length,
      newId: id => {
        if (id === 0) return 0;
        const found =
          id >= module.firstId
            ? ownIdOf[id - module.firstId]
            : (copies.get(id) ?? (inBase.levels[id] === WHOLE ? inBase.ids[id] : 0));
        return found === 0 ? undefined : found;
      },
    };
  }

  /** Types of the original that are needed and of which the base has not enough, with their companions, ascending. */
  #copies(module: Btf, keep: Uint8Array | undefined, named: readonly number[]): Uint32Array {
    const { original, inBase, reach } = this.#target;
    const { words, roles, starts } = original;
    const levels = this.#levels;
    const found: number[] = [];
    const queue: number[] = [];
    const visit = (id: number, much: number): void => {
      if (id === 0) return;
      const settled = settledLevel(much, original.kind(id), words[starts[id - 1]] !== 0);
      if (inBase.levels[id] >= settled || levels[id] >= settled) return;
      if (levels[id] === 0) found.push(id);
      levels[id] = settled;
      queue.push(id);
    };
    referencesOut(module, keep, reach, visit);
    for (const id of named) visit(id, WHOLE);
    for (let id = queue.pop(); id !== undefined; id = queue.pop()) {
      if (this.#isForward(id)) continue;
      const behind = reach === 'forward' ? levelBehind(levels[id], original.kind(id)) : WHOLE;
      for (let at = starts[id - 1] + 2; at < starts[id]; at++) if (roles[at] === ROLE_TYPE) visit(words[at], behind);
      if (levels[id] === WHOLE) for (const companion of this.#companions.of(id)) visit(companion, WHOLE);
    }
    return Uint32Array.from(found).sort();
  }

  /** A struct or union that is only pointed to. */
  #isForward(id: number): boolean {
    return this.#levels[id] === NAME_ONLY && IS_COMPOSITE[this.#target.original.kind(id)] === 1;
  }

  #order(module: Btf, copied: Uint32Array, own: Uint32Array): Uint32Array {
    if (this.#sorted && isSorted(module, own)) return mergeByName(module, copied, own);
    const from = new Uint32Array(copied.length + own.length);
    from.set(copied);
    from.set(own, copied.length);
    return from;
  }

  #encode(module: Btf, from: Uint32Array, map: (id: number) => number): Uint8Array {
    const names = new ModuleStrings(module, this.#target.base, this.#strings);
    let length = 0;
    const isForward = (id: number): boolean => id < module.firstId && this.#isForward(id);
    for (const id of from) length += isForward(id) ? HEAD_WORDS : wordsOf(module, id);
    const words = new Uint32Array(length);
    let to = 0;
    for (const id of from) {
      if (isForward(id)) {
        const { original } = this.#target;
        words[to] = names.map(original.words[original.starts[id - 1]]);
        words[to + 1] = forwardInfo(original.kind(id));
        to += HEAD_WORDS;
        continue;
      }
      const { words: old, roles, starts, firstId } = module.owner(id);
      for (let at = starts[id - firstId]; at < starts[id - firstId + 1]; at++, to++) {
        const role = roles[at];
        words[to] = role === ROLE_TYPE ? map(old[at]) : role === ROLE_STRING ? names.map(old[at]) : old[at];
      }
    }
    const { order, header, layout } = module;
    return encodeBtf({ order, flags: header.flags, words, strings: names.done(), layout });
  }
}

function ownIds(module: Btf, keep: Uint8Array | undefined): Uint32Array {
  const all = Uint32Array.from({ length: module.count }, (_, i) => module.firstId + i);
  return keep === undefined ? all : all.filter(id => keep[id - module.firstId] !== 0);
}

function wordsOf(module: Btf, id: number): number {
  const { starts, firstId } = module.owner(id);
  return starts[id - firstId + 1] - starts[id - firstId];
}

/** Strings of a re-based module: those that the base has stay there, the others follow in the order of their first use. */
class ModuleStrings {
  readonly #module: Btf;
  readonly #base: Btf;
  readonly #known: BaseStrings;
  readonly #moved = new Map<number, number>();
  readonly #parts: Uint8Array[] = [];
  #length = 0;

  constructor(module: Btf, base: Btf, known: BaseStrings) {
    this.#module = module;
    this.#base = base;
    this.#known = known;
  }

  map(offset: number): number {
    if (offset === 0) return 0;
    const moved = this.#moved.get(offset);
    if (moved !== undefined) return moved;
    const { strings, start } = this.#locate(offset);
    const length = nameLength(strings, start);
    const inBase = this.#known.find(strings, start, length);
    const added = length === 0 || inBase !== 0 ? inBase : this.#add(strings.subarray(start, start + length + 1));
    this.#moved.set(offset, added);
    return added;
  }

  done(): Uint8Array {
    const bytes = new Uint8Array(this.#length);
    let at = 0;
    for (const part of this.#parts) {
      bytes.set(part, at);
      at += part.length;
    }
    return bytes;
  }

  #locate(offset: number): { strings: Uint8Array; start: number } {
    const { base, stringBase, strings } = this.#module;
    return base !== undefined && offset < stringBase
      ? { strings: base.strings, start: offset }
      : { strings, start: offset - stringBase };
  }

  #add(bytes: Uint8Array): number {
    const offset = this.#base.stringEnd + this.#length;
    this.#parts.push(bytes);
    this.#length += bytes.length;
    return offset;
  }
}
