import type { Btf } from '../btf/btf.js';
import { KIND_FUNC, kindName, ROLE_TYPE } from '../btf/kinds.js';
import type { NameIndex } from '../btf/names.js';
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
  for (const id of functions.startingWith('bpf_iter_')) seeds.push({ id, why: `func ${btf.name(id)}` });
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

/** Types outside of a BTF that its own types refer to, ascending; of the marked own types when `own` is given. */
export function referredOutside(btf: Btf, own?: Uint8Array): Uint32Array {
  const { words, roles, starts, firstId } = btf;
  const found = new Set<number>();
  for (let i = 0; i < btf.count; i++) {
    if (own?.[i] === 0) continue;
    for (let at = starts[i] + 2; at < starts[i + 1]; at++)
      if (roles[at] === ROLE_TYPE && words[at] !== 0 && words[at] < firstId) found.add(words[at]);
  }
  return Uint32Array.from(found).sort();
}
