import fc from 'fast-check';
import * as kinds from '../../plugin/btf/kinds.js';
import { REASONS, type Root } from '../../plugin/roots/root.js';
import { BtfBuilder } from './build-btf.js';

/** A BTF as a kernel could have it, and roots in it. */
export interface KernelCase {
  readonly bytes: Uint8Array;
  readonly roots: readonly Root[];
}

interface Draft {
  readonly kind: number;
  readonly name: string;
  readonly flag: boolean;
  readonly vlen: number;
  /** What references, names of elements, plain words and places of strings are made from. */
  readonly seeds: readonly number[];
}

/** Few, so that names repeat; flavours, trace points, and bytes that are no text. */
const NAMES = ['foo', 'foo___x', 'foo___y', 'bar', 'bar___x', 'ba', 'r', '_', 'a___', '___a', 'a____b', '\xff\t|'];
const TRACEPOINTS = ['ev', 'foo', ''];
const ELEMENT_NAMES = ['', 'foo', 'bar', 'm', 'first member'];

/** Kinds whose records the kernel refuses with a name. */
const ANONYMOUS: ReadonlySet<number> = new Set([
  kinds.KIND_PTR,
  kinds.KIND_ARRAY,
  kinds.KIND_VOLATILE,
  kinds.KIND_CONST,
  kinds.KIND_RESTRICT,
  kinds.KIND_FUNC_PROTO,
]);
/** Kinds that may go without a name. */
const MAYBE_ANONYMOUS: ReadonlySet<number> = new Set([
  kinds.KIND_STRUCT,
  kinds.KIND_UNION,
  kinds.KIND_ENUM,
  kinds.KIND_ENUM64,
]);

function nameOf(kind: number, names: readonly string[]): fc.Arbitrary<string> {
  if (ANONYMOUS.has(kind)) return fc.constant('');
  const name = fc.constantFrom(...names);
  if (MAYBE_ANONYMOUS.has(kind)) return fc.oneof(name, fc.constant(''));
  const trace = (prefix: string) => fc.constantFrom(...TRACEPOINTS).map(event => prefix + event);
  if (kind === kinds.KIND_TYPEDEF) return fc.oneof(name, trace('btf_trace_'));
  if (kind === kinds.KIND_FUNC) return fc.oneof(name, trace('__bpf_trace_'));
  return name;
}

const draftOf = (kind: fc.Arbitrary<number>, names: readonly string[]): fc.Arbitrary<Draft> =>
  kind.chain(kind =>
    fc.record({
      kind: fc.constant(kind),
      name: nameOf(kind, names),
      flag: fc.boolean(),
      vlen: fc.integer({ min: 0, max: 4 }),
      seeds: fc.array(fc.nat(), { minLength: 4, maxLength: 8 }),
    }),
  );

/** Kinds that a kind may refer to where not every kind will do (btf_*_resolve in kernel/bpf/btf.c). */
type Targets = Readonly<Record<number, readonly number[]>>;

const TARGETS: Targets = {
  [kinds.KIND_FUNC]: [kinds.KIND_FUNC_PROTO],
  [kinds.KIND_DECL_TAG]: [kinds.KIND_STRUCT, kinds.KIND_UNION, kinds.KIND_FUNC, kinds.KIND_VAR, kinds.KIND_TYPEDEF],
};
/** Members that are pointers, and pointers to structs: most of a kernel's. */
const POINTER_TARGETS: Targets = {
  ...TARGETS,
  [kinds.KIND_STRUCT]: [kinds.KIND_PTR],
  [kinds.KIND_UNION]: [kinds.KIND_PTR],
  [kinds.KIND_FUNC_PROTO]: [kinds.KIND_PTR],
  [kinds.KIND_CONST]: [kinds.KIND_STRUCT, kinds.KIND_UNION],
  [kinds.KIND_PTR]: [kinds.KIND_STRUCT, kinds.KIND_UNION, kinds.KIND_CONST],
};
/** Kinds that nothing but DATASEC and DECL_TAG refers to. */
const NOT_TYPES: ReadonlySet<number> = new Set([
  kinds.KIND_FUNC,
  kinds.KIND_VAR,
  kinds.KIND_DATASEC,
  kinds.KIND_DECL_TAG,
]);
/** Kinds that may refer to void. */
const MAY_BE_VOID: ReadonlySet<number> = new Set([
  kinds.KIND_PTR,
  kinds.KIND_TYPEDEF,
  kinds.KIND_VOLATILE,
  kinds.KIND_CONST,
  kinds.KIND_RESTRICT,
  kinds.KIND_TYPE_TAG,
  kinds.KIND_FUNC_PROTO,
]);

/** The ids that a type may refer to. */
function targetsOf(kind: number, drafts: readonly Draft[], targets: Targets): number[] {
  const wanted = targets[kind];
  const fits = (other: number): boolean => (wanted === undefined ? !NOT_TYPES.has(other) : wanted.includes(other));
  const ids = drafts.flatMap((other, i) => (fits(other.kind) ? [i + 1] : []));
  return MAY_BE_VOID.has(kind) ? [0, ...ids] : ids;
}

/**
 * Offset of a name: shared, written once more, or the tail of another. Flavoured names are no tails: see the test
 * that is known to fail in test/split/companions.test.ts.
 */
function place(b: BtfBuilder, text: string, seed: number): number {
  if (text === '') return 0;
  if (seed % 5 === 1) return b.ownString(text);
  if (seed % 5 === 2) return b.ownString(`x_${text}`) + 2;
  return b.string(text);
}

function add(b: BtfBuilder, item: Draft, targets: readonly number[]): void {
  const { kind, flag, seeds } = item;
  const { third, fixed, element } = kinds.KIND_SHAPES[kind];
  let used = 0;
  const seed = (): number => seeds[used % seeds.length] + used++;
  const word = (role: kinds.Role): number => {
    if (role === kinds.ROLE_TYPE) return targets[seed() % targets.length];
    if (role === kinds.ROLE_STRING) return place(b, ELEMENT_NAMES[seed() % ELEMENT_NAMES.length], seed());
    return seed();
  };
  const vlen = kind === kinds.KIND_FUNC || element.length > 0 ? item.vlen : 0;
  const elements = Array.from({ length: kind === kinds.KIND_FUNC ? 0 : vlen }, () => element).flat();
  const name = place(b, item.name, seed());
  b.record(kind, name, { vlen, flag }, word(third), ...[...fixed, ...elements].map(word));
}

/** Each VAR is in one DATASEC at the most. */
function addDatasec(b: BtfBuilder, item: Draft, nth: number, drafts: readonly Draft[]): void {
  const datasecs = drafts.filter(other => other.kind === kinds.KIND_DATASEC).length;
  const entries = drafts.flatMap((other, i) =>
    other.kind === kinds.KIND_VAR && other.seeds[0] % (datasecs + 1) === nth ? [i + 1, i * 8, 8] : [],
  );
  b.record(kinds.KIND_DATASEC, `.data${nth}`, { vlen: entries.length / 3 }, item.seeds[1], ...entries);
}

function build(
  drafts: readonly Draft[],
  options: { order: 'little' | 'big'; header: 24 | 32 },
  targets: Targets,
): Uint8Array {
  const b = new BtfBuilder(options);
  let datasecs = 0;
  for (const item of drafts) {
    const ids = targetsOf(item.kind, drafts, targets);
    if (item.kind === kinds.KIND_DATASEC) addDatasec(b, item, datasecs++, drafts);
    // What has nothing to refer to becomes a type that needs nothing.
    else if (ids.length === 0) b.int(item.name === '' ? 'int' : item.name, 4);
    else add(b, item, ids);
  }
  return b.build();
}

const anyRoots = (count: number): fc.Arbitrary<Root[]> =>
  count === 0
    ? fc.constant([])
    : fc.array(
        fc.record({
          id: fc.integer({ min: 1, max: count }),
          reason: fc.constantFrom(...REASONS),
          source: fc.constantFrom('here', 'there'),
        }),
        { maxLength: 4 },
      );

const caseOf = (draft: fc.Arbitrary<Draft>, targets: Targets, minLength = 0): fc.Arbitrary<KernelCase> =>
  fc
    .record({
      drafts: fc.array(draft, { minLength, maxLength: 40 }),
      order: fc.constantFrom('little' as const, 'big' as const),
      header: fc.constantFrom(24 as const, 32 as const),
    })
    .chain(({ drafts, order, header }) =>
      anyRoots(drafts.length).map(roots => ({ bytes: build(drafts, { order, header }, targets), roots })),
    );

/** Any kernel BTF: all kinds, cycles, repeated and flavoured names, shared, repeated and tail-merged strings. */
export const kernelCase = caseOf(draftOf(fc.integer({ min: 1, max: kinds.KIND_MAX }), NAMES), TARGETS);

/** The same with many pointers to structs whose names differ, as in most of a kernel. */
export const pointerCase = caseOf(
  draftOf(
    fc.oneof(
      { weight: 3, arbitrary: fc.constant(kinds.KIND_PTR) },
      { weight: 2, arbitrary: fc.constantFrom(kinds.KIND_STRUCT, kinds.KIND_UNION) },
      { weight: 1, arbitrary: fc.constantFrom(kinds.KIND_FUNC, kinds.KIND_FUNC_PROTO, kinds.KIND_CONST) },
      { weight: 1, arbitrary: fc.integer({ min: 1, max: kinds.KIND_MAX }) },
    ),
    [...NAMES, ...Array.from({ length: 200 }, (_, i) => (i % 10 === 0 ? `bpf_iter_${i}` : `name${i}`))],
  ),
  POINTER_TARGETS,
  20,
);
