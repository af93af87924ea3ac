import { checkComparable } from './comparable.js';
import { metricsOf } from './history.js';
import type { Report } from './model.js';

/** One figure of two reports; a side that has it not is undefined. */
export interface Change {
  /** See history.ts. */
  readonly metric: string;
  readonly before: number | undefined;
  readonly after: number | undefined;
}

export interface Comparison {
  /** Largest difference first. */
  readonly changed: readonly Change[];
  readonly unchanged: readonly Change[];
  /** What is not the same besides, in words (comparable.ts). */
  readonly remarks: readonly string[];
}

/** Every figure of a report against those of an earlier one. Throws `report-foreign` for one of another architecture. */
export function compareWithBaseline(report: Report, baseline: Report): Comparison {
  const remarks = checkComparable(report, baseline);
  const [before, after] = [metricsOf(baseline), metricsOf(report)];
  const rows = [...new Set([...after.keys(), ...before.keys()])].map(metric => ({
    metric,
    before: before.get(metric),
    after: after.get(metric),
  }));
  const size = ({ before: from = 0, after: to = 0 }: Change): number => Math.abs(to - from);
  return {
    changed: rows.filter(row => row.before !== row.after).sort((a, b) => size(b) - size(a)),
    unchanged: rows.filter(row => row.before === row.after),
    remarks,
  };
}
