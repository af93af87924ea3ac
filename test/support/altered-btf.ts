import fc from 'fast-check';
import { KIND_SHAPES, ROLE_STRING, ROLE_TYPE, type Role } from '../../plugin/btf/kinds.js';
import type { ArbitraryBtf } from './arbitrary-btf.js';
import { BtfBuilder } from './build-btf.js';

/** One type as words: a name where a string offset will be, the number of a type where an id will be. */
interface Draft {
  readonly kind: number;
  readonly name: string;
  readonly vlen: number;
  readonly flag: boolean;
  readonly words: readonly number[];
}

export interface Altered {
  readonly before: ArbitraryBtf;
  /** The same types in another order, some of them changed, some gone. */
  readonly after: ArbitraryBtf;
  /** `before` in the other byte order. */
  readonly swapped: ArbitraryBtf;
}

const NAMES = ['', 'a', 'b', 'ab', 'c'];
/** Of each kind but FLOAT some; structs, unions and pointers more often. */
const KINDS = [1, 2, 2, 2, 3, 4, 4, 4, 5, 5, 6, 7, 8, 9, 10, 10, 12, 13, 13, 14, 15, 16, 17, 18, 19];

const draft: fc.Arbitrary<Draft> = fc.record({
  kind: fc.constantFrom(...KINDS),
  name: fc.constantFrom(...NAMES),
  vlen: fc.nat(3),
  flag: fc.boolean(),
  // Small, so that two words are often the same.
  words: fc.array(fc.nat(60), { minLength: 12, maxLength: 12 }),
});

/** What becomes of a type: one of its words, its name, kind flag or number of elements is another; or it goes. */
const change = fc.oneof(
  { weight: 6, arbitrary: fc.constant({ what: 'none' as const }) },
  { weight: 2, arbitrary: fc.record({ what: fc.constant('word' as const), at: fc.nat(11), to: fc.nat(60) }) },
  {
    weight: 1,
    arbitrary: fc.record({ what: fc.constantFrom('flag' as const, 'vlen' as const, 'name' as const, 'gone' as const) }),
  },
);

function apply(type: Draft, change: { what: string; at?: number; to?: number }): Draft {
  const { at = 0, to = 0 } = change;
  switch (change.what) {
    case 'word':
      return { ...type, words: type.words.with(at, to) };
    case 'flag':
      return { ...type, flag: !type.flag };
    case 'vlen':
      return { ...type, vlen: type.vlen + 1 };
    case 'name':
      return { ...type, name: 'new' };
    default:
      return type;
  }
}

/** `order`: the number of the type that stands at each place; references go to types by number. */
function build(types: readonly Draft[], order: readonly number[], byteOrder: 'little' | 'big'): ArbitraryBtf {
  const b = new BtfBuilder({ order: byteOrder });
  const idOf = new Map(order.map((number, place) => [number, place + 1]));
  for (const number of order) {
    const { kind, name, vlen, flag, words } = types[number];
    const { third, fixed, element } = KIND_SHAPES[kind];
    let used = 0;
    const word = (role: Role): number => {
      const value = words[used++ % words.length];
      if (role === ROLE_STRING) return b.string(NAMES[value % NAMES.length]);
      return role === ROLE_TYPE ? (idOf.get(value % (types.length + 1)) ?? 0) : value;
    };
    const elements = Array.from({ length: vlen }, () => element).flat();
    b.record(kind, name, { vlen, flag }, word(third), ...[...fixed, ...elements].map(word));
  }
  return { bytes: b.build(), base: undefined };
}

/** Two BTFs of which one was made of the other. */
export const alteredBtf: fc.Arbitrary<Altered> = fc
  .array(fc.tuple(draft, change, fc.nat()), { minLength: 1, maxLength: 24 })
  .map(entries => {
    const types = entries.map(([type]) => type);
    const numbers = types.map((_, number) => number);
    const kept = numbers.filter(number => entries[number][1].what !== 'gone');
    const shuffled = kept.sort((x, y) => entries[x][2] - entries[y][2]);
    const changed = entries.map(([type, what]) => apply(type, what));
    return {
      before: build(types, numbers, 'little'),
      after: build(changed, shuffled, 'little'),
      swapped: build(types, numbers, 'big'),
    };
  });
