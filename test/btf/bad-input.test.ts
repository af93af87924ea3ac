import test from 'ava';
import fc from 'fast-check';
import { Btf } from '../../plugin/btf/btf.js';
import { reencodeBtf } from '../../plugin/btf/encode.js';
import { formatJson } from '../../plugin/btf/format-json.js';
import { formatRaw } from '../../plugin/btf/format-raw.js';
import { KIND_ENUM } from '../../plugin/btf/kinds.js';
import { CodedError, type ErrorCode } from '../../plugin/errors.js';
import { BTF_SAMPLES, type BtfSample } from '../support/btf-samples.js';
import { BtfBuilder } from '../support/build-btf.js';

const LAYOUT_HEADER = 32;

function sample(title: string): BtfSample {
  const found = BTF_SAMPLES.find(item => item.title === title);
  if (found === undefined) throw new Error(`no sample '${title}'`);
  return found;
}

const EVERY_KIND = sample('every kind, little-endian');
const WITH_LAYOUT = sample('every kind under a 32-byte header, little-endian');
const SPLIT = sample('split BTF, little-endian');

function changed({ bytes }: BtfSample, change: (copy: Buffer) => void): Uint8Array {
  const copy = Buffer.from(bytes);
  change(copy);
  return copy;
}

/** A word of the header of {@link EVERY_KIND} (or another sample), set to what `value` makes of it. */
const header = (offset: number, value: (old: number) => number, of = EVERY_KIND): Uint8Array =>
  changed(of, copy => copy.writeUInt32LE(value(copy.readUInt32LE(offset)) >>> 0, offset));

function built(fill: (b: BtfBuilder) => void): Uint8Array {
  const b = new BtfBuilder();
  fill(b);
  return b.build();
}

const decode = (bytes: Uint8Array): unknown => Btf.decode(bytes);

const CASES: readonly [title: string, code: ErrorCode, attempt: () => unknown][] = [
  ['nothing at all', 'btf-header', () => decode(new Uint8Array(0))],
  ['one byte less than a header', 'btf-header', () => decode(EVERY_KIND.bytes.subarray(0, 23))],
  ['another magic', 'btf-header', () => decode(header(0, word => word ^ 1))],
  ['version 2', 'btf-header', () => decode(changed(EVERY_KIND, copy => copy.writeUInt8(2, 2)))],
  ['hdr_len 0', 'btf-header', () => decode(header(4, () => 0))],
  ['hdr_len 20', 'btf-header', () => decode(header(4, () => 20))],
  ['hdr_len of 4 GiB', 'btf-header', () => decode(header(4, () => 0xffffffff))],
  ['hdr_len that takes types for header', 'btf-header', () => decode(header(4, () => 28))],
  ['type_off that is odd', 'btf-header', () => decode(header(8, () => 2))],
  ['type_off that leaves a gap', 'btf-header', () => decode(header(8, () => 4))],
  ['type_len that is odd', 'btf-header', () => decode(header(12, length => length - 1))],
  ['type_len that overlaps the strings', 'btf-header', () => decode(header(12, length => length + 4))],
  ['type_len of 4 GiB', 'btf-header', () => decode(header(12, () => 0xfffffffc))],
  ['str_off that leaves a gap', 'btf-header', () => decode(header(16, offset => offset + 1))],
  ['str_off of 4 GiB', 'btf-header', () => decode(header(16, () => 0xffffffff))],
  ['str_len that is too short', 'btf-header', () => decode(header(20, length => length - 1))],
  ['str_len that is too long', 'btf-header', () => decode(header(20, length => length + 1))],
  ['layout_off that overlaps the types', 'btf-header', () => decode(header(24, () => 0, WITH_LAYOUT))],
  ['layout_len of 4 GiB', 'btf-header', () => decode(header(28, () => 0xffffffff, WITH_LAYOUT))],
  ['a byte after the last section', 'btf-header', () => decode(Buffer.concat([EVERY_KIND.bytes, Buffer.alloc(1)]))],
  [
    'an empty section outside the data',
    'btf-header',
    () => decode(changed(sample('no types, little-endian'), copy => copy.writeUInt32LE(0x1000, 8))),
  ],
  [
    'no strings',
    'btf-strings',
    () => decode(changed(EVERY_KIND, copy => copy.writeUInt32LE(0, 20)).subarray(0, 24 + typeLength(EVERY_KIND))),
  ],
  [
    'strings without a NUL at the end',
    'btf-strings',
    () => decode(changed(EVERY_KIND, copy => copy.writeUInt8(65, copy.length - 1))),
  ],
  ['strings without a NUL at the start', 'btf-strings', () => decode(withoutFirstNul())],
  ['kind 0', 'btf-kind', () => decode(built(b => b.record(0, '', {}, 0)))],
  ['kind 20', 'btf-kind', () => decode(built(b => b.record(20, '', {}, 0)))],
  ['kind 127', 'btf-kind', () => decode(built(b => b.record(127, '', {}, 0)))],
  ['a type of two words', 'btf-types', () => decode(withWords(0, 0x02000000))],
  ['a type of one word', 'btf-types', () => decode(withWords(0))],
  ['an int without its encoding', 'btf-types', () => decode(withWords(0, 0x01000000, 4))],
  ['a struct of 16,777,215 members', 'btf-types', () => decode(built(b => b.record(4, '', { vlen: 0xffffff }, 4)))],
  ['a struct that lacks its last word', 'btf-types', () => decode(built(b => b.record(4, '', { vlen: 1 }, 4, 0, 0)))],
  ['a type id one past the last', 'btf-reference', () => decode(built(b => b.ptr(2)))],
  ['a type id of all ones', 'btf-reference', () => decode(built(b => b.ptr(0xffffffff)))],
  ['an element type past the last', 'btf-reference', () => decode(built(b => b.array(2, 0, 1)))],
  [
    'a member type past the last',
    'btf-reference',
    () => decode(built(b => b.struct('', 4, [{ name: 'm', type: 2, bits: 0 }]))),
  ],
  ['a name past the strings', 'btf-reference', () => decode(built(b => b.record(2, 1, {}, 0)))],
  ['a member name past the strings', 'btf-reference', () => decode(built(b => b.record(6, 0, { vlen: 1 }, 4, 9, 0)))],
  ['split BTF without its base', 'btf-strings', () => decode(SPLIT.bytes)],
  [
    'split BTF on a base of the other byte order',
    'btf-base',
    () => Btf.decode(SPLIT.bytes, Btf.decode(sample('every kind, big-endian').bytes)),
  ],
  [
    'split BTF on a base that is too small',
    'btf-reference',
    () => Btf.decode(SPLIT.bytes, Btf.decode(sample('no types, little-endian').bytes)),
  ],
];

function typeLength({ bytes }: BtfSample): number {
  return Buffer.from(bytes).readUInt32LE(12);
}

function withoutFirstNul(): Uint8Array {
  return changed(EVERY_KIND, copy => copy.writeUInt8(65, 24 + typeLength(EVERY_KIND)));
}

/** A BTF whose type section is these words and nothing else. */
function withWords(...words: readonly number[]): Uint8Array {
  const bytes = Buffer.alloc(24 + words.length * 4 + 1);
  [0x0001eb9f, 24, 0, words.length * 4, words.length * 4, 1, ...words].forEach((word, i) => {
    bytes.writeUInt32LE(word, i * 4);
  });
  return bytes;
}

for (const [title, code, attempt] of CASES) {
  test(`${title}: ${code}`, t => {
    const before = process.memoryUsage().arrayBuffers;
    const error = t.throws(attempt, { instanceOf: CodedError });
    t.is(error?.code, code);
    t.is(error?.exitCode, 3);
    t.is(error?.place.section, '.BTF');
    // A count that lies allocates nothing: each of these inputs is a few KB.
    t.true(process.memoryUsage().arrayBuffers - before < 2 ** 20);
  });
}

test('the offset of an error is that of the word that is wrong', t => {
  const reference = t.throws(() => decode(built(b => b.array(0, 2, 1))), { instanceOf: CodedError });
  t.is(reference?.place.offset, 24 + 4 * 4);
  const kind = t.throws(() => decode(built(b => [b.ptr(0), b.record(20, '', {}, 0)])), { instanceOf: CodedError });
  t.is(kind?.place.offset, 24 + 4 * 4);
});

for (const { title, bytes, base } of BTF_SAMPLES.filter(({ bytes }) => bytes.length < 10_000)) {
  test(`cut off anywhere: ${title}`, t => {
    const decodedBase = base === undefined ? undefined : Btf.decode(base);
    let accepted = 0;
    for (let length = 0; length < bytes.length; length++) {
      if (outcome(bytes.subarray(0, length), decodedBase) !== 'refused') accepted++;
    }
    t.is(accepted, 0);
  });
}

/** Refused with a coded error, or whole: printed to the end and encoded to the same bytes. Anything else throws. */
function outcome(bytes: Uint8Array, base?: Btf): 'refused' | 'accepted' {
  let btf: Btf;
  try {
    btf = Btf.decode(bytes, base);
  } catch (error) {
    if (error instanceof CodedError) return 'refused';
    throw error;
  }
  for (const chunk of formatRaw(btf)) if (chunk === '') throw new Error('an empty chunk');
  if (Buffer.compare(reencodeBtf(btf), bytes) !== 0) throw new Error('encoded to other bytes');
  return 'accepted';
}

for (const { title, bytes, base } of [EVERY_KIND, WITH_LAYOUT, SPLIT, sample('every kind, big-endian')]) {
  test(`damaged anywhere, it is refused with a code or read whole: ${title}`, t => {
    const decodedBase = base === undefined ? undefined : Btf.decode(base);
    const edit = fc.record({
      // Half of the edits in the header, which is small but decides most.
      at: fc.oneof(fc.integer({ min: 0, max: LAYOUT_HEADER - 1 }), fc.integer({ min: 0, max: bytes.length - 1 })),
      value: fc.oneof(fc.constantFrom(0, 1, 0x7f, 0x80, 0xff), fc.integer({ min: 0, max: 255 })),
    });
    const seen = { refused: 0, accepted: 0 };
    fc.assert(
      fc.property(fc.array(edit, { minLength: 1, maxLength: 4 }), edits => {
        const copy = bytes.slice();
        for (const { at, value } of edits) copy[at] = value;
        seen[outcome(copy, decodedBase)]++;
      }),
      { numRuns: 1500 },
    );
    t.true(seen.refused > 0 && seen.accepted > 0, JSON.stringify(seen));
  });
}

/** An enum whose values all have the same name of a megabyte. */
function longNames(values: number): Btf {
  const b = new BtfBuilder();
  const long = b.string('x'.repeat(2 ** 20));
  b.record(KIND_ENUM, '', { vlen: values }, 4, ...Array.from({ length: values }, () => [long, 1]).flat());
  return Btf.decode(b.build());
}

test('names that are used again and again are printed in chunks', t => {
  let length = 0;
  for (const chunk of formatRaw(longNames(40))) {
    t.true(chunk.length < 2 ** 21);
    length += chunk.length;
  }
  t.true(length > 40 * 2 ** 20);
  t.is(JSON.parse([...formatJson(longNames(40))].join('')).types[0].elements.length, 40);
});

test('a small file that would make gigabytes of text is refused while it is printed', t => {
  for (const format of [formatRaw, formatJson]) {
    const error = t.throws(() => [...format(longNames(600))].length, { instanceOf: CodedError });
    t.is(error?.code, 'btf-strings');
  }
});
