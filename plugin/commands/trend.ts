import { writeWhole } from '../host/write-whole.js';
import { readHistory } from '../pipeline/history-file.js';
import { printable } from '../printable.js';
import { number } from '../report/render/table.js';
import { renderTrend } from '../report/render/trend.js';
import { seriesOf } from '../report/series.js';
import { type Context, printJson } from './context.js';

export interface TrendArguments {
  readonly history: string;
  /** Empty for all. */
  readonly metric: readonly string[];
  /** Without it the drawing goes to stdout. */
  readonly out?: string | undefined;
  readonly json: boolean;
}

/** Draws a history of reports as SVG, or prints its series as JSON. */
export async function trend(args: TrendArguments, context: Context): Promise<void> {
  const lines = readHistory(args.history);
  const series = seriesOf(lines, args.metric);
  if (args.out !== undefined) writeWhole(args.out, [Buffer.from(renderTrend(series))], [args.history]);
  if (args.json) await printJson(context, { schemaVersion: 1, reports: lines.length, series });
  else if (args.out === undefined) await context.print(renderTrend(series));
  else
    await context.print(`${printable(args.out)}: ${number(series.length)} charts of ${number(lines.length)} reports\n`);
}
