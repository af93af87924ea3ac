import test from 'ava';
import fc from 'fast-check';
import { Btf } from '../../plugin/btf/btf.js';
import { encodeBtf } from '../../plugin/btf/encode.js';
import { CodedError } from '../../plugin/errors.js';
import { type Promised, prove } from '../../plugin/split/prove.js';
import { type KernelCase, kernelCase } from '../support/arbitrary-kernel-btf.js';
import { BtfBuilder } from '../support/build-btf.js';
import { addEveryKind } from '../support/every-kind.js';
import { splitBoth } from '../support/split-both.js';

const PARTS = ['base', 'rest', 'full'] as const;

function promised(input: KernelCase, padding = 0): Promised {
  const plain = splitBoth(input);
  const { btf, split } = splitBoth(input, plain.split.base.length + padding);
  const { rest, full, newIds, closure } = split;
  return { original: btf, base: split.paddedBase, rest, full, newIds, roots: closure.roots };
}

/** The code of the error that a false promise is met with; undefined when it is believed. */
function refusal(made: Promised): string | undefined {
  try {
    prove(made, 'invariant');
    return undefined;
  } catch (error) {
    if (error instanceof CodedError) return error.code;
    throw error;
  }
}

/** Every kind on both sides, with padding. */
function everyKind(order: 'little' | 'big', header: 24 | 32): Promised {
  const b = new BtfBuilder({ order, header });
  addEveryKind(b);
  const roots = ['kfunc', 'keep'] as const;
  b.struct('only in the rest', 8, [{ name: 'm', type: 1, bits: 0 }]);
  return promised(
    { bytes: b.build(), roots: roots.map((reason, i) => ({ id: i * 20 + 1, reason, source: 'test' })) },
    5,
  );
}

/** Offset of the header's flags, and the bytes of the section that describes kinds: see the tests known to fail. */
const FLAGS = 3;
function isUnchecked(bytes: Uint8Array, at: number, { original: { header } }: Promised): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const little = header.order === 'little';
  const layout = header.layout.length === 0 ? bytes.length : header.length + view.getUint32(24, little);
  return at === FLAGS || (at >= layout && at < layout + header.layout.length);
}

/** Flips some bits of each byte; the places at which that is believed nevertheless. */
function believed(made: Promised, part: (typeof PARTS)[number], skip = isUnchecked): string[] {
  const places: string[] = [];
  for (let at = 0; at < made[part].length; at++) {
    if (skip(made[part], at, made)) continue;
    for (const flip of [0x01, 0x80, 0xff]) {
      const bytes = made[part].slice();
      bytes[at] ^= flip;
      const code = refusal({ ...made, [part]: bytes });
      if (code !== 'invariant') places.push(`${part}[${at}] ^ ${flip}: ${code}`);
    }
  }
  return places;
}

for (const order of ['little', 'big'] as const) {
  for (const header of [24, 32] as const) {
    test(`no byte of base, rest or full can change unnoticed: ${order}-endian, header of ${header} bytes`, t => {
      const made = everyKind(order, header);
      t.is(refusal(made), undefined);
      for (const part of PARTS) t.deepEqual(believed(made, part), []);
    });
  }
}

for (const part of PARTS) {
  test(`the section that describes kinds cannot change unnoticed: ${part}`, t => {
    const skip = (bytes: Uint8Array, at: number, made: Promised): boolean =>
      at === FLAGS || !isUnchecked(bytes, at, made);
    t.deepEqual(believed(everyKind('little', 32), part, skip), []);
  });

  test(`the flags of the header cannot change unnoticed: ${part}`, t => {
    t.deepEqual(
      believed(everyKind('little', 24), part, (_, at) => at !== FLAGS),
      [],
    );
  });
}

test('a section stands where the format asks, an empty one too', t => {
  const made = promised({ bytes: new BtfBuilder({ header: 32 }).build(), roots: [] });
  const rest = made.rest.slice();
  rest[16] = 0; // str_off: before the layout section instead of behind it
  t.is(refusal({ ...made, rest }), 'invariant');
});

function otherOrder(bytes: Uint8Array, base?: Btf): Uint8Array {
  const { order, words, strings } = Btf.decode(bytes, base);
  return encodeBtf({ order: order === 'little' ? 'big' : 'little', words, strings });
}

test('a full BTF of another byte order than base and rest is refused', t => {
  const made = everyKind('little', 24);
  t.is(refusal({ ...made, full: otherOrder(made.full) }), 'invariant');
});

test('base, rest and full of another byte order than the original are refused', t => {
  const made = everyKind('little', 24);
  const rest = otherOrder(made.rest, Btf.decode(made.base));
  t.is(refusal({ ...made, base: otherOrder(made.base), rest, full: otherOrder(made.full) }), 'invariant');
});

test('no word of any BTF can become another unnoticed', t => {
  const edit = fc.record({ part: fc.constantFrom(...PARTS), at: fc.nat(), value: fc.nat(200), relative: fc.boolean() });
  fc.assert(
    fc.property(kernelCase, fc.nat(9), fc.array(edit, { minLength: 4, maxLength: 4 }), (input, padding, edits) => {
      const made = promised(input, padding);
      return edits.every(({ part, at, value, relative }) => {
        const bytes = made[part].slice();
        const view = new DataView(bytes.buffer);
        const little = made.original.order === 'little';
        const { length } = made.original.header;
        const types = view.getUint32(12, little);
        if (types === 0) return true;
        const place = length + (at % (types / 4)) * 4;
        const was = view.getUint32(place, little);
        view.setUint32(place, relative ? was + value : value, little);
        const same = view.getUint32(place, little) === was;
        return refusal({ ...made, [part]: bytes }) === (same ? undefined : 'invariant');
      });
    }),
    { numRuns: 300 },
  );
  t.pass();
});

test('no name of any BTF can change unnoticed', t => {
  fc.assert(
    fc.property(kernelCase, fc.constantFrom(...PARTS), fc.nat(), fc.nat(255), (input, part, at, value) => {
      const made = promised(input);
      const bytes = made[part].slice();
      const strings = new DataView(bytes.buffer).getUint32(20, made.original.order === 'little');
      if (strings === 0) return true;
      const place = bytes.length - 1 - (at % strings);
      const same = bytes[place] === value;
      bytes[place] = value;
      return refusal({ ...made, [part]: bytes }) === (same ? undefined : 'invariant');
    }),
    { numRuns: 600 },
  );
  t.pass();
});

test('no id of the permutation can change unnoticed', t => {
  fc.assert(
    fc.property(kernelCase, fc.nat(), fc.nat(60), fc.nat(), (input, at, value, other) => {
      const made = promised(input);
      const changed = made.newIds.slice();
      changed[at % changed.length] = value;
      const swapped = made.newIds.slice();
      const [one, two] = [at % swapped.length, other % swapped.length];
      [swapped[one], swapped[two]] = [swapped[two], swapped[one]];
      const expected = (newIds: Uint32Array): string | undefined =>
        newIds.every((id, i) => id === made.newIds[i]) ? undefined : 'invariant';
      return [changed, swapped, made.newIds.slice(0, -1), Uint32Array.of(...made.newIds, 1)].every(
        newIds =>
          refusal({ ...made, newIds }) === (newIds.length === made.newIds.length ? expected(newIds) : 'invariant'),
      );
    }),
    { numRuns: 300 },
  );
  t.pass();
});

test('a part that is cut off, longer, empty or another part is refused', t => {
  const made = everyKind('big', 24);
  for (const part of PARTS) {
    const bytes = made[part];
    const longer = new Uint8Array(bytes.length + 4);
    longer.set(bytes);
    const others = PARTS.filter(other => other !== part).map(other => made[other]);
    for (const wrong of [bytes.slice(0, -1), bytes.slice(0, 20), new Uint8Array(0), longer, ...others])
      t.is(refusal({ ...made, [part]: wrong }), 'invariant', `${part} of ${wrong.length} bytes`);
  }
});

test('a base with more than the roots need, and a root outside the base, are refused', t => {
  const made = everyKind('little', 24);
  t.is(refusal({ ...made, roots: [] }), 'invariant');
  const outside = made.newIds.indexOf(made.original.count);
  t.is(refusal({ ...made, roots: [...made.roots, { id: outside, reason: 'keep', source: 'test' }] }), 'invariant');
});

test('a proof about files that were written before fails as verify', t => {
  const made = everyKind('little', 24);
  const error = t.throws(() => prove({ ...made, rest: made.full }, 'verify'), { instanceOf: CodedError });
  t.is(error?.code, 'verify');
});
