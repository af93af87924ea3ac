import { printable } from '../../printable.js';
import type { Report } from '../model.js';
import {
  headline,
  imageTable,
  kindTable,
  largestTable,
  modulesTable,
  notes,
  reasonTable,
  retainedTables,
  sizeTable,
  type Table,
} from './content.js';
import { alignColumns } from './table.js';

/** For the terminal: no colours, no control characters but newlines. */
export function renderText(report: Report): string {
  const { input } = report;
  const what = [input.architecture, input.vermagic].filter(part => part !== undefined).join(', ');
  const lines = [
    `${input.file}${what === '' ? '' : ` (${what})`}`,
    headline(report),
    ...[
      sizeTable(report),
      imageTable(report),
      modulesTable(report),
      reasonTable(report),
      kindTable(report),
      largestTable(report),
      ...retainedTables(report, 20),
    ].flatMap(table => (table === undefined ? [] : textSection(table))),
    '',
    ...notes(report),
    ...report.warnings.map(warning => `warning: ${warning}`),
    `proved: ${report.proved.length} invariants of base, rest and full${provedOfImage(report)}`,
  ];
  return `${lines.map(printable).join('\n')}\n`;
}

function provedOfImage({ image }: Report): string {
  if (image === undefined) return '';
  return image.linked === true
    ? '; .BTF and .BTF_ids of vmlinux are what the split made'
    : '; no byte of the image outside .BTF and .BTF_ids changed';
}

const LEFT = ['side', 'signature', 'what'];

/** An empty line, the title and the rows. */
export function textSection(table: Table): string[] {
  const left = table.head.flatMap((head, i) => (i === 0 || LEFT.includes(head) ? [i] : []));
  const rows = [table.head, ...table.rows].map(row => row.map(printable));
  return ['', table.title, ...alignColumns(rows, left).map(line => `  ${line}`)];
}
