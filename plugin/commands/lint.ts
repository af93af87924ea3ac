import { readBtf } from '../pipeline/input.js';
import { findingLine, type LintedFile, lintFile } from '../pipeline/lint-file.js';
import { printable } from '../printable.js';
import { number } from '../report/render/table.js';
import { type Context, printJson } from './context.js';

export interface LintArguments {
  readonly file: string;
  readonly baseBtf?: string | undefined;
  readonly kernel?: string | undefined;
  readonly systemMap?: string | undefined;
  readonly program: boolean;
  readonly json: boolean;
  readonly quiet: boolean;
}

/** Prints one line a finding. The program ends with 1 when there is an error among them. */
export async function lint(args: LintArguments, context: Context): Promise<void> {
  const base = args.baseBtf === undefined ? undefined : await readBtf(args.baseBtf);
  const files = await lintFile({
    file: args.file,
    base,
    kernel: args.kernel,
    systemMap: args.systemMap,
    loadedBy: args.program ? 'program' : 'kernel',
  });
  if (files.some(({ errors }) => errors > 0)) context.onFindings();
  if (args.json) await printJson(context, files);
  else await context.print(files.map(linted => render(linted, args.quiet)).join(''));
}

function render({ file, kernel, note, findings, counts, errors, warnings }: LintedFile, quiet: boolean): string {
  const lines = findings.map(finding => findingLine(file, finding));
  for (const [rule, count] of Object.entries(counts)) {
    const kept = findings.filter(finding => finding.rule === rule).length;
    if (count > kept) lines.push(`${file}: ${number(count - kept)} more findings [${rule}]`);
  }
  if (!quiet) {
    const rules = kernel === 'any' ? 'the rules of all kernels' : `the rules of Linux ${kernel}`;
    const why = note === undefined ? '' : ` (${note})`;
    lines.push(`${file}: ${number(errors)} errors, ${number(warnings)} warnings by ${rules}${why}`);
  }
  return lines.map(line => `${printable(line)}\n`).join('');
}
