import type { Btf } from '../btf/btf.js';
import {
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
import { isLink } from '../split/forward.js';
import { prototypesOf } from '../split/pointees.js';
import type { Reach } from '../split/split.js';
import type { Needs, Seed } from './needs.js';

/** A module and the types of vmlinux that its types refer to. */
export interface ModuleReferences {
  /** Name of the module, as sources of roots tell it. */
  readonly name: string;
  /** Ascending. */
  readonly entries: Uint32Array;
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
 * Types outside the base that two or more modules need: one copy in the base instead of one in each. Of those, the ones
 * from which all others are reached: what a module refers to itself, and what types refer to that one module alone needs.
 * `inBase`: by id, other than 0 for a type of the base; what a type of the base refers to is in the base as well. Under the
 * closure `forward` a link that leads to a FWD is not in it and does not get there by being a root: what it leads to has to be one.
 */
export function sharedRoots(
  original: Btf,
  modules: readonly ModuleReferences[],
  inBase: Uint8Array | Uint32Array,
  reach: Reach,
): Root[] {
  const users = new Users(original, inBase);
  for (const [nth, { entries }] of modules.entries()) users.add(nth + 1, entries);
  const { first, second, edge } = users;
  const { words, roles, starts } = original;
  for (let id = 1; id <= original.count; id++) {
    if (first[id] === 0 || second[id] !== 0) continue;
    for (let at = starts[id - 1] + 2; at < starts[id]; at++) if (roles[at] === ROLE_TYPE) edge[words[at]] = 1;
  }
  if (reach === 'forward') {
    const links: number[] = [];
    const follow = (id: number): void => {
      if (second[id] !== 0 && isLink(original, id)) links.push(id);
    };
    for (let id = 1; id <= original.count; id++) if (edge[id] === 1) follow(id);
    for (let id = links.pop(); id !== undefined; id = links.pop())
      for (let at = starts[id - 1] + 2; at < starts[id]; at++) {
        if (roles[at] !== ROLE_TYPE || edge[words[at]] === 1) continue;
        edge[words[at]] = 1;
        follow(words[at]);
      }
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

/** Which modules need each type outside the base: the first two of them, by number from 1 on. */
class Users {
  readonly first: Uint32Array;
  readonly second: Uint32Array;
  /** 1 for what a module refers to itself. */
  readonly edge: Uint8Array;
  readonly #original: Btf;
  readonly #inBase: Uint8Array | Uint32Array;
  /** The module that met a type last. */
  readonly #met: Uint32Array;

  constructor(original: Btf, inBase: Uint8Array | Uint32Array) {
    this.first = new Uint32Array(original.count + 1);
    this.second = new Uint32Array(original.count + 1);
    this.edge = new Uint8Array(original.count + 1);
    this.#met = new Uint32Array(original.count + 1);
    this.#original = original;
    this.#inBase = inBase;
  }

  add(module: number, entries: Uint32Array): void {
    const { words, roles, starts } = this.#original;
    const queue: number[] = [];
    const visit = (id: number): void => {
      if (id === 0 || this.#met[id] === module || this.#inBase[id] !== 0) return;
      this.#met[id] = module;
      const known = this.second[id] !== 0;
      if (this.first[id] === 0) this.first[id] = module;
      else if (!known) this.second[id] = module;
      // What two modules need, both need with all that it leads to: a third adds nothing.
      if (!known) queue.push(id);
    };
    for (const id of entries) {
      this.edge[id] = 1;
      visit(id);
    }
    for (let id = queue.pop(); id !== undefined; id = queue.pop())
      for (let at = starts[id - 1] + 2; at < starts[id]; at++) if (roles[at] === ROLE_TYPE) visit(words[at]);
  }
}
