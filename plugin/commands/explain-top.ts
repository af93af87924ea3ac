import { kindName } from '../btf/kinds.js';
import { CodedError } from '../errors.js';
import { groupBy } from '../group-by.js';
import { type Explained, type Subject, withExplained } from '../pipeline/explained.js';
import { printable } from '../printable.js';
import { alignColumns, number, percent } from '../report/render/table.js';
import type { Root } from '../roots/root.js';
import type { Amount } from '../split/retained.js';
import { type Context, printJson } from './context.js';

/** Of what it is told how much would leave the base without it: a type that is a root, a set of roots, a reason. */
export type Per = 'root' | 'set' | 'reason';

export interface TopArguments extends Subject {
  readonly top: number;
  readonly per: Per;
  readonly json: boolean;
}

interface Row extends Amount {
  readonly name: string;
  readonly roots: number;
}

interface Top {
  readonly per: Per;
  readonly base: Amount;
  readonly rows: readonly Row[];
}

/** What retains most: the roots, sets or reasons without which the most bytes would leave the base. */
export async function explainTop(args: TopArguments, context: Context): Promise<void> {
  if (!(Number.isInteger(args.top) && args.top > 0)) throw new CodedError('usage', '--top takes a number from 1 on');
  const top = await withExplained(args, explained => topOf(explained, args.per, args.top));
  if (args.json) await printJson(context, top);
  else await context.print(render(top));
}

function topOf({ btf, roots, retained }: Explained, per: Per, most: number): Top {
  const names: Readonly<Record<Per, (root: Root) => string>> = {
    root: ({ id }) => `${kindName(btf.kind(id))} ${btf.name(id)} [${id}]`,
    set: ({ source }) => source,
    reason: ({ reason }) => reason,
  };
  const groups = groupBy(roots, names[per]);
  const { amounts, all } = retained([...groups.values()]);
  const rows = [...groups].map(([name, group], nth) => ({ name, roots: group.length, ...amounts[nth] }));
  rows.sort((a, b) => b.bytes - a.bytes || (a.name < b.name ? -1 : 1));
  return { per, base: all, rows: rows.slice(0, most) };
}

function render({ per, base, rows }: Top): string {
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
  const title = `what would leave the base (${number(base.types)} types in ${number(base.bytes)} bytes) without one ${per}`;
  return `${title}\n${lines.map(line => `  ${line}\n`).join('')}`;
}
