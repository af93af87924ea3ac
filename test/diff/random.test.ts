import test from 'ava';
import fc from 'fast-check';
import { Btf } from '../../plugin/btf/btf.js';
import { diffTypes } from '../../plugin/diff/types.js';
import { alteredBtf } from '../support/altered-btf.js';
import { type ArbitraryBtf, arbitraryBtf, pointingBtf } from '../support/arbitrary-btf.js';
import { naiveParse } from '../support/naive-btf.js';
import { naiveDiff } from '../support/naive-diff.js';

function decode({ bytes, base }: ArbitraryBtf): Btf {
  return Btf.decode(bytes, base === undefined ? undefined : Btf.decode(base));
}

function parse({ bytes, base }: ArbitraryBtf) {
  return naiveParse(bytes, base === undefined ? undefined : naiveParse(base));
}

const row = ([verdict, before, after]: readonly [string, number, number]): string => `${before} ${after} ${verdict}`;

/** Compares with the quadratic comparison, and adds up every byte. */
function agrees(a: ArbitraryBtf, b: ArbitraryBtf, split?: readonly [number, number]): boolean {
  const [x, y] = [decode(a), decode(b)];
  const clip = (count: number, nth: 0 | 1): number => (split?.[nth] ?? 0) % (count + 1);
  const baseTypes = [clip(x.count, 0), clip(y.count, 1)] as const;
  const sides = split === undefined ? [undefined, undefined] : baseTypes;
  const found = diffTypes({ btf: x, baseTypes: sides[0] }, { btf: y, baseTypes: sides[1] });
  const expected = naiveDiff(parse(a), parse(b), split === undefined ? undefined : baseTypes);
  const told = found.types.map(({ verdict, id }) => row([verdict, id.before, id.after]));
  const wanted = expected.filter(([verdict]) => verdict !== 'same').map(row);
  const same = expected.length - wanted.length;
  const { bytes, parts } = found;
  if (told.sort().join('\n') !== wanted.sort().join('\n')) throw new Error(`${told.join(', ')}\n${wanted.join(', ')}`);
  const size = ({ header, words, strings, layout }: Btf): number =>
    header.length + words.byteLength + strings.length + layout.length;
  return (
    found.unchanged === same &&
    bytes.before === size(x) &&
    bytes.after === size(y) &&
    bytes.up - bytes.down === bytes.after - bytes.before &&
    parts.every(({ bytes, up, down }) => up >= 0 && down >= 0 && up - down === bytes.after - bytes.before) &&
    found.types.every(({ record, size }) => record.before % 4 === 0 && (size === undefined || size.after >= 0))
  );
}

test('any two BTFs differ as a comparison of every type with every other says', t => {
  fc.assert(
    fc.property(arbitraryBtf, arbitraryBtf, (a, b) => agrees(a, b)),
    { numRuns: 200 },
  );
  t.pass();
});

test('any two BTFs full of pointers and nameless structs', t => {
  fc.assert(
    fc.property(pointingBtf, pointingBtf, (a, b) => agrees(a, b)),
    { numRuns: 200 },
  );
  t.pass();
});

test('a BTF and one that was made of it, of which little differs, with and without a split', t => {
  const split = fc.option(fc.tuple(fc.nat(40), fc.nat(40)), { nil: undefined });
  fc.assert(
    fc.property(alteredBtf, split, ({ before, after }, baseTypes) => agrees(before, after, baseTypes)),
    { numRuns: 400 },
  );
  t.pass();
});

test('a BTF does not differ from itself, nor from itself in the other byte order', t => {
  fc.assert(
    fc.property(alteredBtf, ({ before, swapped }) => {
      const [a, b] = [decode(before), decode(swapped)];
      for (const other of [a, b]) {
        const { types, bytes, unchanged } = diffTypes({ btf: a }, { btf: other });
        if (types.length > 0 || bytes.up > 0 || bytes.down > 0 || unchanged < 0) return false;
      }
      return a.order !== b.order;
    }),
    { numRuns: 200 },
  );
  t.pass();
});
