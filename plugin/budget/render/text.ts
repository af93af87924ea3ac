import { printable } from '../../printable.js';
import { alignColumns } from '../../report/render/table.js';
import type { Checked } from '../checked.js';
import type { Verdict } from '../evaluate.js';
import { HEAD, remarks, rows, summary } from './content.js';

/** SGR codes of ECMA-48. */
const COLOURS: Readonly<Record<Verdict, number>> = { error: 31, warn: 33, notice: 36, ok: 32 };

/** For the terminal or a log: no line begins with a name, which might be a command of GitHub Actions. `colours`: verdicts have them. */
export function renderText(checked: Checked, colours = false): string {
  const { reportFile, baselineFile, notes, findings } = checked;
  const judged = rows(findings);
  const cells = [HEAD, ...judged].map(row => row.map(printable));
  const [head, ...table] = alignColumns(cells, [0, 1, 4]);
  const lines = [
    printable(`report ${reportFile}${baselineFile === undefined ? '' : `, baseline ${baselineFile}`}`),
    ...notes.map(note => printable(`note: ${note}`)),
    `  ${head}`,
    ...table.map((line, nth) => `  ${colours ? coloured(line, judged[nth][0] as Verdict) : line}`),
    ...findings.flatMap(finding => remarks(finding).map(remark => printable(`${finding.metric}: ${remark}`))),
    summary(checked),
  ];
  return `${lines.join('\n')}\n`;
}

function coloured(line: string, verdict: Verdict): string {
  return `\u001b[${COLOURS[verdict]}m${verdict}\u001b[0m${line.slice(verdict.length)}`;
}
