import { printable } from '../../printable.js';
import type { Report } from '../model.js';
import { headline, notes, reportTables, type Table } from './content.js';
import { alignColumns } from './table.js';

/** SGR codes of ECMA-48, by what a line is. */
const STYLES = { title: 1, warning: 33 } as const;

/** For the terminal: no control characters but newlines, and those of the colours where they are asked for. */
export function renderText(report: Report, colours = false): string {
  const { input } = report;
  const what = [input.architecture, input.vermagic].filter(part => part !== undefined).join(', ');
  const paint = (style: keyof typeof STYLES, line: string): string =>
    colours ? `\u001b[${STYLES[style]}m${printable(line)}\u001b[0m` : printable(line);
  const lines = [
    paint('title', `${input.file}${what === '' ? '' : ` (${what})`}`),
    printable(headline(report)),
    ...reportTables(report, 20).flatMap(table => {
      const [empty, title, ...rows] = textSection(table);
      return [empty, paint('title', title), ...rows.map(printable)];
    }),
    '',
    ...notes(report).map(printable),
    ...report.warnings.map(warning => paint('warning', `warning: ${warning}`)),
    `proved: ${report.proved.length} invariants of base, rest and full${provedOfImage(report)}`,
  ];
  return `${lines.join('\n')}\n`;
}

function provedOfImage({ image }: Report): string {
  if (image === undefined) return '';
  return image.linked === true
    ? '; .BTF and .BTF_ids of vmlinux are what the split made'
    : '; no byte of the image outside .BTF and .BTF_ids changed';
}

const LEFT = ['side', 'signature', 'what', 'architecture', 'closure', 'report'];

/** An empty line, the title and the rows. */
export function textSection(table: Table): string[] {
  const left = table.head.flatMap((head, i) => (i === 0 || LEFT.includes(head) ? [i] : []));
  const rows = [table.head, ...table.rows].map(row => row.map(printable));
  return ['', table.title, ...alignColumns(rows, left).map(line => `  ${line}`)];
}
