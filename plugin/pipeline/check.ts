import { statSync } from 'node:fs';
import type { Checked } from '../budget/checked.js';
import { type Baseline, evaluate } from '../budget/evaluate.js';
import { CodedError } from '../errors.js';
import { writeWhole } from '../host/write-whole.js';
import { checkComparable } from '../report/comparable.js';
import { readConfigFile } from './config-file.js';
import { type ReportFile, readReport } from './report-file.js';

export interface CheckRequest {
  /** Path of a report.json. */
  readonly report: string;
  /** Without it, `vmlinux-btf.config.json` of the working folder. */
  readonly config?: string | undefined;
  /** Path of an earlier report; it need not be there yet. */
  readonly baseline?: string | undefined;
  /** The report becomes the baseline: increases are accepted. */
  readonly accept?: boolean;
}

/** A check, and the file that a baseline is written from. */
export interface CheckResult extends Checked {
  readonly source: ReportFile;
}

/**
 * Holds a report to the budgets of a configuration; nothing is written. Throws `config` (no budgets as well, for a check of nothing
 * would pass), `report`, `report-version`, `report-foreign`, `file-unreadable`.
 */
export async function checkReportFile({ report: path, config, baseline, accept }: CheckRequest): Promise<CheckResult> {
  const { config: read, file } = readConfigFile(config);
  if (read.budgets.length === 0) throw new CodedError('config', 'no budgets', { file });
  const source = await readReport(path);
  const { report } = source;
  const former =
    baseline === undefined || statSync(baseline, { throwIfNoEntry: false }) === undefined
      ? undefined
      : await readReport(baseline);
  const notes = former === undefined ? [] : compareWith(former, source);
  if (baseline !== undefined && former === undefined)
    notes.push(`there is no baseline ${baseline} yet; check --update-baseline writes it`);
  const against: Baseline = former ?? {
    why: baseline === undefined ? 'none was named (--baseline)' : 'there is none yet',
  };
  const findings = evaluate(read.budgets, report, against, accept);
  return { reportFile: path, report, baselineFile: former?.file, notes, findings, source };
}

/** Writes the report as the baseline. Throws `out-is-input`, `write-failed`. */
export function writeBaseline(baseline: string, { file, bytes }: ReportFile): void {
  writeWhole(baseline, [bytes], [file]);
}

function compareWith(former: ReportFile, { report }: ReportFile): string[] {
  try {
    return checkComparable(report, former.report);
  } catch (error) {
    throw error instanceof CodedError ? error.in(former.file) : error;
  }
}
