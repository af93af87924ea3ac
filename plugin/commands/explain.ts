import { resolve } from 'node:path';
import type { Btf } from '../btf/btf.js';
import { kindName } from '../btf/kinds.js';
import { NameIndex } from '../btf/names.js';
import { CodedError } from '../errors.js';
import { asKernel, withInput } from '../pipeline/input.js';
import { readManifest } from '../pipeline/out.js';
import { kernelRoots } from '../pipeline/roots.js';
import { printable } from '../printable.js';
import { REASONS, type Reason, type Root } from '../roots/root.js';
import { idsOf } from '../roots/roots-file.js';
import { type Closure, chainTo, closeOver } from '../split/closure.js';
import { Companions } from '../split/companions.js';
import { type Context, printJson } from './context.js';

export interface ExplainArguments {
  readonly type: string;
  /** A vmlinux; without one, the file that the out folder was split from. */
  readonly file?: string | undefined;
  readonly systemMap?: string | undefined;
  readonly out: string;
  readonly json: boolean;
}

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
  }[];
}

/** Tells on which side a type is and why: every reason, each with the chain from a root. */
export async function explain(args: ExplainArguments, context: Context): Promise<void> {
  const manifest = args.file === undefined ? readManifest(args.out) : undefined;
  const file = args.file ?? resolve(args.out, manifest?.input.file ?? '');
  const explanations = await withInput(
    file,
    undefined,
    input => {
      const names = new NameIndex(input.btf);
      const roots = manifest?.roots ?? kernelRoots(asKernel(input, names, args.systemMap)).roots;
      return explainType(input.btf, names, roots, args.type);
    },
    'refused',
  );
  if (args.json) await printJson(context, explanations);
  else await context.print(explanations.map(render).join('\n'));
}

function explainType(btf: Btf, names: NameIndex, roots: readonly Root[], type: string): Explanation[] {
  const ids = idsOf(type, btf, names) ?? names.all(type);
  if (ids.length === 0) throw new CodedError('type-unknown', type);
  const companions = new Companions(btf, names);
  const byReason = REASONS.map(reason => ({ reason, roots: roots.filter(root => root.reason === reason) }))
    .filter(group => group.roots.length > 0)
    .map(group => ({ ...group, closure: closeOver(btf, companions, group.roots) }));
  return ids.map(id => {
    const reasons = byReason
      .filter(({ closure }) => closure.nearest[id] !== 0)
      .map(({ reason, closure }) => ({ reason, ...wayTo(btf, closure, id) }));
    return { ...step(btf, id), side: reasons.length > 0 ? 'base' : 'rest', reasons };
  });
}

function wayTo(btf: Btf, closure: Closure, id: number): { sources: string[]; chain: Step[] } {
  const chain = chainTo(closure, id);
  const sources = closure.roots.filter(root => root.id === chain[0]).map(root => root.source);
  return { sources: [...new Set(sources)], chain: chain.map(link => step(btf, link)) };
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
  for (const { reason, sources, chain } of explanation.reasons) {
    lines.push(`  ${reason} (${printable(sources.join(', '))})`);
    for (const [depth, link] of chain.entries())
      lines.push(`    ${'  '.repeat(depth)}${depth === 0 ? '' : '→ '}${title(link)}`);
  }
  return `${lines.join('\n')}\n`;
}
