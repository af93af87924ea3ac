import fc from 'fast-check';
import {
  KIND_CONST,
  KIND_MAX,
  KIND_PTR,
  KIND_SHAPES,
  KIND_STRUCT,
  KIND_TYPE_TAG,
  KIND_UNION,
  ROLE_STRING,
  ROLE_TYPE,
  type Role,
} from '../../plugin/btf/kinds.js';
import { BtfBuilder } from './build-btf.js';

export interface ArbitraryBtf {
  readonly bytes: Uint8Array;
  readonly base: Uint8Array | undefined;
}

interface Type {
  readonly kind: number;
  readonly name: string;
  readonly vlen: number;
  readonly flag: boolean;
  /** What its words are made from, used again from the start when there are too few. */
  readonly seeds: readonly number[];
}

/** Short, so that names repeat; any byte but NUL. */
const name = fc
  .array(fc.integer({ min: 1, max: 255 }), { maxLength: 3 })
  .map(bytes => Buffer.from(bytes).toString('latin1'));

const typeOf = (kind: fc.Arbitrary<number>, mostElements = 5): fc.Arbitrary<Type> =>
  fc.record({
    kind,
    name,
    vlen: fc.integer({ min: 0, max: mostElements }),
    flag: fc.boolean(),
    seeds: fc.array(fc.integer({ min: 0, max: 0xffffffff }), { minLength: 1, maxLength: 8 }),
  });

/** `endId`: references may go forward, up to the last type that there will be. */
function add(b: BtfBuilder, { kind, name, vlen, flag, seeds }: Type, endId: number): void {
  const { third, fixed, element } = KIND_SHAPES[kind];
  let used = 0;
  const word = (role: Role): number => {
    const seed = seeds[used++ % seeds.length];
    return role === ROLE_TYPE ? seed % endId : role === ROLE_STRING ? b.string(`${name}${seed % 3}`) : seed;
  };
  const elements = Array.from({ length: vlen }, () => element).flat();
  b.record(kind, name, { vlen, flag }, word(third), ...[...fixed, ...elements].map(word));
}

const btfOf = (type: fc.Arbitrary<Type>, minLength: number): fc.Arbitrary<ArbitraryBtf> =>
  fc
    .record({
      order: fc.constantFrom('little' as const, 'big' as const),
      header: fc.constantFrom(24 as const, 32 as const),
      baseTypes: fc.option(fc.array(type, { minLength, maxLength: 10 }), { nil: undefined }),
      types: fc.array(type, { minLength, maxLength: 30 }),
    })
    .map(({ order, header, baseTypes, types }) => {
      const base = baseTypes === undefined ? undefined : new BtfBuilder({ order, header });
      for (const item of baseTypes ?? []) if (base !== undefined) add(base, item, (baseTypes?.length ?? 0) + 1);
      const b = new BtfBuilder(base === undefined ? { order, header } : { order, header, base });
      const endId = b.endId + types.length;
      for (const item of types) add(b, item, endId);
      return { bytes: b.build(), base: base?.build() };
    });

/** Any BTF that the format allows: either byte order, either header, alone or split on a base. */
export const arbitraryBtf = btfOf(typeOf(fc.integer({ min: 1, max: KIND_MAX })), 0);

const pointer = fc.constantFrom(KIND_PTR, KIND_CONST, KIND_TYPE_TAG);
/** One with many structs and unions that are little more than pointed to, straight and through modifiers. */
export const pointingBtf = btfOf(
  fc.oneof(
    { weight: 3, arbitrary: typeOf(pointer) },
    { weight: 2, arbitrary: typeOf(fc.constantFrom(KIND_STRUCT, KIND_UNION), 1) },
  ),
  8,
);
