import type { Btf } from '../btf/btf.js';
import { kindName } from '../btf/kinds.js';
import { groupBy } from '../group-by.js';
import type { Root } from '../roots/root.js';
import type { NeedGraph } from '../split/need-graph.js';
import { reachedFrom, retainedBy } from '../split/retained.js';
import type { RetainedRow } from './model.js';
import { subsystemOf } from './subsystem.js';

/** Name of a root in a report: `func:bpf_skb_ct_lookup`. */
export function rootName(btf: Btf, id: number): string {
  return `${kindName(btf.kind(id)).toLowerCase()}:${btf.name(id)}`;
}

/** What would leave the base without each root, set, subsystem, keep rule or reason; most bytes first. */
export function retainedRows(
  btf: Btf,
  needs: NeedGraph,
  roots: readonly Root[],
  per: RetainedRow['per'],
): RetainedRow[] {
  const groups = groupsPer(btf, roots, per);
  const grouped = new Set([...groups.values()].flat());
  // What stays whatever leaves: the roots of no group.
  const others = roots.filter(root => !grouped.has(root));
  const { amounts } = retainedBy(needs, btf.count, [...groups.values(), ...(others.length > 0 ? [others] : [])]);
  return rows(per, groups, amounts);
}

/** What each of them would keep in the base alone; most bytes first. They share most of it. */
export function reachedRows(
  btf: Btf,
  needs: NeedGraph,
  roots: readonly Root[],
  per: RetainedRow['per'],
): RetainedRow[] {
  const groups = groupsPer(btf, roots, per);
  return rows(per, groups, reachedFrom(needs, [...groups.values()]));
}

function rows(
  per: RetainedRow['per'],
  groups: ReadonlyMap<string, readonly Root[]>,
  amounts: readonly Pick<RetainedRow, 'types' | 'bytes'>[],
): RetainedRow[] {
  return [...groups]
    .map(([name, group], nth) => ({ per, name, roots: group.length, ...amounts[nth] }))
    .sort((a, b) => b.bytes - a.bytes || (a.name < b.name ? -1 : 1));
}

function groupsPer(btf: Btf, roots: readonly Root[], per: RetainedRow['per']): Map<string, Root[]> {
  switch (per) {
    case 'root':
      return groupBy(roots, ({ id }) => rootName(btf, id));
    case 'set':
      return groupBy(
        roots.filter(({ reason }) => reason !== 'keep'),
        ({ source }) => source,
      );
    case 'subsystem':
      return groupBy(roots, root => subsystemOf(root.source, btf.name(root.id)));
    case 'rule':
      return groupBy(
        roots.filter(({ reason }) => reason === 'keep'),
        ({ source }) => source,
      );
    case 'reason':
      return groupBy(roots, ({ reason }) => reason);
  }
}
