import { type Explained, withExplained } from '../pipeline/explained.js';
import { printable } from '../printable.js';
import { alignColumns, number, percent } from '../report/render/table.js';
import { applyKeepRules, keepRoots, parseKeepRule } from '../roots/keep.js';
import type { Root } from '../roots/root.js';
import { type Context, printJson } from './context.js';

export interface ExplainKeepArguments {
  readonly rules: readonly string[];
  readonly file: string | undefined;
  readonly systemMap?: string | undefined;
  readonly out: string;
  readonly json: boolean;
}

interface Cost {
  readonly rule: string;
  /** Types that the rule names. */
  readonly matches: number;
  /** What it would add to the base, companions and all that is referred to included: types, and bytes with their names. */
  readonly types: number;
  readonly bytes: number;
}

interface Costs {
  /** Bytes of the base without the rules, and of the whole BTF. */
  readonly base: number;
  readonly full: number;
  readonly rules: readonly Cost[];
  /** All of them at once, where there are several. */
  readonly together?: Cost;
}

/** What each keep rule would add to a base. */
export async function explainKeep(args: ExplainKeepArguments, context: Context): Promise<void> {
  const rules = args.rules.map(rule => parseKeepRule(rule, '--keep'));
  const costs = await withExplained(args, explained => {
    const kept = applyKeepRules(explained.btf, explained.names, rules);
    return costsOf(
      explained,
      kept.map(one => ({ rule: one.rule.text, roots: keepRoots([one]) })),
    );
  });
  if (args.json) await printJson(context, costs);
  else await context.print(render(costs));
}

function costsOf({ btf, roots, base, reachedBy }: Explained, kept: { rule: string; roots: Root[] }[]): Costs {
  const cost = (rule: string, added: readonly Root[]): Cost => {
    const more = reachedBy([...roots, ...added]);
    return {
      rule,
      matches: new Set(added.map(({ id }) => id)).size,
      types: more.types - base.types,
      bytes: more.bytes - base.bytes,
    };
  };
  const all = kept.flatMap(({ roots: added }) => added);
  return {
    base: base.bytes,
    full: btf.header.length + btf.words.length * 4 + btf.layout.length + btf.strings.length,
    rules: kept.map(one => cost(one.rule, one.roots)),
    ...(kept.length > 1 ? { together: cost('together', all) } : {}),
  };
}

function render({ base, full, rules, together }: Costs): string {
  const rows = [...rules, ...(together === undefined ? [] : [together])].map(({ rule, matches, types, bytes }) => [
    printable(rule),
    number(matches),
    number(types),
    number(bytes),
    percent(base + bytes, full),
  ]);
  const lines = alignColumns([['rule', 'matches', 'types added', 'bytes added', 'base then'], ...rows]);
  return `without: ${number(base)} bytes (${percent(base, full)}) must stay\n${lines.map(line => `  ${line}\n`).join('')}`;
}
