import type { Btf } from '../btf/btf.js';
import { kindName } from '../btf/kinds.js';
import { CodedError } from '../errors.js';
import { groupBy } from '../group-by.js';
import { type Explained, withExplained } from '../pipeline/explained.js';
import { printable } from '../printable.js';
import { number } from '../report/render/table.js';
import { REASONS, type Reason } from '../roots/root.js';
import { idsOf } from '../roots/roots-file.js';
import type { Amount } from '../split/retained.js';
import { type Context, printJson } from './context.js';
import { explainKeep } from './explain-keep.js';
import { explainPrograms } from './explain-prog.js';
import { explainTop, type Per } from './explain-top.js';

export interface ExplainArguments {
  /** A type; the file, where `prog` or `keep` is asked about. */
  readonly type?: string | undefined;
  /** A vmlinux or an out folder; without one, the out folder `out`. */
  readonly file?: string | undefined;
  readonly systemMap?: string | undefined;
  readonly prog: readonly string[];
  readonly keep: readonly string[];
  /** How many of what retains most, and of what: roots, their sets, or reasons. */
  readonly top?: number | undefined;
  readonly per: Per;
  readonly out: string;
  readonly json: boolean;
}

const NOTHING: Amount = { types: 0, bytes: 0 };

/** Steps of a chain that are indented each by two more; a kernel's chains are shorter. */
const DEEPEST = 40;

interface Step {
  readonly id: number;
  readonly kind: string;
  readonly name: string;
}

interface Explanation extends Step {
  readonly side: 'base' | 'rest';
  /** One a reason, in the order of REASONS: the shortest way from a root with that reason. */
  readonly reasons: readonly {
    readonly reason: Reason;
    readonly sources: readonly string[];
    readonly chain: readonly Step[];
    /** What would leave the base if the first type of the chain were no root. */
    readonly alone: Amount;
  }[];
}

/** Tells why a type stays, what a program needs, what a keep rule costs, or what retains most. */
export async function explain(args: ExplainArguments, context: Context): Promise<void> {
  const { prog, keep, top, type, file, systemMap, out, json } = args;
  if (top !== undefined) {
    if (prog.length + keep.length > 0 || file !== undefined)
      throw new CodedError('usage', '--top takes a file and neither a type nor --prog nor --keep');
    return explainTop({ top, per: args.per, file: type, systemMap, out, json }, context);
  }
  if (prog.length === 0 && keep.length === 0) return explainTypes(args, context);
  if (prog.length > 0 && keep.length > 0) throw new CodedError('usage', '--prog and --keep are two questions');
  if (file !== undefined) throw new CodedError('usage', `--prog and --keep explain no type: ${type}`);
  if (prog.length > 0) await explainPrograms({ programs: prog, file: type, systemMap, out, json }, context);
  else await explainKeep({ rules: keep, file: type, systemMap, out, json }, context);
}

/** On which side a type is and why: every reason, each with the chain from a root. */
async function explainTypes({ type, file, systemMap, out, json }: ExplainArguments, context: Context): Promise<void> {
  if (type === undefined) throw new CodedError('usage', 'explain wants a type, --prog or --keep');
  const explanations = await withExplained({ file, out, systemMap }, explained => explainType(explained, type));
  if (json) await printJson(context, explanations);
  else await context.print(explanations.map(render).join('\n'));
}

function explainType(explained: Explained, type: string): Explanation[] {
  const { btf, names, roots, base, reachedBy } = explained;
  const ids = idsOf(type, btf, names) ?? names.all(type);
  if (ids.length === 0) throw new CodedError('type-unknown', type);
  const byReason = REASONS.map(reason => ({ reason, roots: roots.filter(root => root.reason === reason) }))
    .filter(group => group.roots.length > 0)
    .map(group => ({ ...group, reached: reachedBy(group.roots) }));
  const losses = lossesOf(explained);
  return ids.map(id => {
    const held = base.holds(id);
    const reasons = byReason
      .map(({ reason, reached }) => ({ reason, reached, chain: held ? reached.chain(id) : [] }))
      .filter(({ chain }) => chain.length > 0)
      .map(({ reason, reached, chain }) => {
        const sources = reached.sources(chain[0]);
        return { reason, sources, chain: chain.map(link => step(btf, link)), alone: losses.get(chain[0]) ?? NOTHING };
      });
    return { ...step(btf, id), side: held ? 'base' : 'rest', reasons };
  });
}

/** What the base would lose with each type that is a root, for whatever reasons it is one. */
function lossesOf({ roots, retained }: Explained): Map<number, Amount> {
  const groups = groupBy(roots, ({ id }) => id);
  const { amounts } = retained([...groups.values()]);
  return new Map([...groups.keys()].map((id, nth) => [id, amounts[nth]]));
}

function step(btf: Btf, id: number): Step {
  return { id, kind: kindName(btf.kind(id)), name: btf.name(id) };
}

function title({ id, kind, name }: Step): string {
  return `[${id}] ${kind} ${name === '' ? '(anonymous)' : printable(name)}`;
}

function render(explanation: Explanation): string {
  const lines = [`${title(explanation)}: ${explanation.side}`];
  if (explanation.side === 'rest') lines.push('  no root of this kernel leads to it');
  for (const { reason, sources, chain, alone } of explanation.reasons) {
    lines.push(`  ${reason} (${printable(sources.join(', '))})`);
    for (const [depth, link] of chain.entries())
      lines.push(`    ${'  '.repeat(Math.min(depth, DEEPEST))}${depth === 0 ? '' : '→ '}${title(link)}`);
    lines.push(
      `    if ${title(chain[0])} were no root, ${
        alone.types === 0
          ? 'nothing would leave the base'
          : `${number(alone.types)} ${alone.types === 1 ? 'type' : 'types'} (${number(alone.bytes)} bytes) would leave the base`
      }`,
    );
  }
  return `${lines.join('\n')}\n`;
}
