import { CodedError } from '../errors.js';
import { groupBy } from '../group-by.js';
import { type Explained, withExplained } from '../pipeline/explained.js';
import { printable } from '../printable.js';
import { number } from '../report/render/table.js';
import { REASONS, type Reason } from '../roots/root.js';
import { idsOf } from '../roots/roots-file.js';
import { type Amount, retainedBy } from '../split/retained.js';
import { type Context, printJson } from './context.js';
import { explainKeep } from './explain-keep.js';
import { explainPrograms } from './explain-prog.js';
import { explainRoot } from './explain-root.js';
import { explainTop, type TopArguments } from './explain-top.js';
import { type Step, step, title } from './type-line.js';

export interface ExplainArguments {
  /** A type; the file, where `prog` or `keep` is asked about. */
  readonly type?: string | undefined;
  /** A vmlinux or an out folder; without one, the out folder `out`. */
  readonly file?: string | undefined;
  readonly systemMap?: string | undefined;
  readonly prog: readonly string[];
  readonly keep: readonly string[];
  /** How many of what keeps most, of what, and how that is weighed. */
  readonly top?: number | undefined;
  readonly per: TopArguments['per'];
  readonly by: TopArguments['by'];
  readonly root?: string | undefined;
  readonly out: string;
  readonly json: boolean;
}

const NOTHING: Amount = { types: 0, bytes: 0 };

/** Steps of a chain that are indented each by two more; a kernel's chains are shorter. */
const DEEPEST = 40;

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

/** Tells why a type stays, what a root or a program needs, what a keep rule costs, or what retains most. */
export async function explain(args: ExplainArguments, context: Context): Promise<void> {
  const { prog, keep, top, root, type, file, systemMap, out, json } = args;
  const questions = [top !== undefined, root !== undefined, prog.length > 0, keep.length > 0].filter(asked => asked);
  if (questions.length === 0) return explainTypes(args, context);
  if (questions.length > 1)
    throw new CodedError('usage', '--top, --root, --prog and --keep are questions of their own');
  if (file !== undefined)
    throw new CodedError('usage', `--top, --root, --prog and --keep take a file and no type: ${type}`);
  if (top !== undefined)
    await explainTop({ top, per: args.per, by: args.by, file: type, systemMap, out, json }, context);
  else if (root !== undefined) await explainRoot({ root, file: type, systemMap, out, json }, context);
  else if (prog.length > 0) await explainPrograms({ programs: prog, file: type, systemMap, out, json }, context);
  else await explainKeep({ rules: keep, file: type, systemMap, out, json }, context);
}

/** On which side a type is and why: every reason, each with the chain from a root. */
async function explainTypes({ type, file, systemMap, out, json }: ExplainArguments, context: Context): Promise<void> {
  if (type === undefined) throw new CodedError('usage', 'explain wants a type, --root, --top, --prog or --keep');
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
function lossesOf({ btf, roots, needs }: Explained): Map<number, Amount> {
  const groups = groupBy(roots, ({ id }) => id);
  const { amounts } = retainedBy(needs(), btf.count, [...groups.values()]);
  return new Map([...groups.keys()].map((id, nth) => [id, amounts[nth]]));
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
