import { metricsOf } from './metrics.js';
import type { Count, Report } from './model.js';

/** A figure on both sides; null where a side has it not. */
export interface Figures {
  readonly name: string;
  readonly before: number | null;
  readonly after: number | null;
}

/** The same with a number of types. */
export interface Counts {
  readonly name: string;
  readonly before: Count | null;
  readonly after: Count | null;
}

/** How two reports differ: what is the same on both sides is left out. All sizes are bytes. */
export interface ReportDiff {
  /** By the names of metrics (see metricsOf), but for reasons, which have a table of their own. */
  readonly figures: readonly Figures[];
  /** What stays for each reason, and the rows `rest` and `header`. */
  readonly reasons: readonly Counts[];
  /** Records of the full BTF by kind. */
  readonly kinds: readonly Counts[];
  /** Records of the types that are among the largest of either side. */
  readonly largest: readonly Figures[];
  /** BTF of modules after the split, by their place. */
  readonly modules: readonly Counts[];
}

export function compareReports(a: Report, b: Report): ReportDiff {
  const figures = (report: Report): [string, number][] =>
    [...metricsOf(report)].filter(([name]) => !name.startsWith('root.'));
  return {
    figures: merge(figures(a), figures(b)).filter(({ before, after }) => before !== after),
    reasons: counts(a, b, ({ reasons }) => reasons.map(row => [row.reason, row])),
    kinds: counts(a, b, ({ kinds }) => kinds.map(row => [row.kind, row.full])),
    largest: merge(largest(a), largest(b)).filter(({ before, after }) => before !== after),
    modules: counts(a, b, ({ modules }) => (modules?.rows ?? []).map(row => [row.name, row.after])),
  };
}

export function reportsDiffer({ figures, reasons, kinds, largest, modules }: ReportDiff): boolean {
  return [figures, reasons, kinds, largest, modules].some(rows => rows.length > 0);
}

/** Several of one name are told apart by a number. */
function largest({ largest }: Report): [string, number][] {
  const seen = new Map<string, number>();
  return largest.map(({ kind, name, bytes }) => {
    const plain = `${kind} ${name === '' ? '(anonymous)' : name}`;
    const nth = (seen.get(plain) ?? 0) + 1;
    seen.set(plain, nth);
    return [nth === 1 ? plain : `${plain} #${nth}`, bytes];
  });
}

function counts(a: Report, b: Report, of: (report: Report) => (readonly [string, Count])[]): Counts[] {
  return merge(of(a), of(b))
    .map(({ name, before, after }) => ({ name, before: counted(before), after: counted(after) }))
    .filter(({ before, after }) => before?.types !== after?.types || before?.bytes !== after?.bytes);
}

function counted(row: Count | null): Count | null {
  return row === null ? null : { types: row.types, bytes: row.bytes };
}

/** Names of the first side in its order, then those of the second alone. */
export function merge<T>(
  as: readonly (readonly [string, T])[],
  bs: readonly (readonly [string, T])[],
): { readonly name: string; readonly before: T | null; readonly after: T | null }[] {
  const [was, is] = [new Map(as), new Map(bs)];
  return [...new Set([...was.keys(), ...is.keys()])].map(name => ({
    name,
    before: was.get(name) ?? null,
    after: is.get(name) ?? null,
  }));
}
