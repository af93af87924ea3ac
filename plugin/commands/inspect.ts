import type { Btf } from '../btf/btf.js';
import { KIND_SHAPES, kindName } from '../btf/kinds.js';
import { NameIndex } from '../btf/names.js';
import { readKernelAbi, shownVermagic } from '../carrier/kernel-abi.js';
import { machineName } from '../elf/constants.js';
import { CodedError, formatError } from '../errors.js';
import { asKernel, type BtfInput, layoutCrcOf, type PackedIn, readBtf, withInput } from '../pipeline/input.js';
import { kernelRoots } from '../pipeline/roots.js';
import { printable } from '../printable.js';
import { alignColumns, number, percent } from '../report/render/table.js';
import { REASONS } from '../roots/root.js';
import { closeOver } from '../split/closure.js';
import { Companions } from '../split/companions.js';
import { type Context, printJson } from './context.js';

export interface InspectArguments {
  readonly file: string;
  readonly baseBtf?: string | undefined;
  readonly systemMap?: string | undefined;
  readonly moduleSymvers?: string | undefined;
  readonly json: boolean;
}

interface Inspection {
  readonly file: string;
  readonly kind: BtfInput['kind'];
  /** For a boot image or a compressed file: what it was, and where in it the BTF is. */
  readonly packed?: PackedIn;
  readonly elf?: { readonly class: number; readonly order: string; readonly machine: string };
  readonly btf: {
    readonly order: string;
    readonly headerBytes: number;
    readonly types: number;
    readonly typeBytes: number;
    readonly stringBytes: number;
    readonly layoutBytes: number;
  };
  readonly kinds: Readonly<Record<string, number>>;
  readonly kernel?: KernelFacts;
  /** Why there is nothing about roots: the error that a split of this file would end with. */
  readonly unsplittable?: string;
}

interface KernelFacts {
  readonly vermagic: string;
  readonly moduleBytes: number;
  readonly roots: Readonly<Record<string, number>>;
  readonly structOps: readonly string[];
  readonly baseTypes: number;
  readonly baseTypeBytes: number;
  readonly warnings: readonly string[];
}

/** Looks at a file and tells what a split would find; writes nothing. */
export async function inspect(args: InspectArguments, context: Context): Promise<void> {
  const base = args.baseBtf === undefined ? undefined : await readBtf(args.baseBtf);
  const inspection = await withInput(args.file, base, input => inspectInput(input, args));
  if (args.json) await printJson(context, inspection);
  else await context.print(render(inspection));
}

function inspectInput(input: BtfInput, args: InspectArguments): Inspection {
  const { btf, elf } = input;
  const facts = {
    file: input.file,
    kind: input.kind,
    ...(input.packed === undefined ? {} : { packed: input.packed }),
    ...(elf === undefined
      ? {}
      : { elf: { class: elf.header.class, order: elf.header.order, machine: machineName(elf.header.machine) } }),
    btf: {
      order: btf.order,
      headerBytes: btf.header.length,
      types: btf.count,
      typeBytes: btf.words.length * 4,
      stringBytes: btf.strings.length,
      layoutBytes: btf.layout.length,
    },
    kinds: countKinds(btf),
  };
  if (input.kind === 'module' || input.kind === 'btf') return facts;
  try {
    return { ...facts, kernel: kernelFacts(input, args) };
  } catch (error) {
    if (error instanceof CodedError) return { ...facts, unsplittable: formatError(error) };
    throw error;
  }
}

function countKinds(btf: Btf): Record<string, number> {
  return Object.fromEntries(
    KIND_SHAPES.map((_, kind) => [kindName(kind), btf.ofKind(kind).length] as const).filter(([, count]) => count > 0),
  );
}

function kernelFacts(input: BtfInput, args: InspectArguments): KernelFacts {
  const names = new NameIndex(input.btf);
  const kernel = asKernel(input, names, args.systemMap);
  const { roots, structOps, warnings } = kernelRoots(kernel);
  const abi = readKernelAbi(kernel.elf, kernel.symbols, kernel.btf, names, {
    layoutCrc: layoutCrcOf(args.moduleSymvers),
  });
  const closure = closeOver(kernel.btf, new Companions(kernel.btf, names), roots);
  return {
    vermagic: shownVermagic(abi),
    moduleBytes: abi.moduleSize,
    roots: Object.fromEntries(
      REASONS.map(reason => [reason, closure.roots.filter(root => root.reason === reason).length] as const).filter(
        ([, count]) => count > 0,
      ),
    ),
    structOps,
    baseTypes: closure.types,
    baseTypeBytes: closure.words * 4,
    warnings,
  };
}

function render({ file, kind, packed, elf, btf, kinds, kernel, unsplittable }: Inspection): string {
  const rows: string[][] = [['file', `${file} (${kind})`]];
  if (packed !== undefined) rows.push(['packed', `${packed.layers.join(', ')}; BTF ${renderPlace(packed.place)}`]);
  if (elf !== undefined) rows.push(['ELF', `${elf.machine}, ${elf.class} bit, ${elf.order}-endian`]);
  const layout = btf.layoutBytes > 0 ? `, ${number(btf.layoutBytes)} describing kinds` : '';
  rows.push([
    'BTF',
    `${number(btf.types)} types; ${number(btf.headerBytes)} header bytes, ${number(btf.typeBytes)} of types, ${number(btf.stringBytes)} of strings${layout}; ${btf.order}-endian`,
  ]);
  rows.push([
    'kinds',
    Object.entries(kinds)
      .map(([name, count]) => `${name} ${number(count)}`)
      .join(', '),
  ]);
  if (kernel !== undefined) {
    rows.push(['kernel', kernel.vermagic], ['struct module', `${number(kernel.moduleBytes)} bytes`]);
    rows.push([
      'roots',
      Object.entries(kernel.roots)
        .map(([reason, count]) => `${reason} ${number(count)}`)
        .join(', '),
    ]);
    rows.push(['struct_ops', kernel.structOps.join(', ') || 'none']);
    rows.push([
      'base',
      `${number(kernel.baseTypes)} types, ${number(kernel.baseTypeBytes)} bytes of types (${percent(kernel.baseTypeBytes, btf.typeBytes)})`,
    ]);
    for (const warning of kernel.warnings) rows.push(['warning', warning]);
  }
  if (unsplittable !== undefined) rows.push(['no split', unsplittable]);
  return `${alignColumns(
    rows.map(row => row.map(printable)),
    [0, 1],
  ).join('\n')}\n`;
}

function renderPlace(place: PackedIn['place']): string {
  if ('section' in place) return `in ${place.section} of the ELF file inside`;
  const others = place.others > 0 ? `, the largest of ${place.others + 1}` : '';
  return `at offset 0x${place.offset.toString(16)} of what is inside${others}`;
}
