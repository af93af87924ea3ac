import type { Btf } from '../btf/btf.js';
import { CodedError } from '../errors.js';
import { groupBy } from '../group-by.js';
import { type Explained, type Subject, withExplained } from '../pipeline/explained.js';
import { printable } from '../printable.js';
import { number, percent } from '../report/render/table.js';
import type { Reason, Root } from '../roots/root.js';
import { idsOf } from '../roots/roots-file.js';
import type { NeedGraph } from '../split/need-graph.js';
import { type Amount, reachedFrom, retainedBy } from '../split/retained.js';
import { type Context, printJson } from './context.js';
import { type Step, step, title } from './type-line.js';

export interface RootArguments extends Subject {
  /** A name, kind:name or id. */
  readonly root: string;
  readonly json: boolean;
}

interface ExplainedRoot extends Step {
  readonly base: Amount;
  readonly reasons: readonly { readonly reason: Reason; readonly sources: readonly string[] }[];
  /** What would leave the base without it. */
  readonly retained: Amount;
  /** What it would keep alone. */
  readonly reached: Amount;
  /** The types that would leave, or become forward declarations; largest first. */
  readonly leaving: readonly Leaving[];
}

interface Leaving extends Step {
  /** Of its record. */
  readonly bytes: number;
  /** Nothing of it would stay; otherwise its name, as a forward declaration. */
  readonly gone: boolean;
}

/** How many of the types that leave are printed; JSON has all. */
const MOST_SHOWN = 20;

/** Why a type is a root, and what it brings along. Throws `type-unknown`, and `root-unknown` for a type that is no root. */
export async function explainRoot(args: RootArguments, context: Context): Promise<void> {
  const roots = await withExplained(args, explained => explainedRoots(explained, args.root));
  if (args.json) await printJson(context, roots);
  else await context.print(roots.map(render).join('\n'));
}

function explainedRoots({ btf, names, roots, needs }: Explained, text: string): ExplainedRoot[] {
  const ids = idsOf(text, btf, names) ?? names.all(text);
  if (ids.length === 0) throw new CodedError('type-unknown', text);
  const byId = groupBy(roots, ({ id }) => id);
  const asked = ids.filter(id => byId.has(id));
  if (asked.length === 0) throw new CodedError('root-unknown', text);
  const graph = needs();
  const [base] = reachedFrom(graph, [roots]);
  return asked.map(id => {
    const own = byId.get(id) ?? [];
    const others = roots.filter(root => root.id !== id);
    const leaving = new Map<number, Leaving>();
    const { amounts } = retainedBy(graph, btf.count, [own, others], (group, need) => {
      if (group === 0) addLeaving(leaving, btf, graph, need);
    });
    const [reached] = reachedFrom(graph, [own]);
    return {
      ...step(btf, id),
      base,
      reasons: reasonsOf(own),
      retained: amounts[0],
      reached,
      leaving: [...leaving.values()].sort((a, b) => b.bytes - a.bytes || a.id - b.id),
    };
  });
}

function reasonsOf(roots: readonly Root[]): ExplainedRoot['reasons'] {
  return [...groupBy(roots, ({ reason }) => reason)].map(([reason, group]) => ({
    reason,
    sources: [...new Set(group.map(({ source }) => source))],
  }));
}

function addLeaving(into: Map<number, Leaving>, btf: Btf, needs: NeedGraph, need: number): void {
  const id = needs.recordOf(need);
  if (id === 0) return;
  const before = into.get(id);
  into.set(id, {
    ...step(btf, id),
    bytes: (before?.bytes ?? 0) + needs.bytes(need),
    gone: before?.gone === true || needs.typeOf(need) === id,
  });
}

function render({ id, kind, name, base, reasons, retained, reached, leaving }: ExplainedRoot): string {
  const amount = ({ types, bytes }: Amount): string =>
    `${number(types)} ${types === 1 ? 'type' : 'types'} in ${number(bytes)} bytes (${percent(bytes, base.bytes)} of the base)`;
  const lines = [
    `${title({ id, kind, name })}: a root`,
    ...reasons.map(({ reason, sources }) => `  ${reason} (${printable(sources.join(', '))})`),
    `  would leave the base without it: ${amount(retained)}`,
    `  would be the base with it alone: ${amount(reached)}`,
  ];
  for (const type of leaving.slice(0, MOST_SHOWN))
    lines.push(
      `    ${title(type)}: ${number(type.bytes)} bytes${type.gone ? '' : ', and stay as a forward declaration'}`,
    );
  if (leaving.length > MOST_SHOWN) lines.push(`    and ${number(leaving.length - MOST_SHOWN)} more (--json has them)`);
  return `${lines.join('\n')}\n`;
}
