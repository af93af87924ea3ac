import { escapeMarkdown } from '../../report/render/markdown.js';
import { markdownTable } from '../../report/render/table.js';
import type { Checked } from '../checked.js';
import { HEAD, remarks, rows, summary } from './content.js';

/** GitHub-flavoured markdown, for step summaries and comments. */
export function renderMarkdown(checked: Checked): string {
  const { reportFile, baselineFile, notes, findings } = checked;
  const against = baselineFile === undefined ? '' : ` against ${escapeMarkdown(baselineFile)}`;
  const said = findings.flatMap(finding =>
    remarks(finding).map(remark => `- ${escapeMarkdown(`${finding.metric}: ${remark}`)}`),
  );
  const parts = [
    `## Size budgets of the kernel’s BTF`,
    `${escapeMarkdown(reportFile)}${against}. ${summary(checked)}.`,
    ...notes.map(note => `**Note**: ${escapeMarkdown(note)}`),
    markdownTable(
      HEAD,
      rows(findings).map(row => row.map(escapeMarkdown)),
    ),
    ...(said.length === 0 ? [] : [said.join('\n')]),
  ];
  return `${parts.join('\n\n')}\n`;
}
