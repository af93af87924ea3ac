import type { Both, TypeChange, TypeDiff, Verdict } from '../../diff/model.js';
import { printable } from '../../printable.js';
import type { Counts, Figures, ReportDiff } from '../compare.js';
import { changeWords } from './change-words.js';
import type { Table } from './content.js';
import { escapeMarkdown, markdownSection } from './markdown.js';
import { number, signed } from './table.js';
import { textSection } from './text.js';

/** What is shown of a comparison. Types, reports, or, for two out folders, both. */
export interface Diff {
  readonly types?: TypeDiff | undefined;
  readonly reports?: ReportDiff | undefined;
}

export interface DiffOptions {
  /** Every row of every table, and every change of a type. */
  readonly all: boolean;
}

/** Rows of a table, unless all are asked for. */
const SHOWN = 20;

/** For the terminal; the first line, where types are compared, is as bloat-o-meter of the kernel prints it. */
export function renderDiffText(diff: Diff, options: DiffOptions): string {
  const lines = [...headLines(diff), ...tables(diff, options).flatMap(textSection)];
  return `${lines.map(printable).join('\n')}\n`;
}

/** GitHub-flavoured markdown. */
export function renderDiffMarkdown(diff: Diff, options: DiffOptions): string {
  const [first, ...others] = headLines(diff);
  const head = others.length === 0 ? [first] : [`\`${first}\``, others.map(escapeMarkdown).join('\n')];
  return `${[...head, ...tables(diff, options).flatMap(markdownSection)].join('\n\n')}\n`;
}

/** The line of scripts/bloat-o-meter: numbers of types, then bytes of BTF that came and went, and their sum. */
export function bloatLine({ verdicts: { added, removed, grown, shrunk }, bytes: { up, down } }: TypeDiff): string {
  return `add/remove: ${added}/${removed} grow/shrink: ${grown}/${shrunk} up/down: ${up}/${-down} (${up - down})`;
}

function headLines({ types, reports }: Diff): string[] {
  if (types === undefined)
    return [reports === undefined || tables({ reports }, { all: true }).length > 0 ? 'two reports' : 'no difference'];
  const { verdicts, unchanged, moved, bytes } = types;
  const moves =
    moved === undefined ? '' : `; moved to the base: ${number(moved.toBase)}, to the rest: ${number(moved.toRest)}`;
  const change = bytes.before === 0 ? '' : ` (${(((bytes.after - bytes.before) * 100) / bytes.before).toFixed(2)} %)`;
  return [
    bloatLine(types),
    `changed in layout: ${number(verdicts.changed)}, unchanged: ${number(unchanged)}${moves}`,
    `bytes of BTF: ${number(bytes.before)} before, ${number(bytes.after)} after${change}`,
  ];
}

function tables({ types, reports }: Diff, { all }: DiffOptions): Table[] {
  const limited = (table: Table): Table =>
    all || table.rows.length <= SHOWN
      ? table
      : {
          ...table,
          title: `${table.title}: the first ${SHOWN} of ${number(table.rows.length)} (--all shows all)`,
          rows: table.rows.slice(0, SHOWN),
        };
  return [
    ...(types === undefined ? [] : VERDICT_TITLES.map(([verdict, title]) => typeTable(types, verdict, title, all))),
    ...(types === undefined ? [] : [partTable(types, all)]),
    ...(reports === undefined ? [] : reportTables(reports, types === undefined)),
  ]
    .filter(table => table.rows.length > 0)
    .map(limited);
}

const VERDICT_TITLES: readonly (readonly [Verdict, string])[] = [
  ['added', 'Added'],
  ['removed', 'Removed'],
  ['grown', 'Grown'],
  ['shrunk', 'Shrunk'],
  ['changed', 'Changed in layout, of the same size'],
  ['moved', 'Moved between base and rest, and otherwise the same'],
];

function typeTable(diff: TypeDiff, verdict: Verdict, title: string, all: boolean): Table {
  const found = diff.types.filter(type => type.verdict === verdict);
  const sided = diff.moved !== undefined;
  const alone = verdict === 'added' || verdict === 'removed' || verdict === 'moved';
  const [bytesHead, sizeHead] = alone
    ? [['BTF'], ['memory']]
    : [
        ['BTF', 'after', 'by'],
        ['memory', 'after', 'by'],
      ];
  return {
    title,
    head: ['type', ...bytesHead, ...sizeHead, ...(sided ? ['side'] : []), ...(alone ? [] : ['what'])],
    rows: found.map(type => [
      `${type.kind} ${type.name}`,
      ...bothCells(type.record, alone),
      ...(type.size === undefined ? (alone ? [''] : ['', '', '']) : bothCells(type.size, alone)),
      ...(sided ? [sideCell(type)] : []),
      ...(alone ? [] : [changeWords(type.changes, type.more ?? 0, all)]),
    ]),
  };
}

function bothCells({ before, after }: Both, alone: boolean): string[] {
  return alone ? [number(after || before)] : [number(before), number(after), signed(after - before)];
}

function sideCell({ side }: TypeChange): string {
  const [before, after] = [side?.before, side?.after];
  return before === undefined || after === undefined || before === after
    ? (after ?? before ?? '')
    : `${before} → ${after}`;
}

function partTable({ parts }: TypeDiff, all: boolean): Table {
  return {
    title: 'Where the bytes of BTF came and went, nameless types too',
    head: ['part', 'types', 'after', 'bytes', 'after', 'up', 'down', 'by'],
    rows: parts
      .filter(({ types, up, down }) => all || up > 0 || down > 0 || types.before !== types.after)
      .map(({ part, types, bytes, up, down }) => [
        part,
        ...(types.before === 0 && types.after === 0 ? ['', ''] : [number(types.before), number(types.after)]),
        number(bytes.before),
        number(bytes.after),
        number(up),
        number(-down),
        signed(up - down),
      ]),
  };
}

/** `alone`: without a comparison of types, which tells more of kinds and of the largest. */
function reportTables({ figures, reasons, kinds, largest, modules }: ReportDiff, alone: boolean): Table[] {
  return [
    figureTable('Figures', 'figure', figures),
    countTable('Why it stays, each byte counted once', 'reason', reasons),
    ...(alone
      ? [
          countTable('By kind (records, without strings)', 'kind', kinds),
          figureTable('The largest types of either side (bytes of their records)', 'type', largest),
        ]
      : []),
    countTable('Modules (BTF)', 'module', modules),
  ];
}

function figureTable(title: string, head: string, rows: readonly Figures[]): Table {
  return {
    title,
    head: [head, 'before', 'after', 'by'],
    rows: rows.map(({ name, before, after }) => [name, ...maybeCells(before, after)]),
  };
}

function countTable(title: string, head: string, rows: readonly Counts[]): Table {
  return {
    title,
    head: [head, 'types', 'after', 'by', 'bytes', 'after', 'by'],
    rows: rows.map(({ name, before, after }) => [
      name,
      ...maybeCells(before?.types ?? null, after?.types ?? null),
      ...maybeCells(before?.bytes ?? null, after?.bytes ?? null),
    ]),
  };
}

function maybeCells(before: number | null, after: number | null): string[] {
  const cell = (value: number | null): string => (value === null ? '-' : number(value));
  return [cell(before), cell(after), before === null || after === null ? '' : signed(after - before)];
}
