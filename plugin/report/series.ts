import { CodedError } from '../errors.js';
import { nearest } from '../nearest.js';
import type { HistoryLine } from './history.js';

/** One figure of comparable reports over time: what one chart shows. */
export interface Series {
  readonly metric: string;
  /** What is comparable: architecture and closure. */
  readonly of: string;
  readonly unit: 'bytes' | 'types';
  /** Reports of this architecture and closure, whether or not they have the figure. */
  readonly reports: number;
  /** In the order of the history. */
  readonly points: readonly Point[];
}

export interface Point {
  /** Place among the reports of the series, from 0. */
  readonly nth: number;
  readonly commit: string;
  readonly time: string;
  readonly value: number;
}

/** More nobody looks at, and they would make a huge file of a small one. */
const MOST_SERIES = 1000;

/**
 * The series of a history, by metric in the order in which metrics come. `metrics`: only these; empty for all that are not zero
 * throughout. Throws `usage` for a metric that no line has, `history` for more than 1,000 series.
 */
export function seriesOf(lines: readonly HistoryLine[], metrics: readonly string[]): Series[] {
  const groups = new Map<string, HistoryLine[]>();
  const known = new Set<string>();
  for (const line of lines) {
    const key = `${line.architecture ?? 'bare BTF'}, closure ${line.closure}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [line]);
    else group.push(line);
    for (const name of Object.keys(line.metrics)) known.add(name);
  }
  for (const name of metrics) if (!known.has(name)) throw unknownMetric(name, known);
  const wanted = metrics.length === 0 ? known : new Set(metrics);
  if (wanted.size * groups.size > MOST_SERIES)
    throw new CodedError(
      'history',
      `${wanted.size * groups.size} charts, at most ${MOST_SERIES} are drawn: name some with --metric`,
    );
  const found = [...wanted].flatMap(metric => [...groups].map(([of, group]) => oneSeries(metric, of, group)));
  return found.filter(
    ({ points }) => points.length > 0 && (metrics.length > 0 || points.some(({ value }) => value > 0)),
  );
}

function unknownMetric(name: string, known: ReadonlySet<string>): CodedError {
  const near = nearest(name, known);
  return new CodedError(
    'usage',
    `--metric ${name}: no line of the history has it${near === undefined ? '' : `; did you mean ${near}?`}`,
  );
}

function oneSeries(metric: string, of: string, group: readonly HistoryLine[]): Series {
  const points = group.flatMap(({ commit, time, metrics }, nth) =>
    Object.hasOwn(metrics, metric) ? [{ nth, commit, time, value: metrics[metric] }] : [],
  );
  return { metric, of, unit: metric.endsWith('.types') ? 'types' : 'bytes', reports: group.length, points };
}
