import type { Btf } from '../btf/btf.js';
import { kindName } from '../btf/kinds.js';
import type { NameIndex } from '../btf/names.js';
import { groupBy } from '../group-by.js';
import type { Root } from '../roots/root.js';
import { closeOver } from '../split/closure.js';
import { Companions } from '../split/companions.js';
import { closureCurve } from '../split/curve.js';
import { NeedGraph } from '../split/need-graph.js';
import { retainedBy } from '../split/retained.js';
import { closeForward, type Reach } from '../split/split.js';
import type { Analysis, RetainedRow, Side } from './model.js';
import { subsystemOf } from './subsystem.js';
import { treemapLeaves } from './treemap.js';

/** What is analysed. */
export interface Analyzed {
  /** The input of a split, without a base. */
  readonly btf: Btf;
  readonly names: NameIndex;
  /** Those of the split without the reason `tag`. */
  readonly roots: readonly Root[];
  readonly reach: Reach;
  /** Of the split: what the treemap adds up to. */
  readonly full: Pick<Side, 'bytes' | 'headerBytes'>;
}

/** Finds out what takes more than a split: linear in the types, but for dominators (split/dominators.ts). Throws `invariant`. */
export function analyze({ btf, names, roots, reach, full }: Analyzed): Analysis {
  const companions = new Companions(btf, names);
  const needs = new NeedGraph(btf, companions, reach);
  const forward = reach === 'forward' ? needs : new NeedGraph(btf, companions, 'forward');
  const sides =
    reach === 'forward'
      ? closeForward(btf, names, roots)
      : { expanded: btf, closure: closeOver(btf, companions, roots) };
  return {
    retained: retainedRows(btf, needs, roots),
    curve: closureCurve(forward, roots),
    treemap: treemapLeaves(sides.expanded, sides.closure, full),
  };
}

function retainedRows(btf: Btf, needs: NeedGraph, roots: readonly Root[]): RetainedRow[] {
  const nameOf = ({ id }: Root): string => `${kindName(btf.kind(id)).toLowerCase()}:${btf.name(id)}`;
  const groupings: readonly [RetainedRow['per'], (root: Root) => string, readonly Root[]][] = [
    ['root', nameOf, roots],
    ['set', ({ source }) => source, roots.filter(({ reason }) => reason !== 'keep')],
    ['subsystem', root => subsystemOf(root.source, btf.name(root.id)), roots],
    ['rule', ({ source }) => source, roots.filter(({ reason }) => reason === 'keep')],
    ['reason', ({ reason }) => reason, roots],
  ];
  return groupings.flatMap(([per, name, some]) => {
    const groups = groupBy(some, name);
    // What stays whatever leaves: the roots of no group.
    const others = roots.filter(root => !some.includes(root));
    const { amounts } = retainedBy(needs, btf.count, [...groups.values(), ...(others.length > 0 ? [others] : [])]);
    return [...groups]
      .map(([text, group], nth) => ({ per, name: text, roots: group.length, ...amounts[nth] }))
      .sort((a, b) => b.bytes - a.bytes || (a.name < b.name ? -1 : 1));
  });
}
