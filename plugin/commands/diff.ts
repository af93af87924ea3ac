import { kindByName } from '../btf/kinds.js';
import { diffTypes } from '../diff/types.js';
import { CodedError } from '../errors.js';
import { type DiffInput, openDiffInput } from '../pipeline/diff-input.js';
import { readBtf } from '../pipeline/input.js';
import { compareReports, reportsDiffer } from '../report/compare.js';
import { type Diff, renderDiffMarkdown, renderDiffText } from '../report/render/diff.js';
import { type Context, printJson } from './context.js';

export interface DiffArguments {
  readonly a: string;
  readonly b: string;
  /** Base of split BTF: of both, or of the first when the second has its own. */
  readonly baseBtf?: string | undefined;
  readonly baseBtfB?: string | undefined;
  readonly format: 'text' | 'json' | 'markdown';
  readonly all: boolean;
  /** Limits types and bytes to one kind. */
  readonly kind?: string | undefined;
  readonly exitCode: boolean;
  readonly json: boolean;
}

/** Prints how two BTFs, out folders or reports differ. With `exitCode` the program ends with 1 when they do. */
export async function diff(args: DiffArguments, context: Context): Promise<void> {
  const kind = args.kind === undefined ? undefined : kindByName(args.kind);
  if (args.kind !== undefined && kind === undefined) throw new CodedError('usage', `--kind ${args.kind}: no such kind`);
  const base = args.baseBtf === undefined ? undefined : await readBtf(args.baseBtf);
  const baseOfB = args.baseBtfB === undefined ? base : await readBtf(args.baseBtfB);
  context.onStage('reading');
  const a = await openDiffInput(args.a, base);
  const b = await openDiffInput(args.b, baseOfB);
  context.onStage('comparing');
  const found = compare(a, b, kind);
  const { types, reports } = found;
  const options = { all: args.all };
  if (args.json || args.format === 'json')
    await printJson(context, { schemaVersion: 1, a: told(a), b: told(b), ...found });
  else if (args.format === 'markdown') await context.print(renderDiffMarkdown(found, options));
  else await context.print(renderDiffText(found, options));
  const differ =
    (types !== undefined && (types.types.length > 0 || types.bytes.up > 0 || types.bytes.down > 0)) ||
    (reports !== undefined && reportsDiffer(reports));
  if (args.exitCode && differ) context.onFindings();
}

function told({ file, what }: DiffInput): { readonly file: string; readonly what: string } {
  return { file, what };
}

/** Types where both sides have them, reports where both have those. Throws `usage` where they have nothing in common. */
function compare(a: DiffInput, b: DiffInput, kind: number | undefined): Diff {
  const reports =
    a.report === undefined || b.report === undefined || kind !== undefined
      ? undefined
      : compareReports(a.report, b.report);
  if (a.btf === undefined || b.btf === undefined) {
    if (reports !== undefined) return { reports };
    if (kind !== undefined && a.report !== undefined && b.report !== undefined)
      throw new CodedError('usage', '--kind is for types, and a report has none');
    const [report, other] = a.btf === undefined ? [a, b] : [b, a];
    throw new CodedError(
      'usage',
      `${report.file} is a report and ${other.file} is none: pass two reports, or two BTFs`,
    );
  }
  try {
    const types = diffTypes({ btf: a.btf, baseTypes: a.baseTypes }, { btf: b.btf, baseTypes: b.baseTypes }, kind);
    return reports === undefined ? { types } : { types, reports };
  } catch (error) {
    throw error instanceof CodedError ? error.in(`${a.file}, ${b.file}`) : error;
  }
}
