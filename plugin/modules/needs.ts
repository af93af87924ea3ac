import type { Btf } from '../btf/btf.js';
import { infoKind, KIND_FUNC, kindName, ROLE_TYPE } from '../btf/kinds.js';
import type { NameIndex } from '../btf/names.js';
import { isIterator } from '../roots/by-name.js';
import { IS_NAMELESS_MODIFIER, levelBehind, NOTHING, WHOLE } from '../split/levels.js';
import type { Reach } from '../split/split.js';
import { OwnCompanions } from './companions.js';
import { OwnTypes } from './own-names.js';
import type { KernelModule } from './read.js';
import { structOpsSeeds } from './struct-ops.js';

/** What becomes of the types of a module: all stay; those that it registers stay; none stays. */
export const MODULE_MODES = ['keep', 'prune', 'strip'] as const;
export type ModuleMode = (typeof MODULE_MODES)[number];

/** A type that the kernel looks up when a module registers something. */
export interface Seed {
  /** In the numbering of the module's BTF: its own, or one of what it is split on. */
  readonly id: number;
  /** In words. */
  readonly why: string;
  /** An ops struct: programs implement its members. */
  readonly isOps?: boolean;
}

/**
 * Everything that the kernel asks of a module's BTF: what its `.BTF_ids` name (kfuncs, destructors, types that it compares
 * with), `<kfunc>_impl` for implicit arguments (7.x), iterators by their name, its struct_ops. Throws `struct-ops`.
 */
export function seedsOf(module: KernelModule, original: Btf, names: NameIndex): Seed[] {
  const { btf, ids } = module;
  if (btf === undefined) return [];
  const seeds: Seed[] = (ids?.roots ?? []).map(({ id, source }) => ({
    id,
    why: `${source}, ${kindName(btf.kind(id))} ${btf.name(id)}`,
  }));
  const functions = new OwnTypes(btf, KIND_FUNC);
  for (const { id, why } of [...seeds])
    if (id >= btf.firstId && btf.kind(id) === KIND_FUNC)
      for (const implementation of functions.takeNamed(`${btf.name(id)}_impl`)) seeds.push({ id: implementation, why });
  for (const id of btf.ofKind(KIND_FUNC)) if (isIterator(btf, id)) seeds.push({ id, why: `func ${btf.name(id)}` });
  return [...seeds, ...structOpsSeeds(module, original, names)];
}

/** What some seeds need. */
export interface Needs {
  /** 1 for each own type, by id - firstId. */
  readonly own: Uint8Array;
  /** Types of what the BTF is split on, ascending, each with the first seed that led to it. */
  readonly outside: ReadonlyMap<number, Seed>;
}

/** Every own type that seeds need, members, pointees and companions included; and where they lead out of the BTF. */
export function reach(btf: Btf, seeds: readonly Seed[]): Needs {
  const { words, roles, starts, firstId } = btf;
  const own = new Uint8Array(btf.count);
  const origin = new Uint32Array(btf.count);
  const outside = new Map<number, Seed>();
  const companions = new OwnCompanions(btf);
  const queue: number[] = [];
  const visit = (id: number, seed: number): void => {
    if (id === 0) return;
    if (id < firstId) {
      if (!outside.has(id)) outside.set(id, seeds[seed]);
    } else if (own[id - firstId] === 0) {
      own[id - firstId] = 1;
      origin[id - firstId] = seed;
      queue.push(id);
    }
  };
  for (const [nth, { id }] of seeds.entries()) visit(id, nth);
  for (let id = queue.pop(); id !== undefined; id = queue.pop()) {
    const i = id - firstId;
    for (let at = starts[i] + 2; at < starts[i + 1]; at++) if (roles[at] === ROLE_TYPE) visit(words[at], origin[i]);
    for (const companion of companions.of(id)) visit(companion, origin[i]);
  }
  return { own, outside: new Map([...outside].sort(([a], [b]) => a - b)) };
}

/**
 * Tells every reference of a BTF's own types to what it is split on, and how much of a type it needs (levels.ts): with
 * `forward`, a pointer wants no more than the name, and so does a nameless modifier that only pointers lead to. `own`: by own
 * type, 0 for one that does not count; without it all do. A type may be told more than once.
 */
export function referencesOut(
  btf: Btf,
  own: Uint8Array | undefined,
  reach: Reach,
  tell: (id: number, level: number) => void,
): void {
  const { words, roles, starts, firstId } = btf;
  const isPassing = (i: number): boolean =>
    reach === 'forward' && IS_NAMELESS_MODIFIER[infoKind(words[starts[i] + 1])] === 1;
  /** Of each modifier, by id - firstId: how much what it stands for is needed. */
  const levels = new Uint8Array(btf.count);
  const queue: number[] = [];
  const raise = (i: number, level: number): void => {
    if (levels[i] >= level) return;
    levels[i] = level;
    queue.push(i);
  };
  const follow = (i: number, level: number): void => {
    for (let at = starts[i] + 2; at < starts[i + 1]; at++) {
      const id = words[at];
      if (roles[at] !== ROLE_TYPE || id === 0) continue;
      if (id < firstId) tell(id, level);
      else if (isPassing(id - firstId)) raise(id - firstId, level);
    }
  };
  const drain = (): void => {
    for (let i = queue.pop(); i !== undefined; i = queue.pop()) follow(i, levels[i]);
  };
  for (let i = 0; i < btf.count; i++)
    if (own?.[i] !== 0 && !isPassing(i))
      follow(i, reach === 'forward' ? levelBehind(WHOLE, infoKind(words[starts[i] + 1])) : WHOLE);
  drain();
  // Those that nothing leads to.
  for (let i = 0; i < btf.count; i++) if (own?.[i] !== 0 && isPassing(i) && levels[i] === NOTHING) raise(i, WHOLE);
  drain();
}
