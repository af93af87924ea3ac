import type { Btf } from '../btf/btf.js';
import {
  IS_COMPOSITE,
  KIND_ENUM,
  KIND_ENUM64,
  KIND_FLOAT,
  KIND_FUNC,
  KIND_FWD,
  KIND_INT,
  KIND_STRUCT,
  KIND_UNION,
  kindName,
  ROLE_TYPE,
} from '../btf/kinds.js';
import type { NameIndex } from '../btf/names.js';
import { protoPointees } from '../btf/resolve.js';
import type { Root } from '../roots/root.js';
import { levelBehind, NAME_ONLY, NOTHING, settledLevel, WHOLE } from '../split/levels.js';
import { prototypesOf } from '../split/pointees.js';
import type { Reach } from '../split/split.js';
import { type Needs, referencesOut, type Seed } from './needs.js';

/** A module and the types of vmlinux that its types refer to. */
export interface ModuleReferences {
  /** Name of the module, as sources of roots tell it. */
  readonly name: string;
  /** Those that it needs whole, ascending. */
  readonly entries: Uint32Array;
  /** Those that it only points to, ascending: closure `forward`. */
  readonly named: Uint32Array;
}

/** `own`: by own type of a module, 0 for one that does not count; without it all do. */
export function moduleReferences(name: string, btf: Btf, own: Uint8Array | undefined, reach: Reach): ModuleReferences {
  const levels = new Map<number, number>();
  referencesOut(btf, own, reach, (id, level) => levels.set(id, Math.max(level, levels.get(id) ?? NOTHING)));
  const ofLevel = (wanted: number): Uint32Array =>
    Uint32Array.from([...levels].filter(([, level]) => level === wanted).map(([id]) => id)).sort();
  return { name, entries: ofLevel(WHOLE), named: ofLevel(NAME_ONLY) };
}

/**
 * Types of vmlinux that must be in the base because the kernel hands values of them from vmlinux to a module or back: a copy
 * in the module's BTF would be another type to the verifier (btf_types_are_same).
 */
export function neededRoots(module: string, needs: Needs): Root[] {
  return [...needs.outside].map(([id, { why }]) => ({ id, reason: 'module', source: `${module}: ${why}` }));
}

/**
 * Structs and unions of vmlinux behind the pointers that a module's kfuncs, destructors, iterators, and the members and stubs
 * of its struct_ops take or return: they are whole in the base whatever the closure. As a FWD there, each module would define
 * its own, and what one function returns would be no argument for another. A prototype that many have is looked at once.
 */
export function pointeeRoots(module: string, btf: Btf, seeds: readonly Seed[]): Root[] {
  const known = new Set<number>();
  const found = new Map<number, Root>();
  for (const { id, why, isOps } of seeds) {
    if (btf.kind(id) !== KIND_FUNC && isOps !== true) continue;
    for (const proto of prototypesOf(btf, id)) {
      if (known.has(proto)) continue;
      known.add(proto);
      for (const pointee of protoPointees(btf, proto))
        if (pointee < btf.firstId && !found.has(pointee))
          found.set(pointee, { id: pointee, reason: 'module', source: `${module}: ${why}` });
    }
  }
  return [...found.values()];
}

const DISTILLED_KINDS = new Set([KIND_INT, KIND_FLOAT, KIND_ENUM, KIND_ENUM64, KIND_FWD, KIND_STRUCT, KIND_UNION]);
/** Kinds that a distilled kind may stand for (btf_relocate_map_distilled_base). */
const STANDS_FOR: ReadonlyMap<number, readonly number[]> = new Map([
  [KIND_INT, [KIND_INT]],
  [KIND_FLOAT, [KIND_FLOAT]],
  [KIND_ENUM, [KIND_ENUM, KIND_ENUM64]],
  [KIND_FWD, [KIND_FWD, KIND_STRUCT, KIND_UNION]],
  [KIND_STRUCT, [KIND_STRUCT, KIND_UNION]],
  [KIND_UNION, [KIND_STRUCT, KIND_UNION]],
]);
const SIZED = new Set([KIND_INT, KIND_FLOAT, KIND_ENUM]);

/**
 * Roots of a module with `.BTF.base`: the kernel looks each of its names up when it loads the module (btf_relocate) and
 * refuses it (-22) when one is missing. Every type of vmlinux that this look-up meets goes to the base, so that it finds
 * there what it found before. `missing`: names that vmlinux itself lacks; the unsplit kernel refuses the module too.
 */
export function distilledRoots(
  module: string,
  distilled: Btf,
  original: Btf,
  names: NameIndex,
): { roots: Root[]; missing: string[] } {
  const roots: Root[] = [];
  const missing: string[] = [];
  const known = new Map<string, Met>();
  for (let id = 1; id < distilled.endId; id++) {
    const kind = distilled.kind(id);
    const name = distilled.name(id);
    let met = known.get(name);
    if (met === undefined) {
      met = meet(name, original, names);
      known.set(name, met);
      for (const candidate of met.ids)
        roots.push({ id: candidate, reason: 'module', source: `${module}: .BTF.base, ${kindName(kind)} ${name}` });
    }
    const size = SIZED.has(kind) ? distilled.sizeOrType(id) : undefined;
    const fits = STANDS_FOR.get(kind)?.some(wanted =>
      met.kinds.has(size === undefined ? `${wanted}` : `${wanted} ${size}`),
    );
    if (!fits) missing.push(`${kindName(kind)} ${name === '' ? '(anonymous)' : name}`);
  }
  return { roots, missing };
}

/** What the look-up of one name meets in vmlinux: ids, and their kinds, each alone and with its size. */
interface Met {
  readonly ids: readonly number[];
  readonly kinds: ReadonlySet<string>;
}

/** Made once a name: a hostile `.BTF.base` has one name as often as vmlinux. */
function meet(name: string, original: Btf, names: NameIndex): Met {
  const ids = name === '' ? [] : names.all(name).filter(id => DISTILLED_KINDS.has(original.kind(id)));
  return {
    ids,
    kinds: new Set(ids.flatMap(id => [`${original.kind(id)}`, `${original.kind(id)} ${original.sizeOrType(id)}`])),
  };
}

/**
 * Types of which the base has not enough and that two or more modules need: one copy in the base instead of one in each. Of
 * those, the ones from which all others are reached: what a module refers to itself, and what types refer to that one module
 * alone needs. `inBase`: by id, how much of a type the base has (levels.ts). Under the closure `forward`, a struct that modules
 * only point to is not shared: each of them has its FWD.
 */
export function sharedRoots(
  original: Btf,
  modules: readonly ModuleReferences[],
  inBase: Uint8Array,
  reach: Reach,
): Root[] {
  const users = new Users(original, inBase, reach);
  for (const [nth, references] of modules.entries()) users.add(nth + 1, references);
  const { first, second, edge } = users;
  const { words, roles, starts } = original;
  for (let id = 1; id <= original.count; id++) {
    if (first[id] === 0 || second[id] !== 0) continue;
    for (let at = starts[id - 1] + 2; at < starts[id]; at++) if (roles[at] === ROLE_TYPE) edge[words[at]] = 1;
  }
  const roots: Root[] = [];
  for (let id = 1; id <= original.count; id++)
    if (second[id] !== 0 && edge[id] === 1)
      roots.push({
        id,
        reason: 'module',
        source: `shared by ${modules[first[id] - 1].name} and ${modules[second[id] - 1].name}`,
      });
  return roots;
}

/** Which modules need each type whole that the base does not have so: the first two of them, by number from 1 on. */
class Users {
  readonly first: Uint32Array;
  readonly second: Uint32Array;
  /** 1 for what a module refers to itself, by nameless modifiers or straight. */
  readonly edge: Uint8Array;
  readonly #original: Btf;
  readonly #inBase: Uint8Array;
  readonly #reach: Reach;
  /** The module that needed the name of a type last, and the one that needed all of it. */
  readonly #named: Uint32Array;
  readonly #met: Uint32Array;

  constructor(original: Btf, inBase: Uint8Array, reach: Reach) {
    const each = (): Uint32Array => new Uint32Array(original.count + 1);
    this.first = each();
    this.second = each();
    this.edge = new Uint8Array(original.count + 1);
    this.#named = each();
    this.#met = each();
    this.#original = original;
    this.#inBase = inBase;
    this.#reach = reach;
  }

  add(module: number, { entries, named }: ModuleReferences): void {
    const { words, roles, starts } = this.#original;
    const queue: [id: number, level: number][] = [];
    const visit = (id: number, much: number): void => {
      if (id === 0) return;
      const level = settledLevel(much, this.#original.kind(id), words[starts[id - 1]] !== 0);
      const met = level === WHOLE ? this.#met : this.#named;
      if (met[id] === module || this.#inBase[id] >= level) return;
      met[id] = module;
      if (level === WHOLE && this.second[id] !== 0) return;
      if (level === WHOLE && this.first[id] === 0) this.first[id] = module;
      else if (level === WHOLE) this.second[id] = module;
      // What two modules need, both need with all that it leads to: a third adds nothing.
      queue.push([id, level]);
    };
    for (const id of entries) {
      this.edge[id] = 1;
      visit(id, WHOLE);
    }
    for (const id of named) {
      this.edge[id] = 1;
      visit(id, NAME_ONLY);
    }
    for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
      const [id, level] = next;
      const kind = this.#original.kind(id);
      if (level === NAME_ONLY && IS_COMPOSITE[kind] === 1) continue;
      const behind = this.#reach === 'forward' ? levelBehind(level, kind) : WHOLE;
      for (let at = starts[id - 1] + 2; at < starts[id]; at++) {
        if (roles[at] !== ROLE_TYPE) continue;
        if (level === NAME_ONLY) this.edge[words[at]] = 1;
        visit(words[at], behind);
      }
    }
  }
}
