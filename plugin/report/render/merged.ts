import { printable } from '../../printable.js';
import { figureTable, flashOf, kernelOf, type Member, type Merged } from '../merged.js';
import type { Report } from '../model.js';
import { COMMENT_MARKER, fitted, fold } from './comment.js';
import { compressorName, headSentence, reportTables, type Table } from './content.js';
import { csvLine } from './csv.js';
import { page } from './html/page.js';
import { bars, htmlTable } from './html/parts.js';
import { escapeMarkdown, markdownSection } from './markdown.js';
import { number, percent } from './table.js';
import { textSection } from './text.js';
import { escapeXml } from './xml.js';

const HEAD = [
  'kernel',
  'architecture',
  'closure',
  'full BTF',
  'base',
  'of full',
  'vmlinux_btf.ko',
  'image compressed with',
  'before',
  'after',
  'saved',
  'RAM saved',
  'BTF of modules, before',
  'after',
  'report',
];

/** One row a report; sizes in bytes. */
export function overview({ reports }: Merged): Table {
  return { title: `BTF of ${reports.length} kernels, in bytes`, head: HEAD, rows: reports.map(overviewRow) };
}

function overviewRow({ source, report }: Member): string[] {
  const { input, closure, full, base, carrier, image, modules } = report;
  const flash = image && flashOf(image);
  const cell = (bytes: number | undefined): string => (bytes === undefined ? '-' : number(bytes));
  return [
    kernelOf(report),
    input.architecture ?? '-',
    closure,
    number(full.bytes),
    number(base.bytes),
    percent(base.bytes, full.bytes),
    cell(carrier?.bytes),
    flash === undefined ? '-' : compressorName(report, flash.compressor),
    cell(flash?.before),
    cell(flash?.after),
    flash === undefined ? '-' : percent(flash.before - flash.after, flash.before),
    cell(image?.ramSaved),
    cell(modules?.before.bytes),
    cell(modules?.after.bytes),
    source,
  ];
}

export function renderMergedText(merged: Merged): string {
  return `${textSection(overview(merged)).slice(1).map(printable).join('\n')}\n`;
}

/** Markdown for a comment: the table of all, then each report folded away; trimmed as a comment on one report is. */
export function renderMergedComment(merged: Merged): string {
  const [heading, table] = markdownSection(overview(merged));
  const reports = merged.reports.map(member =>
    fold(
      title(member),
      [
        headSentence(member.report, '**'),
        ...member.report.warnings.map(warning => `**Warning**: ${escapeMarkdown(warning)}`),
        ...tables(member.report).flatMap(markdownSection),
      ].join('\n\n'),
    ),
  );
  return fitted([COMMENT_MARKER, heading, table], reports);
}

export function renderMergedHtml(merged: Merged): string {
  const table = overview(merged);
  const details = merged.reports.map(
    (member, nth) => `<section><details><summary>${escapeXml(title(member))}</summary>
<p>${escapeXml(headSentence(member.report))}</p>
${member.report.warnings.map(warning => `<p><strong>Warning:</strong> ${escapeXml(warning)}</p>`).join('\n')}
${bars(member.report)}
${tables(member.report)
  .map(each => `<h3>${escapeXml(each.title)}</h3>\n${htmlTable(each, undefined, `${nth + 1}, ${each.title}`)}`)
  .join('\n')}
</details></section>`,
  );
  return page(table.title, [`<h1>${escapeXml(table.title)}</h1>`, htmlTable(table), shares(merged), ...details]);
}

/** One bar a kernel: how much of its BTF stays. */
function shares({ reports }: Merged): string {
  const items = reports.map(({ report }) => {
    const { base, full, closure } = report;
    const name = `${kernelOf(report)}, ${report.input.architecture ?? 'bare BTF'}, ${closure}`;
    const share = percent(base.bytes, full.bytes);
    const width = full.bytes === 0 ? 0 : Math.min(100, (100 * base.bytes) / full.bytes);
    return `<li>${escapeXml(name)}: <strong>${share}</strong>, ${number(base.bytes)} of ${number(full.bytes)} bytes
<div class="bar after"><span style="width:${width.toFixed(1)}%"></span></div></li>`;
  });
  return `<section><h2>What must stay of the BTF</h2><ul class="bars">\n${items.join('\n')}\n</ul></section>`;
}

/** One line a report: where it came from, what it is of, and every figure that any of them has. */
export function renderMergedCsv(merged: Merged): string {
  const { names, rows } = figureTable(merged);
  const head = ['report', 'kernel', 'architecture', 'closure', ...names];
  const lines = merged.reports.map(({ source, report }, nth) => [
    source,
    kernelOf(report),
    report.input.architecture ?? '',
    report.closure,
    ...rows[nth].map(value => value ?? ''),
  ]);
  return `${[head, ...lines].map(csvLine).join('\n')}\n`;
}

function title({ source, report }: Member): string {
  return `${kernelOf(report)}, ${report.input.architecture ?? 'bare BTF'}, ${report.closure} (${source})`;
}

/** Roots that are shown of each report: the table of one has more. */
const MOST_ROOTS = 5;

function tables(report: Report): Table[] {
  return reportTables(report, MOST_ROOTS);
}
