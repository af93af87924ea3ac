import type { Checked } from '../checked.js';
import type { Verdict } from '../evaluate.js';
import { sentence } from './content.js';
import { renderText } from './text.js';

const COMMANDS: Readonly<Partial<Record<Verdict, string>>> = { error: 'error', warn: 'warning', notice: 'notice' };

/** The text for the log, then a workflow command of GitHub Actions for each limit that does not simply hold. */
export function renderGithub(checked: Checked): string {
  const commands = checked.findings.flatMap(finding =>
    finding.limits.flatMap(limit => {
      const command = COMMANDS[limit.verdict];
      if (command === undefined) return [];
      const { message } = finding;
      const words = [sentence(finding, limit), ...(limit.verdict === 'notice' ? [] : [message ?? ''])]
        .join('\n')
        .trim();
      return [`::${command} title=${escapeProperty(`Size budget of ${finding.metric}`)}::${escapeData(words)}\n`];
    }),
  );
  const notes = checked.notes.map(note => `::notice title=Baseline::${escapeData(note)}\n`);
  return [renderText(checked), ...commands, ...notes].join('');
}

/** As the toolkit of GitHub Actions does it (packages/core/src/command.ts). */
function escapeData(text: string): string {
  return text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
}

function escapeProperty(text: string): string {
  return escapeData(text).replaceAll(':', '%3A').replaceAll(',', '%2C');
}
