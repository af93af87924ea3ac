import { CodedError } from '../errors.js';
import { type Explained, type Subject, withExplained } from '../pipeline/explained.js';
import { printable } from '../printable.js';
import type { RetainedRow } from '../report/model.js';
import { alignColumns, number, percent } from '../report/render/table.js';
import { reachedRows, retainedRows } from '../report/retained-rows.js';
import { type Amount, reachedFrom } from '../split/retained.js';
import { type Context, printJson } from './context.js';

/** What is told of each: how much would leave the base without it, or how much it would keep alone. */
type By = 'retained' | 'reached';

export interface TopArguments extends Subject {
  readonly top: number;
  readonly per: RetainedRow['per'];
  readonly by: By;
  readonly json: boolean;
}

interface Top {
  readonly per: RetainedRow['per'];
  readonly by: By;
  readonly base: Amount;
  readonly rows: readonly Omit<RetainedRow, 'per'>[];
}

/** What retains most: the roots, sets, subsystems, keep rules or reasons without which the most bytes would leave the base. */
export async function explainTop(args: TopArguments, context: Context): Promise<void> {
  if (!(Number.isInteger(args.top) && args.top > 0)) throw new CodedError('usage', '--top takes a number from 1 on');
  const top = await withExplained(args, explained => topOf(explained, args));
  if (args.json) await printJson(context, top);
  else await context.print(render(top));
}

function topOf({ btf, roots, needs }: Explained, { per, by, top }: TopArguments): Top {
  const graph = needs();
  const [base] = reachedFrom(graph, [roots]);
  const rows = (by === 'retained' ? retainedRows : reachedRows)(btf, graph, roots, per);
  return { per, by, base, rows: rows.slice(0, top).map(({ per: _, ...row }) => row) };
}

function render({ per, by, base, rows }: Top): string {
  const lines = alignColumns([
    [per, 'roots', 'types', 'bytes', 'of the base'],
    ...rows.map(({ name, roots, types, bytes }) => [
      printable(name),
      number(roots),
      number(types),
      number(bytes),
      percent(bytes, base.bytes),
    ]),
  ]);
  const whole = `(${number(base.types)} types in ${number(base.bytes)} bytes)`;
  const title = {
    retained: 'what would leave the base WHOLE without one PER',
    reached: 'what one PER would keep alone of the base WHOLE',
  };
  return `${title[by].replace('WHOLE', whole).replace('PER', per)}\n${lines.map(line => `  ${line}\n`).join('')}`;
}
