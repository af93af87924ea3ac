import { basename } from 'node:path';
import { type Need, needsOf } from '../bpf/needs.js';
import { kindName } from '../btf/kinds.js';
import { withBpfObject } from '../pipeline/bpf.js';
import { type Explained, withExplained } from '../pipeline/explained.js';
import { printable } from '../printable.js';
import { alignColumns } from '../report/render/table.js';
import { ruleOf } from '../roots/keep-for.js';
import { type Context, printJson } from './context.js';

export interface ExplainProgArguments {
  /** Paths of BPF objects. */
  readonly programs: readonly string[];
  readonly file: string | undefined;
  readonly systemMap?: string | undefined;
  readonly out: string;
  readonly json: boolean;
}

/** Where a type is; `module`: the program asks for a module's own. */
type Where = 'base' | 'rest' | 'absent' | 'module';
/** Whether that is enough; `optional`: it is not there, and the program goes on without it. */
type Enough = 'yes' | 'with vmlinux_btf.ko' | 'with the module' | 'optional' | 'no';

interface PlacedNeed {
  readonly kind: string;
  readonly name: string;
  readonly uses: readonly string[];
  readonly where: Where;
  readonly enough: Enough;
  readonly missing: readonly string[];
  readonly refused: readonly string[];
  readonly module?: string;
  /** The keep rule that brings it to the base, where it is in the rest. */
  readonly rule?: string;
}

interface Program {
  readonly file: string;
  readonly needs: readonly PlacedNeed[];
  /** Sections whose target the loader sets at run time: look these up yourself. */
  readonly open: readonly string[];
}

/** What each program needs of a kernel, where that is after a split, and the rules that keep it in the base. */
export async function explainPrograms(args: ExplainProgArguments, context: Context): Promise<void> {
  const programs = await withExplained(args, explained => args.programs.map(file => explainProgram(explained, file)));
  if (args.json) await printJson(context, programs);
  else await context.print(programs.map(render).join('\n'));
}

function explainProgram(explained: Explained, file: string): Program {
  const { needs, open } = withBpfObject(file, object => needsOf(object, explained.btf, explained.names));
  return { file: basename(file), needs: needs.map(need => place(explained, need)), open };
}

function place({ base }: Explained, need: Need): PlacedNeed {
  const { uses, ids, missing, refused, module } = need;
  const where: Where =
    module !== undefined ? 'module' : ids.length === 0 ? 'absent' : ids.every(base.holds) ? 'base' : 'rest';
  return {
    kind: kindName(need.kind),
    name: need.name,
    uses,
    where,
    enough: enough(need, where),
    missing,
    refused,
    ...(module === undefined ? {} : { module }),
    ...(where === 'rest' ? { rule: ruleOf(need) } : {}),
  };
}

function enough({ optional, inRest, missing, refused }: Need, where: Where): Enough {
  if (where === 'module') return 'with the module';
  const broken = where === 'absent' || missing.length > 0 || refused.length > 0;
  if (broken) return optional ? 'optional' : 'no';
  if (where === 'base') return 'yes';
  if (inRest) return 'with vmlinux_btf.ko';
  return optional ? 'optional' : 'no';
}

/** Uses that a line of text has room for. */
const SHOWN_USES = 3;

function render({ file, needs, open }: Program): string {
  const rows = needs.map(need => [
    `${need.kind} ${need.name}`,
    need.module === undefined ? need.where : `module ${need.module}`,
    need.enough,
    `${need.uses.slice(0, SHOWN_USES).join(', ')}${need.uses.length > SHOWN_USES ? `, ${need.uses.length - SHOWN_USES} more` : ''}`,
  ]);
  const table = [['needs', 'where', 'enough', 'for'], ...rows].map(row => row.map(printable));
  const lines = [
    `${printable(file)}: ${verdict(needs)}`,
    ...alignColumns(table, [0, 1, 2, 3]).map(line => `  ${line}`),
  ];
  for (const { kind, name, missing, refused } of needs) {
    if (missing.length > 0) lines.push(`  ${kind} ${name} of this kernel has no ${missing.join(', ')}`);
    if (refused.length > 0) lines.push(`  ${kind} ${name}: libbpf refuses it: ${refused.join(', ')}`);
  }
  for (const section of open) lines.push(`  ${section}: its target is set when it is loaded`);
  const rules = needs.flatMap(({ rule }) => (rule === undefined ? [] : [rule]));
  if (rules.length > 0)
    lines.push(`  to bring all of it to the base: ${rules.map(rule => `--keep ${rule}`).join(' ')}`);
  return `${lines.map(line => printable(line).trimEnd()).join('\n')}\n`;
}

function verdict(needs: readonly PlacedNeed[]): string {
  const failing = needs.filter(need => need.enough === 'no');
  if (failing.some(({ where }) => where !== 'rest')) return 'this kernel lacks what it needs';
  if (failing.length > 0) return 'it needs more in the base';
  return needs.some(need => need.enough === 'with vmlinux_btf.ko')
    ? 'it needs vmlinux_btf.ko to be loaded'
    : 'the base is enough';
}
