import { type Checked, totals } from '../checked.js';
import type { Finding } from '../evaluate.js';
import { sentence, summary } from './content.js';

/**
 * JUnit XML as Jenkins and GitLab read it: a test case for each budget, in the order of the findings. A broken one of level `warn`
 * passes and says so in its output; one without anything to compare with is skipped.
 */
export function renderJunit(checked: Checked): string {
  const { findings } = checked;
  const { budgets, errors } = totals(findings);
  const skipped = findings.filter(isSkipped).length;
  const counts = `tests="${budgets}" failures="${errors}" errors="0" skipped="${skipped}" time="0"`;
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites name="vmlinux-btf check" ${counts}>`,
    `  <testsuite name="budgets" ${counts}>`,
    ...findings.flatMap(testCase),
    `    <system-out>${xml([checked.reportFile, ...checked.notes, summary(checked)].join('\n'))}</system-out>`,
    '  </testsuite>',
    '</testsuites>',
    '',
  ].join('\n');
}

/** Nothing of it could be judged. */
function isSkipped({ limits }: Finding): boolean {
  return limits.every(({ limit }) => limit === null) && limits.every(({ verdict }) => verdict === 'notice');
}

function testCase(finding: Finding): string[] {
  const { metric, verdict, value, limits, message } = finding;
  const asked = limits.map(limit => `${limit.key} ${limit.asked}`).join(', ');
  const open = `    <testcase classname="vmlinux-btf.budgets" name="${xml(`${metric}: ${asked}`)}" time="0">`;
  const said = verdict === 'error' || verdict === 'warn' ? [message ?? ''] : [];
  const words = [...limits.map(limit => sentence(finding, limit)), ...said].join('\n').trim();
  if (isSkipped(finding)) return [open, `      <skipped message="${xml(words)}"/>`, '    </testcase>'];
  if (verdict !== 'error') return [open, `      <system-out>${xml(words)}</system-out>`, '    </testcase>'];
  const broken = limits.filter(limit => limit.verdict === 'error').map(limit => sentence(finding, limit));
  const type = value === null ? 'not-measured' : 'budget';
  return [
    open,
    `      <failure type="${type}" message="${xml(broken.join('; '))}">${xml(words)}</failure>`,
    '    </testcase>',
  ];
}

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

/** Text for elements and attributes of XML 1.0, which takes no control characters, halves of pairs, U+FFFE and U+FFFF. */
function xml(text: string): string {
  return text
    .replace(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, '\ufffd')
    .replace(/[&<>"]/g, character => ENTITIES[character])
    .replace(/[\t\n\r]/g, character => `&#${character.charCodeAt(0)};`);
}
