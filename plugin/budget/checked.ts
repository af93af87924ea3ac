import type { Report } from '../report/model.js';
import type { Finding } from './evaluate.js';

/** What a check found, for renderers. */
export interface Checked {
  readonly reportFile: string;
  readonly report: Report;
  /** Undefined where none was named, or where it was not there. */
  readonly baselineFile: string | undefined;
  /** What a reader of the findings must know. */
  readonly notes: readonly string[];
  readonly findings: readonly Finding[];
}

export interface Totals {
  readonly budgets: number;
  readonly errors: number;
  readonly warnings: number;
  readonly notices: number;
}

export function totals(findings: readonly Finding[]): Totals {
  const having = (verdict: Finding['verdict']): number =>
    findings.filter(finding => finding.verdict === verdict).length;
  return { budgets: findings.length, errors: having('error'), warnings: having('warn'), notices: having('notice') };
}

/** `{report, baseline, notes, findings, errors, warnings, notices}`. */
export function toJson({ reportFile, baselineFile, notes, findings }: Checked): object {
  const { errors, warnings, notices } = totals(findings);
  return { report: reportFile, baseline: baselineFile ?? null, notes, findings, errors, warnings, notices };
}
