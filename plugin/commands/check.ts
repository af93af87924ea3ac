import { totals } from '../budget/checked.js';
import { CHECK_FORMATS } from '../budget/formats.js';
import { renderMarkdown } from '../budget/render/markdown.js';
import { renderText } from '../budget/render/text.js';
import { CodedError } from '../errors.js';
import { appendTo, writeWhole } from '../host/write-whole.js';
import { checkReportFile, writeBaseline } from '../pipeline/check.js';
import type { Context } from './context.js';

export interface CheckArguments {
  readonly report: string;
  readonly config?: string | undefined;
  readonly baseline?: string | undefined;
  readonly updateBaseline: boolean;
  readonly format: keyof typeof CHECK_FORMATS;
  /** File for what the format gives. */
  readonly output?: string | undefined;
  readonly json: boolean;
  readonly quiet: boolean;
}

/** Prints what became of each budget. The program ends with 1 when one of level `error` is broken. */
export async function check(args: CheckArguments, context: Context): Promise<void> {
  const { report, config, baseline, updateBaseline, output, quiet } = args;
  const format = args.json ? 'json' : args.format;
  if (updateBaseline && baseline === undefined)
    throw new CodedError('usage', '--update-baseline wants --baseline FILE to write');
  const checked = await checkReportFile({ report, config, baseline, accept: updateBaseline });
  const rendered = CHECK_FORMATS[format](checked, context.colours && output === undefined);
  if (output !== undefined)
    writeWhole(output, [Buffer.from(rendered)], [report, ...[config, checked.baselineFile].filter(isGiven)]);
  const { GITHUB_STEP_SUMMARY: summaryFile } = process.env;
  if (format === 'github' && summaryFile !== undefined && summaryFile !== '')
    appendTo(summaryFile, renderMarkdown(checked));
  if (updateBaseline && baseline !== undefined) writeBaseline(baseline, checked.source);
  const { errors, warnings } = totals(checked.findings);
  if (errors > 0) context.onFindings();
  if (quiet && errors + warnings === 0) return;
  // Annotations count only where they are printed.
  await context.print(output === undefined || format === 'github' ? rendered : renderText(checked, context.colours));
}

function isGiven(path: string | undefined): path is string {
  return path !== undefined;
}
