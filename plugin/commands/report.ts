import { appendFileSync, existsSync, mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { CodedError } from '../errors.js';
import { SPLIT_JSON } from '../host/out-folder.js';
import { writeWhole } from '../host/write-whole.js';
import { objectTreeOf, reportOfTree } from '../kbuild/report-source.js';
import { nearest } from '../nearest.js';
import { readReport } from '../pipeline/report-file.js';
import { reportOfOut } from '../pipeline/report-source.js';
import { printable } from '../printable.js';
import { FORMATS, type Format } from '../report/formats.js';
import { encodeHistoryLine, historyLine } from '../report/history.js';
import type { Report } from '../report/model.js';
import type { Context } from './context.js';

export interface ReportArguments {
  /** An out folder, an object tree that was built through the hook, or a report.json. */
  readonly source: string;
  readonly original?: string | undefined;
  /** Comma-separated. */
  readonly format: string;
  readonly to?: string | undefined;
  readonly baseline?: string | undefined;
  readonly history?: string | undefined;
  readonly commit?: string | undefined;
  readonly time?: string | undefined;
}

/** Shows a report in other formats: one on stdout, or any of them in a folder. */
export async function report(args: ReportArguments, context: Context): Promise<void> {
  const formats = formatsOf(args.format);
  if (args.to === undefined && formats.length > 1)
    throw new CodedError('usage', `--format ${args.format}: more than one format wants a folder (--to)`);
  if (args.history !== undefined && args.commit === undefined)
    throw new CodedError('usage', '--history wants a --commit, the label of its line');
  context.onStage('reading');
  const shown = await open(args);
  const baseline = args.baseline === undefined ? undefined : (await readReport(args.baseline)).report;
  if (args.history !== undefined) {
    const time = args.time ?? new Date().toISOString();
    appendFileSync(args.history, encodeHistoryLine(historyLine(shown, { time, commit: args.commit ?? '' })));
  }
  const rendered = formats.map(format => ({ format, text: render(format, shown, baseline) }));
  if (args.to === undefined) {
    await context.print(rendered[0].text);
    return;
  }
  mkdirSync(args.to, { recursive: true });
  for (const { format, text } of rendered) {
    const path = join(args.to, format.file);
    writeWhole(path, [Buffer.from(text)], args.baseline === undefined ? [] : [args.baseline]);
    await context.print(`${printable(path)}: written\n`);
  }
}

function formatsOf(text: string): Format[] {
  if (text === 'all') return [...FORMATS];
  return text.split(',').map(name => {
    const format = FORMATS.find(each => each.name === name);
    if (format !== undefined) return format;
    const names = FORMATS.map(each => each.name);
    const near = nearest(name, names);
    throw new CodedError(
      'usage',
      `--format ${text}: ${name} is none of ${names.join(', ')}, all${near === undefined ? '' : `; did you mean ${near}?`}`,
    );
  });
}

async function open({ source, original }: ReportArguments): Promise<Report> {
  if (statSync(source, { throwIfNoEntry: false })?.isDirectory() !== true) return (await readReport(source)).report;
  const objtree = existsSync(join(source, SPLIT_JSON)) ? undefined : objectTreeOf(source);
  return objtree === undefined ? reportOfOut(source, original) : reportOfTree(objtree);
}

function render(format: Format, report: Report, baseline: Report | undefined): string {
  const text = format.render(report, baseline);
  if (text !== undefined) return text;
  throw new CodedError('usage', `--format ${format.name} wants the folder of the split, not its report.json alone`);
}
