import { number } from '../../report/render/table.js';
import { type Checked, totals } from '../checked.js';
import { type Finding, type Judged, VERDICTS } from '../evaluate.js';

export const HEAD = ['', 'metric', 'value', 'baseline', 'budget', 'at most', 'above'] as const;

/** Of each limit a row under {@link HEAD}, broken ones first; the first cell is the verdict. */
export function rows(findings: readonly Finding[]): string[][] {
  const all = findings.flatMap(({ metric, value, baseline, limits }) =>
    limits.map(limit => ({ metric, value, baseline, ...limit })),
  );
  all.sort((a, b) => VERDICTS.indexOf(b.verdict) - VERDICTS.indexOf(a.verdict));
  return all.map(({ metric, value, baseline, key, asked, limit, difference, verdict }) => [
    verdict,
    metric,
    figure(value),
    figure(baseline),
    `${key} ${asked}`,
    figure(limit),
    difference === null ? '-' : signed(difference),
  ]);
}

/** What there is to say of a finding in words: why there is no figure, what its budget says when it is broken, notes. */
export function remarks({ verdict, missing, message, limits }: Finding): string[] {
  const broken = verdict === 'error' || verdict === 'warn';
  return [
    ...(missing === undefined ? [] : [`not measured: ${missing}`]),
    ...limits.flatMap(({ note }) => (note === undefined ? [] : [note])),
    ...(broken && message !== undefined ? [message] : []),
  ];
}

/** One sentence of one limit, for places without a table. */
export function sentence(finding: Finding, limit: Judged): string {
  const { metric, unit, value, baseline } = finding;
  const asked = `${limit.key} ${limit.asked}`;
  if (value === null) return `${metric} is not measured (${asked}): ${finding.missing}`;
  const things = unit === 'bytes' ? 'bytes' : 'types';
  const is = `${metric} is ${number(value)} ${things}`;
  if (limit.limit === null || limit.difference === null) return `${is} (${asked}); ${limit.note}`;
  const from =
    limit.key === 'maxIncrease' && baseline !== null ? `, ${signed(value - baseline)} from the baseline` : '';
  const place =
    limit.difference > 0
      ? `${number(limit.difference)} above ${number(limit.limit)}`
      : `at most ${number(limit.limit)} holds`;
  const note = limit.note === undefined ? '' : `; ${limit.note}`;
  return `${is}${from}: ${place} (${asked})${note}`;
}

export function summary({ findings }: Checked): string {
  const { budgets, errors, warnings, notices } = totals(findings);
  const parts = [
    ...(errors === 0 ? [] : [`${errors} broken`]),
    ...(warnings === 0 ? [] : [warnings === 1 ? '1 warning' : `${warnings} warnings`]),
    ...(notices === 0 ? [] : [notices === 1 ? '1 notice' : `${notices} notices`]),
  ];
  const all = budgets === 1 ? '1 budget' : `${number(budgets)} budgets`;
  return parts.length === 0 ? `${all}: all hold` : `${all}: ${parts.join(', ')}`;
}

function figure(value: number | null): string {
  return value === null ? '-' : number(value);
}

function signed(value: number): string {
  return `${value > 0 ? '+' : value < 0 ? '-' : ''}${number(Math.abs(value))}`;
}
