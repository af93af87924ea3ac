import fc from 'fast-check';
import { BtfBuilder } from './build-btf.js';

interface Draft {
  readonly kind: number;
  readonly seeds: readonly number[];
}

const NAMES = ['a', '_b', 'c9', 'd.e', 'caf\xe9', 'n'.repeat(512)];

const draft: fc.Arbitrary<Draft> = fc.record({
  kind: fc.nat({ max: 14 }),
  seeds: fc.array(fc.nat(), { minLength: 8, maxLength: 8 }),
});

/** What may still be made of the types so far: ids by what they are good for. */
interface Made {
  /** Types with a size in bytes, no larger than 2^16. */
  readonly sized: { readonly id: number; readonly bytes: number }[];
  readonly ints: number[];
  readonly protos: { readonly id: number; readonly parameters: number }[];
  readonly pointees: number[];
}

/** Adds one type that every kernel takes, made of earlier ones. What it returns means nothing. */
function add(b: BtfBuilder, made: Made, { kind, seeds }: Draft): unknown {
  let used = 0;
  const next = (below: number): number => seeds[used++ % seeds.length] % below;
  const pick = <T>(from: readonly T[]): T => from[next(from.length)];
  const name = (): string => pick(NAMES);
  const sized = (id: number, bytes: number): void => {
    made.pointees.push(id);
    if (bytes <= 2 ** 16) made.sized.push({ id, bytes });
  };
  const member = () => ({ name: pick(['', ...NAMES]), ...pick(made.sized) });
  switch (kind) {
    case 0: {
      const bytes = pick([1, 2, 4, 8, 16]);
      const id = b.int(pick(['any name: 9 \x01', 'int']), bytes, { encoding: pick([0, 1, 2, 4]) });
      made.ints.push(id);
      return sized(id, bytes);
    }
    case 1:
      return sized(b.ptr(pick([0, ...made.pointees])), 8);
    case 2: {
      const { id, bytes } = pick(made.sized);
      const count = next(4);
      return sized(b.array(id, pick(made.ints), count), bytes * count);
    }
    case 3: {
      const parts = Array.from({ length: next(4) }, member);
      let at = 0;
      // Sixteen bytes keep every FLOAT aligned.
      const members = parts.map(({ name, id, bytes }) => {
        const bits = at * 8;
        at += Math.ceil(bytes / 16) * 16;
        return { name, type: id, bits };
      });
      return sized(b.struct(pick(['', ...NAMES]), at, members, next(2) === 0), at);
    }
    case 4: {
      const parts = Array.from({ length: next(3) }, member);
      const size = Math.max(0, ...parts.map(({ bytes }) => bytes));
      return sized(
        b.union(
          name(),
          size,
          parts.map(({ name, id }) => ({ name, type: id, bits: 0 })),
        ),
        size,
      );
    }
    case 5:
      return sized(
        b.enum(pick(['', ...NAMES]), pick([4, 8]), [{ name: name(), value: BigInt(next(9)) }], next(2) === 0),
        8,
      );
    case 6:
      return sized(b.enum64(name(), 8, [{ name: name(), value: 1n << 40n }]), 8);
    case 7:
      return made.pointees.push(b.fwd(name(), next(2) === 0));
    case 8: {
      const { id, bytes } = pick(made.sized);
      return sized(b.typedef(name(), id), bytes);
    }
    case 9: {
      const { id, bytes } = pick(made.sized);
      return sized(pick([() => b.const(id), () => b.volatile(id), () => b.restrict(id)])(), bytes);
    }
    case 10: {
      const parameters = Array.from({ length: next(3) }, () => ({ name: name(), type: pick(made.sized).id }));
      const variadic = next(2) === 0 ? [{ name: '', type: 0 }] : [];
      const returns = next(2) === 0 ? 0 : pick(made.sized).id;
      const id = b.funcProto(returns, [...parameters, ...variadic]);
      made.protos.push({ id, parameters: parameters.length + variadic.length });
      return made.pointees.push(id);
    }
    case 11: {
      if (made.protos.length === 0) return undefined;
      const { id, parameters } = pick(made.protos);
      const func = b.func(name(), id, next(2));
      return b.declTag('a tag', func, parameters === 0 ? -1 : next(parameters));
    }
    case 12: {
      const { id, bytes } = pick(made.sized);
      const variable = b.var(name(), id, next(2));
      b.datasec('.data', bytes + 1, [{ type: variable, offset: 0, size: bytes + 1 }]);
      return b.declTag('\x01', variable);
    }
    case 13:
      return sized(b.float(name(), pick([4, 8, 16])), 16);
    default:
      return made.pointees.push(b.ptr(b.typeTag('user', pick(made.ints))));
  }
}

/** BTF that every known kernel takes, from its own vmlinux (but for the order by name) and from a BPF program. */
export const validBtf: fc.Arbitrary<Uint8Array> = fc
  .record({ order: fc.constantFrom('little' as const, 'big' as const), drafts: fc.array(draft, { maxLength: 40 }) })
  .map(({ order, drafts }) => {
    const b = new BtfBuilder({ order });
    const made: Made = { sized: [], ints: [], protos: [], pointees: [] };
    add(b, made, { kind: 0, seeds: [2, 1, 1] });
    for (const item of drafts) add(b, made, item);
    return b.build();
  });
