import type { Reading, Unit } from '../report/metrics.js';
import type { Report } from '../report/model.js';
import type { Budget, Level } from './budget.js';
import { amountOf } from './units.js';

/** `notice`: there was nothing to compare with. */
export type Verdict = 'ok' | 'notice' | Level;

/** From what matters least. */
export const VERDICTS: readonly Verdict[] = ['ok', 'notice', 'warn', 'error'];

/** How a figure stands to one limit of its budget. */
export interface Judged {
  readonly key: 'max' | 'maxIncrease';
  /** The limit as it was written, such as `12 %` or `2 %, from 4 KiB on`. */
  readonly asked: string;
  /** The most that holds, in bytes or things; null where it is not known. */
  readonly limit: number | null;
  /** Value without limit: above 0 when it is broken. */
  readonly difference: number | null;
  readonly verdict: Verdict;
  /** Why it is a notice. */
  readonly note?: string;
}

/** What became of one budget. */
export interface Finding {
  /** Its place in the configuration, from 0. */
  readonly budget: number;
  readonly metric: string;
  readonly unit: Unit;
  readonly level: Level;
  /** The worst of its limits. */
  readonly verdict: Verdict;
  /** Null where it is not measured. */
  readonly value: number | null;
  readonly baseline: number | null;
  readonly limits: readonly Judged[];
  /** Why there is no value. */
  readonly missing?: string;
  /** Of the budget. */
  readonly message?: string;
}

/** What increases are measured from; `why` there is nothing. */
export type Baseline = { readonly report: Report } | { readonly why: string };

/**
 * Holds a report to budgets. A figure that the report has not breaks its budget, for a limit that is not looked at holds nothing; one
 * that only the baseline lacks is a notice. `accept`: the report becomes the baseline, so increases are told and hold. Broken
 * budgets come first, then those of level `warn`, notices, and what holds; each in the order of the configuration.
 */
export function evaluate(budgets: readonly Budget[], report: Report, baseline: Baseline, accept = false): Finding[] {
  const findings = budgets.map((budget, nth) => evaluateOne(budget, nth, report, baseline, accept));
  return findings.sort((a, b) => VERDICTS.indexOf(b.verdict) - VERDICTS.indexOf(a.verdict) || a.budget - b.budget);
}

function evaluateOne(budget: Budget, nth: number, report: Report, baseline: Baseline, accept: boolean): Finding {
  const { metric, level, message } = budget;
  const reading = metric.read(report);
  const former: Reading = 'report' in baseline ? metric.read(baseline.report) : { missing: baseline.why };
  const told = {
    budget: nth,
    metric: metric.name,
    unit: metric.unit,
    level,
    baseline: 'missing' in former ? null : former.value,
    ...(message === undefined ? {} : { message }),
  };
  if ('missing' in reading)
    return { ...told, verdict: level, value: null, limits: unknownLimits(budget), missing: reading.missing };
  const { value } = reading;
  const limits = [...judgeMax(budget, reading), ...judgeIncrease(budget, value, former, accept)];
  const worst = Math.max(...limits.map(({ verdict }) => VERDICTS.indexOf(verdict)));
  return { ...told, verdict: VERDICTS[worst], value, limits };
}

function judgeMax(budget: Budget, { value, whole = 0 }: Exclude<Reading, { missing: string }>): Judged[] {
  const { max, partition } = budget;
  const asked = askedMax(budget);
  if (asked === undefined) return [];
  const limit = max === undefined ? (partition?.amount ?? 0) : amountOf(max.amount, partition?.amount ?? whole);
  return [{ key: 'max', asked, limit, difference: value - limit, verdict: value > limit ? budget.level : 'ok' }];
}

function judgeIncrease(budget: Budget, value: number, former: Reading, accept: boolean): Judged[] {
  const { maxIncrease, andAtLeast, level } = budget;
  const asked = askedIncrease(budget);
  if (maxIncrease === undefined || asked === undefined) return [];
  if ('missing' in former)
    return [
      {
        key: 'maxIncrease',
        asked,
        limit: null,
        difference: null,
        verdict: 'notice',
        note: `baseline: ${former.missing}`,
      },
    ];
  const allowed = Math.max(amountOf(maxIncrease.amount, former.value), (andAtLeast?.amount ?? 0) - 1);
  const limit = former.value + allowed;
  const judged = { key: 'maxIncrease', asked, limit, difference: value - limit } as const;
  if (value <= limit) return [{ ...judged, verdict: 'ok' }];
  return [
    accept ? { ...judged, verdict: 'notice', note: 'accepted: it is the new baseline' } : { ...judged, verdict: level },
  ];
}

function unknownLimits(budget: Budget): Judged[] {
  const unknown = (key: Judged['key'], asked: string | undefined): Judged[] =>
    asked === undefined ? [] : [{ key, asked, limit: null, difference: null, verdict: budget.level }];
  return [...unknown('max', askedMax(budget)), ...unknown('maxIncrease', askedIncrease(budget))];
}

function askedMax({ max, partition }: Budget): string | undefined {
  if (partition === undefined) return max?.text;
  return max === undefined ? partition.text : `${max.text} of ${partition.text}`;
}

function askedIncrease({ maxIncrease, andAtLeast }: Budget): string | undefined {
  return andAtLeast === undefined ? maxIncrease?.text : `${maxIncrease?.text}, from ${andAtLeast.text} on`;
}
