import { existsSync, mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { CodedError } from '../errors.js';
import { SPLIT_JSON } from '../host/out-folder.js';
import { appendTo, writeWhole } from '../host/write-whole.js';
import { objectTreeOf, reportOfTree } from '../kbuild/report-source.js';
import { SIDE_FOLDER } from '../kbuild/side-files.js';
import { nearest } from '../nearest.js';
import { looksLikeJson } from '../pipeline/diff-input.js';
import { FILES } from '../pipeline/files.js';
import { readReport } from '../pipeline/report-file.js';
import { reportOfFile } from '../pipeline/report-of-file.js';
import { reportOfOut } from '../pipeline/report-source.js';
import { printable } from '../printable.js';
import { FORMATS, MERGED_FORMATS } from '../report/formats.js';
import { encodeHistoryLine, historyLine } from '../report/history.js';
import type { Member } from '../report/merged.js';
import type { Report } from '../report/model.js';
import type { Context } from './context.js';
import { parseClosure, parseCompressors } from './split.js';

export interface ReportArguments {
  /** Out folders, object trees that were built through the hook, report.json files, or files with BTF; without one, the out folder `out`. */
  readonly sources: readonly string[];
  /** Whether several are shown together. */
  readonly merge: boolean;
  readonly original?: string | undefined;
  /** Of a file that is not split yet. */
  readonly systemMap?: string | undefined;
  readonly moduleSymvers?: string | undefined;
  readonly roots?: string | undefined;
  readonly closure?: string | undefined;
  readonly sizes?: string | undefined;
  /** Comma-separated. */
  readonly format: string;
  readonly to?: string | undefined;
  readonly baseline?: string | undefined;
  readonly history?: string | undefined;
  readonly commit?: string | undefined;
  readonly time?: string | undefined;
}

interface Rendered {
  readonly file: string;
  readonly text: string;
}

/** Shows a report, or several together, in other formats: one on stdout, or any of them in a folder. */
export async function report(args: ReportArguments, context: Context): Promise<void> {
  const rendered = await (args.merge ? renderMerged(args, context) : renderOne(args, context));
  if (args.to === undefined) {
    await context.print(rendered[0].text);
    return;
  }
  mkdirSync(args.to, { recursive: true });
  const read = [sourcesOf(args), args.baseline ?? []].flat().flatMap(reportsIn);
  for (const { file, text } of rendered) {
    const path = join(args.to, file);
    writeWhole(path, [Buffer.from(text)], read);
    await context.print(`${printable(path)}: written\n`);
  }
}

function sourcesOf({ sources }: ReportArguments): readonly string[] {
  return sources.length === 0 ? ['out'] : sources;
}

async function renderOne(args: ReportArguments, context: Context): Promise<Rendered[]> {
  const [source, ...more] = sourcesOf(args);
  if (more.length > 0) throw new CodedError('usage', `${more.length + 1} reports are shown together with --merge`);
  const formats = chosen(args, FORMATS);
  if (args.history !== undefined && args.commit === undefined)
    throw new CodedError('usage', '--history wants a --commit, the label of its line');
  context.onStage('reading');
  const shown = await open(source, args, context);
  const baseline = args.baseline === undefined ? undefined : (await readReport(args.baseline)).report;
  if (args.history !== undefined) {
    const time = args.time ?? new Date().toISOString();
    appendTo(args.history, encodeHistoryLine(historyLine(shown, { time, commit: args.commit ?? '' })));
  }
  const colours = context.colours && args.to === undefined;
  return formats.map(({ name, file, render }) => {
    const text = render(shown, { baseline, colours });
    if (text === undefined)
      throw new CodedError('usage', `--format ${name} wants the folder of the split, not its report.json alone`);
    return { file, text };
  });
}

async function renderMerged(args: ReportArguments, context: Context): Promise<Rendered[]> {
  const formats = chosen(args, MERGED_FORMATS);
  if ([args.original, args.baseline, args.history].some(given => given !== undefined))
    throw new CodedError('usage', '--merge shows reports as they are: no --original, --baseline or --history');
  const reports: Member[] = [];
  for (const source of sourcesOf(args)) {
    context.onStage(`reading ${source}`);
    reports.push({ source, report: await open(source, args, context) });
  }
  return formats.map(({ file, render }) => ({ file, text: render({ schemaVersion: 1, reports }) }));
}

/** The formats that `--format` names. Throws `usage`. */
function chosen<F extends { readonly name: string }>({ format: text, to }: ReportArguments, all: readonly F[]): F[] {
  const formats = text === 'all' ? [...all] : text.split(',').map(name => formatOf(name, text, all));
  if (to === undefined && formats.length > 1)
    throw new CodedError('usage', `--format ${text}: more than one format wants a folder (--to)`);
  return formats;
}

function formatOf<F extends { readonly name: string }>(name: string, text: string, all: readonly F[]): F {
  const format = all.find(each => each.name === name);
  if (format !== undefined) return format;
  const names = all.map(each => each.name);
  const near = nearest(name, names);
  throw new CodedError(
    'usage',
    `--format ${text}: ${name} is none of ${names.join(', ')}, all${near === undefined ? '' : `; did you mean ${near}?`}`,
  );
}

/** Files that are read when a report is taken from a file or folder, and that none may replace. */
function reportsIn(source: string): string[] {
  const isFolder = statSync(source, { throwIfNoEntry: false })?.isDirectory() === true;
  return isFolder ? [join(source, FILES.report), join(source, SIDE_FOLDER, FILES.report)] : [source];
}

async function open(source: string, args: ReportArguments, context: Context): Promise<Report> {
  const isFolder = statSync(source, { throwIfNoEntry: false })?.isDirectory() === true;
  if (!isFolder && !looksLikeJson(source)) return reportOfUnsplit(source, args, context);
  const { systemMap, moduleSymvers, roots, closure, sizes } = args;
  if ([systemMap, moduleSymvers, roots, closure, sizes].some(given => given !== undefined) && !args.merge)
    throw new CodedError(
      'usage',
      '--system-map, --module-symvers, --roots, --closure and --sizes are for a file that is not split yet',
      {
        file: source,
      },
    );
  if (!isFolder) return (await readReport(source)).report;
  const objtree = existsSync(join(source, SPLIT_JSON)) ? undefined : objectTreeOf(source);
  return objtree === undefined ? reportOfOut(source, args.original) : reportOfTree(objtree);
}

function reportOfUnsplit(file: string, args: ReportArguments, context: Context): Promise<Report> {
  if (args.original !== undefined) throw new CodedError('usage', '--original is for an out folder', { file });
  return reportOfFile(file, {
    systemMap: args.systemMap,
    moduleSymvers: args.moduleSymvers,
    rootsFile: args.roots,
    reach: parseClosure(args.closure ?? 'complete'),
    compressors: parseCompressors(args.sizes ?? 'none'),
    onStage: context.onStage,
  });
}
