import { KIND_DECL_TAG, KIND_MAX } from '../btf/kinds.js';
import { Interner } from './classes.js';
import { isNamed, type Joined, kindOf, sameRecord } from './joined.js';

/** Named types of both sides, one to one; joint ids. */
export interface Matching {
  /** Pairs whose records are the same, those of the first side and, at the same places, those of the second. */
  readonly same: readonly [number[], number[]];
  /** Pairs of one name and kind that differ. */
  readonly different: readonly [number[], number[]];
  /** Only on the first side. */
  readonly removed: readonly number[];
  /** Only on the second side. */
  readonly added: readonly number[];
}

/**
 * Matches named types by kind and name. Where several bear one name, those with the same record belong together, and what is left is
 * matched in the order of ids. A DECL_TAG has no layout to change: with another target or component it is another tag.
 */
export function matchTypes(joined: Joined, classes: Uint32Array): Matching {
  const same: [number[], number[]] = [[], []];
  const different: [number[], number[]] = [[], []];
  const removed: number[] = [];
  const added: number[] = [];
  const pair = (into: [number[], number[]], a: number, b: number): void => {
    into[0].push(a);
    into[1].push(b);
  };
  const leftOver = (as: readonly number[], bs: readonly number[]): void => {
    const tags = kindOf(joined, as[0] ?? bs[0]) === KIND_DECL_TAG;
    const pairs = tags ? 0 : Math.min(as.length, bs.length);
    for (let nth = 0; nth < pairs; nth++) pair(different, as[nth], bs[nth]);
    for (let nth = pairs; nth < as.length; nth++) removed.push(as[nth]);
    for (let nth = pairs; nth < bs.length; nth++) added.push(bs[nth]);
  };
  const { heads, next } = groupByName(joined);
  for (let group = 0; group < heads.length; group += 2) {
    const a = heads[group];
    const b = heads[group + 1];
    if (a !== 0 && b !== 0 && next[a] === 0 && next[b] === 0 && sameRecord(joined, a, b, classes)) {
      pair(same, a, b);
      continue;
    }
    const as = idsOf(a, next);
    let bs = idsOf(b, next);
    if (as.length > 1 || bs.length > 1) {
      const interner = new Interner(joined, classes, as.length + bs.length);
      // Of each record the ids that are still free, the lowest last.
      const free = new Map<number, number[]>();
      for (const id of bs.reverse()) {
        const number = interner.add(id);
        const ids = free.get(number);
        if (ids === undefined) free.set(number, [id]);
        else ids.push(id);
      }
      const alone = as.filter(id => {
        const match = free.get(interner.add(id))?.pop();
        if (match !== undefined) pair(same, id, match);
        return match === undefined;
      });
      bs = [...free.values()].flat().sort((x, y) => x - y);
      if (alone.length + bs.length > 0) leftOver(alone, bs);
    } else leftOver(as, bs);
  }
  return { same, different, removed, added };
}

/** Own named types by kind and name: two heads a group, one a side, and the next type of the group and side. */
function groupByName(joined: Joined): { readonly heads: readonly number[]; readonly next: Uint32Array } {
  const { words, starts, sides } = joined;
  const groups = new Map<number, number>();
  const heads: number[] = [];
  const next = new Uint32Array(starts.length);
  for (const [nth, { first, end }] of sides.entries())
    for (let id = end - 1; id >= first; id--) {
      if (!isNamed(joined, id)) continue;
      const key = words[starts[id]] * (KIND_MAX + 1) + kindOf(joined, id);
      let group = groups.get(key);
      if (group === undefined) {
        group = heads.length;
        groups.set(key, group);
        heads.push(0, 0);
      }
      next[id] = heads[group + nth];
      heads[group + nth] = id;
    }
  return { heads, next };
}

/** Ascending. */
function idsOf(head: number, next: Uint32Array): number[] {
  const ids: number[] = [];
  for (let id = head; id !== 0; id = next[id]) ids.push(id);
  return ids;
}
