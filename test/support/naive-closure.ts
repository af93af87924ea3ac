import * as kinds from '../../plugin/btf/kinds.js';
import type { NaiveBtf, NaiveType } from './naive-btf.js';

/** Kinds that stand for each other as candidates of a CO-RE relocation (libbpf's btf_kind_core_compat). */
const CORE_CLASSES: readonly (readonly number[])[] = [
  [kinds.KIND_INT],
  [kinds.KIND_FLOAT],
  [kinds.KIND_STRUCT],
  [kinds.KIND_UNION],
  [kinds.KIND_TYPEDEF],
  [kinds.KIND_ENUM, kinds.KIND_ENUM64],
];

const coreClass = (kind: number): number => CORE_CLASSES.findIndex(group => group.includes(kind));

/** `foo` of `foo___x`: the text before the last `___` that stands between other characters. */
export function essentialName(name: string): string {
  return /^(.*[^_])___[^_].*?$/s.exec(name)?.[1] ?? name;
}

/** True when two types must be on one side of a split though neither refers to the other. */
export function belongTogether(one: NaiveType, other: NaiveType): boolean {
  const group = coreClass(one.kind);
  if (group >= 0 && group === coreClass(other.kind) && one.name !== '')
    if (essentialName(one.name) === essentialName(other.name)) return true;
  const pair = (a: NaiveType, b: NaiveType): boolean =>
    a.kind === kinds.KIND_TYPEDEF &&
    b.kind === kinds.KIND_FUNC &&
    a.name.startsWith('btf_trace_') &&
    b.name === `__bpf_trace_${a.name.slice('btf_trace_'.length)}`;
  return pair(one, other) || pair(other, one);
}

/** For each id, the others that must be on its side, directly or through one another; quadratic, for small BTFs. */
function companions(btf: NaiveBtf): readonly ReadonlySet<number>[] {
  const near: Set<number>[] = [new Set(), ...btf.types.map(() => new Set<number>())];
  const link = (a: number, b: number): void => {
    near[a].add(b);
    near[b].add(a);
  };
  for (const [i, one] of btf.types.entries()) {
    for (const [j, other] of btf.types.entries()) if (i !== j && belongTogether(one, other)) link(i + 1, j + 1);
    if (one.kind === kinds.KIND_DATASEC) for (const variable of one.refs) link(variable, i + 1);
  }
  return near.map((_, id) => {
    const reached = distances(near, [id]);
    return new Set(
      reached.flatMap((steps, other) => (steps < Number.POSITIVE_INFINITY && other !== id ? [other] : [])),
    );
  });
}

/** For each id, the ids that it takes along, but for DECL_TAGs: references and companions. */
export function edges(btf: NaiveBtf): readonly ReadonlySet<number>[] {
  const together = companions(btf);
  return together.map(
    (others, id) => new Set([...others, ...(btf.types[id - 1]?.refs ?? []).filter(ref => ref !== 0)]),
  );
}

/** Steps from the nearest of some ids; Infinity where no way leads. Relaxes every edge until nothing changes. */
export function distances(from: readonly ReadonlySet<number>[], roots: readonly number[]): number[] {
  const found = from.map((_, id) => (roots.includes(id) ? 0 : Number.POSITIVE_INFINITY));
  for (let changed = true; changed; ) {
    changed = false;
    for (const [id, targets] of from.entries())
      for (const target of targets)
        if (found[id] + 1 < found[target]) {
          found[target] = found[id] + 1;
          changed = true;
        }
  }
  return found;
}

/** The ids that the base must hold, and no others. */
export function naiveBase(btf: NaiveBtf, roots: readonly number[]): Set<number> {
  const reached = distances(edges(btf), roots);
  const base = new Set(reached.flatMap((steps, id) => (steps === Number.POSITIVE_INFINITY ? [] : [id])));
  for (const [i, { kind, refs }] of btf.types.entries())
    if (kind === kinds.KIND_DECL_TAG && base.has(refs[0])) base.add(i + 1);
  return base;
}
