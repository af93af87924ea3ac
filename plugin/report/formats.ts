import type { Merged } from './merged.js';
import type { Report } from './model.js';
import { renderComment } from './render/comment.js';
import { renderCsv, renderFileSizes } from './render/csv.js';
import { renderHtml } from './render/html.js';
import { renderMergedComment, renderMergedCsv, renderMergedHtml, renderMergedText } from './render/merged.js';
import { renderBarSvg, renderTreemapSvg } from './render/pictures.js';
import { renderText } from './render/text.js';

export interface Shown {
  /** An earlier report, to compare with. */
  readonly baseline?: Report | undefined;
  /** For a terminal. */
  readonly colours?: boolean;
}

/** A way to show a report. */
export interface Format {
  readonly name: string;
  /** File in a folder of all. */
  readonly file: string;
  readonly what: string;
  /** Undefined for a report that has not what it takes. */
  readonly render: (report: Report, shown: Shown) => string | undefined;
}

/** A way to show reports of several kernels together. */
export interface MergedFormat {
  readonly name: string;
  readonly file: string;
  readonly render: (merged: Merged) => string;
}

export const MERGED_FORMATS: readonly MergedFormat[] = [
  { name: 'text', file: 'reports.txt', render: renderMergedText },
  { name: 'comment', file: 'comment.md', render: renderMergedComment },
  { name: 'html', file: 'reports.html', render: renderMergedHtml },
  { name: 'csv', file: 'reports.csv', render: renderMergedCsv },
  { name: 'json', file: 'reports.json', render: merged => `${JSON.stringify(merged, null, 2)}\n` },
];

export const FORMATS: readonly Format[] = [
  {
    name: 'text',
    file: 'report.txt',
    what: 'for a terminal',
    render: (report, { colours }) => renderText(report, colours),
  },
  {
    name: 'comment',
    file: 'comment.md',
    what: 'markdown for a comment on a pull request',
    render: (report, { baseline }) => renderComment(report, baseline),
  },
  {
    name: 'html',
    file: 'report.html',
    what: 'one page, no network, readable without scripts',
    render: (report, { baseline }) => renderHtml(report, baseline),
  },
  { name: 'treemap', file: 'treemap.svg', what: 'every byte of the full BTF, base and rest', render: renderTreemapSvg },
  { name: 'bar', file: 'bar.svg', what: 'base and rest as one bar', render: renderBarSvg },
  { name: 'csv', file: 'report.csv', what: 'every figure, one a line', render: renderCsv },
  {
    name: 'file-sizes',
    file: 'btf-file-size-stats.csv',
    what: 'what BTF takes in each file, in the shape of Buildroot’s file-size-stats.csv',
    render: renderFileSizes,
  },
  {
    name: 'json',
    file: 'report.json',
    what: 'the report itself (schema/report.schema.json)',
    render: report => `${JSON.stringify(report, null, 2)}\n`,
  },
];
