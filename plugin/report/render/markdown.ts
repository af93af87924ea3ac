import { printable } from '../../printable.js';
import type { Report } from '../model.js';
import { headSentence, notes, reportTables, type Table } from './content.js';
import { markdownTable } from './table.js';

/** GitHub-flavoured markdown. */
export function renderMarkdown(report: Report): string {
  const { input } = report;
  const parts = [
    `# BTF of ${escapeMarkdown(input.file)}`,
    headSentence(report, '**'),
    ...(input.architecture === undefined
      ? []
      : [`${escapeMarkdown(input.architecture)}, ${escapeMarkdown(input.vermagic ?? '')}`]),
    ...reportTables(report, 20).flatMap(markdownSection),
    ...(notes(report).length === 0 ? [] : [notes(report).map(escapeMarkdown).join('\n')]),
    ...report.warnings.map(warning => `**Warning**: ${escapeMarkdown(warning)}`),
    `## Proved\n\n${report.proved.map(line => `- ${line}`).join('\n')}`,
    `SHA-256 of the input: \`${input.sha256}\`. Compressors: ${
      Object.values(report.compressors)
        .map(command => `\`${command}\``)
        .join(', ') || 'none'
    }. Made by ${report.tool.name} ${report.tool.version}.`,
  ];
  return `${parts.join('\n\n')}\n`;
}

/** A heading and the table, to be parted by an empty line. */
export function markdownSection(table: Table): string[] {
  return [
    `## ${escapeMarkdown(table.title)}`,
    markdownTable(
      table.head.map(escapeMarkdown),
      table.rows.map(row => row.map(escapeMarkdown)),
    ),
  ];
}

/** Names come from a file: nothing in them may be read as markup or as a web link. */
export function escapeMarkdown(text: string): string {
  return printable(text).replace(/[\\`*_[\]<>|#~&$]|:(?=\/\/)|(?<=www)\./gi, character => `\\${character}`);
}
