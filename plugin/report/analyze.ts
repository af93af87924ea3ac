import type { Btf } from '../btf/btf.js';
import { NameIndex } from '../btf/names.js';
import type { Root } from '../roots/root.js';
import { closeOver } from '../split/closure.js';
import { Companions } from '../split/companions.js';
import { closureCurve } from '../split/curve.js';
import { NeedGraph } from '../split/need-graph.js';
import { closeForward, type Reach } from '../split/split.js';
import { type Analysis, RETAINED_PER, type Report, type Side } from './model.js';
import { retainedRows } from './retained-rows.js';
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
  const companions = Companions.of(btf, names);
  const needs = new NeedGraph(btf, companions, reach);
  const forward = reach === 'forward' ? needs : new NeedGraph(btf, companions, 'forward');
  const sides =
    reach === 'forward'
      ? closeForward(btf, names, roots)
      : { expanded: btf, closure: closeOver(btf, companions, roots) };
  return {
    retained: RETAINED_PER.flatMap(per => retainedRows(btf, needs, roots, per)),
    curve: closureCurve(forward, roots),
    treemap: treemapLeaves(sides.expanded, sides.closure, full),
  };
}

/** A report with what is found out besides; `roots`: those of its split, `btf`: the input of it, without a base. */
export function withAnalysis(report: Report, btf: Btf, roots: readonly Root[]): Report {
  const asked = roots.filter(({ reason }) => reason !== 'tag');
  const { closure: reach, full } = report;
  return { ...report, analysis: analyze({ btf, names: new NameIndex(btf), roots: asked, reach, full }) };
}
