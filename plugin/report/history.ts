import { CodedError } from '../errors.js';
import { metricsOf } from './metrics.js';
import type { Report } from './model.js';

/** One line of a history: one report. A history is JSON Lines, oldest first. */
export interface HistoryLine {
  readonly schemaVersion: 1;
  /** ISO 8601 with a time zone, as the caller gave it. */
  readonly time: string;
  /** A label: an abbreviated hash, a tag, whatever the caller gave. */
  readonly commit: string;
  /** Absent for bare BTF, as is the version. */
  readonly architecture?: string;
  /** Version of the kernel, such as `6.12.117`. */
  readonly kernel?: string;
  readonly closure: Report['closure'];
  /** By name; see {@link metricsOf}. */
  readonly metrics: Readonly<Record<string, number>>;
}

/** What a report does not know of itself. */
export interface HistoryLabels {
  /** ISO 8601 with a time zone. */
  readonly time: string;
  readonly commit: string;
}

/** The line of a report, as an object. Throws `history` for labels that no reader would take. */
export function historyLine(report: Report, labels: HistoryLabels): HistoryLine {
  const { architecture, vermagic } = report.input;
  const line: HistoryLine = {
    schemaVersion: 1,
    time: labels.time,
    commit: labels.commit,
    ...(architecture === undefined ? {} : { architecture }),
    ...(vermagic === undefined ? {} : { kernel: vermagic.split(' ')[0] }),
    closure: report.closure,
    metrics: Object.fromEntries(metricsOf(report)),
  };
  const wrong = whatIsWrong(line);
  if (wrong !== undefined) throw new CodedError('history', wrong);
  return line;
}

/** The line as it stands in the file, with its end. */
export function encodeHistoryLine(line: HistoryLine): string {
  return `${JSON.stringify(line)}\n`;
}

/** Reads a history. Throws `history` with the number of the first line that is none, or for a history without lines. */
export function parseHistory(text: string): HistoryLine[] {
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  if (lines.length === 0) throw new CodedError('history', 'it has no lines');
  return lines.map((line, i) => {
    const wrong = (detail: string): CodedError => new CodedError('history', `line ${i + 1}: ${detail}`);
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch (error) {
      throw wrong(line.trim() === '' ? 'it is empty' : `no JSON: ${(error as Error).message}`);
    }
    const detail = whatIsWrong(value);
    if (detail !== undefined) throw wrong(detail);
    return value as HistoryLine;
  });
}

const LONGEST_LABEL = 256;
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)$/;

function whatIsWrong(value: unknown): string | undefined {
  if (!isObject(value)) return 'it is no object';
  if (value.schemaVersion !== 1) return 'schemaVersion: it is not 1';
  const { time, commit, closure, metrics } = value;
  if (typeof time !== 'string' || !TIME.test(time) || Number.isNaN(Date.parse(time)))
    return 'time: it is no time such as 2026-01-31T12:00:00Z';
  if (!isLabel(commit)) return `commit: it is no text of 1 to ${LONGEST_LABEL} characters`;
  for (const key of ['architecture', 'kernel'])
    if (value[key] !== undefined && !isLabel(value[key]))
      return `${key}: it is no text of 1 to ${LONGEST_LABEL} characters`;
  if (closure !== 'complete' && closure !== 'forward') return 'closure: it is neither complete nor forward';
  if (!isObject(metrics)) return 'metrics: it is no object';
  for (const [name, figure] of Object.entries(metrics)) {
    if (!isLabel(name)) return 'metrics: a name is empty or too long';
    if (!Number.isSafeInteger(figure) || (figure as number) < 0)
      return `metrics: ${name}: it is no whole number from 0 on`;
  }
  return undefined;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isLabel(value: unknown): value is string {
  return typeof value === 'string' && value.length > 0 && value.length <= LONGEST_LABEL;
}
