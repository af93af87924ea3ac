import { type Comparison, compareWithBaseline } from '../baseline.js';
import type { Figures } from '../compare.js';
import type { Report } from '../model.js';
import { headSentence, reportTables, type Table } from './content.js';
import { escapeMarkdown, markdownSection } from './markdown.js';
import { markdownTable, number, signed, signedPercent } from './table.js';

/** A bot looks for this to edit its comment instead of writing another. */
export const COMMENT_MARKER = '<!-- vmlinux-btf report -->';

/** GitHub takes 65,536 characters. */
const MOST_BYTES = 60_000;

/**
 * Markdown for a comment on a pull request: what changed against a baseline first, what did not folded away; under 60,000 bytes, whole
 * sections left out at the end. Throws `report-foreign`.
 */
export function renderComment(report: Report, baseline: Report | undefined): string {
  const { input } = report;
  const comparison = baseline === undefined ? undefined : compareWithBaseline(report, baseline);
  const head = [
    COMMENT_MARKER,
    `## BTF of ${escapeMarkdown(input.file)}`,
    headSentence(report, '**'),
    ...report.warnings.map(warning => `**Warning**: ${escapeMarkdown(warning)}`),
  ];
  const sections = [
    ...(comparison === undefined ? [] : comparisonSections(comparison)),
    ...reportTables(report, 20).map(folded),
  ];
  return fitted(head, sections);
}

/** What fits into a comment: the head, and sections until one does not. */
export function fitted(head: readonly string[], sections: readonly string[]): string {
  let text = head.join('\n\n');
  let left = 0;
  for (const section of sections) {
    const more = `\n\n${section}`;
    if (left > 0 || Buffer.byteLength(text) + Buffer.byteLength(more) > MOST_BYTES - 100) left++;
    else text += more;
  }
  return `${text}${left === 0 ? '' : `\n\n${left} more sections are in the report itself.`}\n`;
}

function folded(table: Table): string {
  return fold(table.title, markdownSection(table)[1]);
}

export const fold = (title: string, text: string): string =>
  `<details><summary>${escapeMarkdown(title)}</summary>\n\n${text}\n\n</details>`;

function comparisonSections({ changed, unchanged, remarks }: Comparison): string[] {
  const table = (rows: readonly Figures[]): string => markdownTable(CHANGE_HEAD, rows.map(changeCells));
  return [
    ...remarks.map(remark => `**Note**: ${escapeMarkdown(remark)}`),
    changed.length === 0 ? 'Nothing changed against the baseline.' : table(changed),
    ...(unchanged.length === 0 ? [] : [fold(`${unchanged.length} figures did not change`, table(unchanged))]),
  ];
}

export const CHANGE_HEAD = ['figure', 'baseline', 'now', 'change', 'of baseline'];

export function changeCells({ name, before, after }: Figures): string[] {
  const cell = (value: number | null): string => (value === null ? '-' : number(value));
  const both = before !== null && after !== null;
  return [
    name,
    cell(before),
    cell(after),
    both ? signed(after - before) : '-',
    both ? signedPercent(after - before, before) : '-',
  ];
}
