import type { Report } from './model.js';
import { renderComment } from './render/comment.js';
import { renderCsv, renderFileSizes } from './render/csv.js';
import { renderHtml } from './render/html.js';
import { renderBarSvg, renderTreemapSvg } from './render/pictures.js';
import { renderText } from './render/text.js';

/** A way to show a report. */
export interface Format {
  readonly name: string;
  /** File in a folder of all. */
  readonly file: string;
  readonly what: string;
  /** Undefined for a report that has not what it takes. `baseline`: an earlier report, to compare with. */
  readonly render: (report: Report, baseline: Report | undefined) => string | undefined;
}

export const FORMATS: readonly Format[] = [
  { name: 'text', file: 'report.txt', what: 'for a terminal', render: renderText },
  { name: 'comment', file: 'comment.md', what: 'markdown for a comment on a pull request', render: renderComment },
  { name: 'html', file: 'report.html', what: 'one page, no network, readable without scripts', render: renderHtml },
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
