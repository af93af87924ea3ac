import { checkComparable } from './comparable.js';
import { type Figures, merge } from './compare.js';
import { metricsOf } from './metrics.js';
import type { Report } from './model.js';

export interface Comparison {
  /** Largest difference first. */
  readonly changed: readonly Figures[];
  readonly unchanged: readonly Figures[];
  /** What is not the same besides, in words (comparable.ts). */
  readonly remarks: readonly string[];
}

/** Every figure of a report against those of an earlier one. Throws `report-foreign` for one of another architecture. */
export function compareWithBaseline(report: Report, baseline: Report): Comparison {
  const remarks = checkComparable(report, baseline);
  const rows = merge([...metricsOf(baseline)], [...metricsOf(report)]);
  const size = ({ before, after }: Figures): number => Math.abs((after ?? 0) - (before ?? 0));
  return {
    changed: rows.filter(row => row.before !== row.after).sort((a, b) => size(b) - size(a)),
    unchanged: rows.filter(row => row.before === row.after),
    remarks,
  };
}
