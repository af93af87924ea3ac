import * as kinds from '../../../plugin/btf/kinds.js';
import { bad, fine, int, type LintCase } from './case.js';

const TYPE_OFF = 8;
const TYPE_LEN = 12;
const STR_OFF = 16;
const STR_LEN = 20;
const LAYOUT_OFF = 24;
const LAYOUT_LEN = 28;

/** What 7.2 reads as a section that describes kinds, and older kernels as bytes of a header that they do not know. */
const described = (title: string, patch?: LintCase['patch'], rule: LintCase['rule'] = 'header-length'): LintCase => ({
  title,
  rule,
  fill: int,
  options: { header: 32 },
  ...(patch === undefined ? {} : { patch }),
});

/** The sections of a BTF with a header of 32 bytes in another order: types, layout and strings are 0, 1 and 2. `more` NULs of strings. */
const reordered =
  (order: readonly number[], more = 0): LintCase['patch'] =>
  (bytes, word) => {
    const places = [TYPE_OFF, LAYOUT_OFF, STR_OFF];
    word(STR_LEN, word(STR_LEN) + more);
    const all = Uint8Array.from([...bytes, ...new Uint8Array(more)]);
    const data = places.map(at => all.slice(32 + word(at), 32 + word(at) + word(at + 4)));
    let end = 0;
    for (const nth of order) {
      word(places[nth], end);
      end += data[nth].length;
    }
    return Uint8Array.from([...bytes.subarray(0, 32), ...order.flatMap(nth => [...data[nth]])]);
  };

export const headers: readonly LintCase[] = [
  { ...bad('header-flags', 'flags', int), patch: bytes => void bytes.fill(1, 3, 4) },
  { ...bad('reader', 'another magic', int), patch: bytes => void bytes.fill(0x77, 0, 2) },
  { ...bad('reader', 'version 2', int), patch: bytes => void bytes.fill(2, 2, 3) },
  {
    ...bad('reader', 'bytes behind the strings', int),
    patch: bytes => Uint8Array.from([...bytes, 0, 0, 0, 0]),
  },
  {
    ...fine('NULs at the end of the strings', int),
    patch: (bytes, word) => {
      word(STR_LEN, word(STR_LEN) + 4);
      return Uint8Array.from([...bytes, 0, 0, 0, 0]);
    },
  },
  { ...bad('reader', 'a string section without its NUL', int), patch: bytes => void bytes.fill(0x61, -1) },
  { ...bad('reader', 'types at an odd offset', int), patch: (_, word) => void word(TYPE_OFF, 1) },
  {
    ...bad('reader', 'types that overlap the strings', int),
    patch: (_, word) => void word(TYPE_LEN, word(TYPE_LEN) + 4),
  },
  { ...bad('reader', 'a gap before the strings', int), patch: (_, word) => void word(STR_OFF, word(STR_OFF) + 1) },
  {
    ...fine('a header of 28 bytes, the last four 0', int),
    patch: (bytes, word) => {
      word(4, 28);
      return Uint8Array.from([...bytes.subarray(0, 24), 0, 0, 0, 0, ...bytes.subarray(24)]);
    },
  },
  {
    ...bad('reader', 'a header of 28 bytes, the last four not 0', int),
    patch: (bytes, word) => {
      word(4, 28);
      return Uint8Array.from([...bytes.subarray(0, 24), 0, 1, 0, 0, ...bytes.subarray(24)]);
    },
  },
  {
    ...fine('a header of 32 bytes, the last eight 0', int),
    patch: (bytes, word) => {
      word(4, 32);
      return Uint8Array.from([...bytes.subarray(0, 24), ...new Uint8Array(8), ...bytes.subarray(24)]);
    },
  },
  {
    ...bad('header-length', 'a section that describes kinds', int),
    patch: (bytes, word) => {
      const types = word(TYPE_LEN);
      word(4, 32);
      word(STR_OFF, types + 4);
      const head = Uint8Array.from([...bytes.subarray(0, 24), ...new Uint8Array(8)]);
      const view = new DataView(head.buffer);
      const little = bytes[0] === 0x9f;
      view.setUint32(24, types, little);
      view.setUint32(28, 4, little);
      return Uint8Array.from([...head, ...bytes.subarray(24, 24 + types), 0, 0, 0, 0, ...bytes.subarray(24 + types)]);
    },
  },
  {
    ...bad('strings-last', 'strings before the types', b => {
      // A multiple of four bytes with the first NUL: 1 + 3.
      b.int('in', 4);
    }),
    patch: (bytes, word) => {
      const types = word(TYPE_LEN);
      const strings = word(STR_LEN);
      if (strings % 4 !== 0) word(STR_LEN, Math.ceil(strings / 4) * 4);
      const length = word(STR_LEN);
      word(STR_OFF, 0);
      word(TYPE_OFF, length);
      const padded = new Uint8Array(length);
      padded.set(bytes.subarray(24 + types));
      return Uint8Array.from([...bytes.subarray(0, 24), ...padded, ...bytes.subarray(24, 24 + types)]);
    },
  },
  bad('reader', 'a record that is cut off', b => b.record(kinds.KIND_STRUCT, 's', { vlen: 2 }, 0, 0)),
  bad('reader', 'kind 0', b => b.record(0, '', {}, 0)),
  bad('reader', 'kind 20', b => b.record(20, '', {}, 0)),
  bad('reader', 'a name outside the strings', b => b.record(kinds.KIND_FWD, 0xfffff0, {}, 0)),
  { ...bad('info-bits', 'a bit of info that is not used', int), patch: (_, word) => void word(28, word(28) | 0x10000) },
  bad('reader', 'kind 33, one bit more than before 7.2', b => b.record(33, '', {}, 0)),
  bad('info-bits', 'a vlen of 17 bits', b =>
    b.enum(
      'many',
      4,
      Array.from({ length: 65_536 }, () => ({ name: 'V', value: 0n })),
    ),
  ),
  described('a section that describes every kind'),
  described('a section that describes kinds, before the types', reordered([1, 0, 2])),
  described('a section that describes kinds, behind the strings', reordered([0, 2, 1], 3)),
  described('a section that describes kinds, behind strings of an odd length', reordered([0, 2, 1], 2)),
  described('a section that describes kinds, of half an entry', (_, word) => {
    word(LAYOUT_LEN, word(LAYOUT_LEN) - 2);
    word(STR_OFF, word(STR_OFF) - 2);
    word(STR_LEN, word(STR_LEN) + 2);
  }),
  described('a section of no entry that describes kinds, somewhere', (_, word) => {
    const length = word(LAYOUT_LEN);
    word(LAYOUT_LEN, 0);
    word(STR_OFF, word(STR_OFF) - length);
    word(STR_LEN, word(STR_LEN) + length);
  }),
  described(
    'a section that describes kinds and overlaps the types',
    (_, word) => {
      word(LAYOUT_OFF, word(LAYOUT_OFF) - 4);
      word(LAYOUT_LEN, word(LAYOUT_LEN) + 4);
    },
    'reader',
  ),
  described(
    'a gap before the section that describes kinds',
    (_, word) => {
      word(LAYOUT_OFF, word(LAYOUT_OFF) + 4);
      word(LAYOUT_LEN, word(LAYOUT_LEN) - 4);
    },
    'reader',
  ),
  described('a header of 36 bytes that describes kinds, the last four 0', (bytes, word) => {
    word(4, 36);
    return Uint8Array.from([...bytes.subarray(0, 32), 0, 0, 0, 0, ...bytes.subarray(32)]);
  }),
  described(
    'a header of 36 bytes that describes kinds, the last four not 0',
    (bytes, word) => {
      word(4, 36);
      return Uint8Array.from([...bytes.subarray(0, 32), 0, 1, 0, 0, ...bytes.subarray(32)]);
    },
    'reader',
  ),
  {
    ...described('strings before the types under a header of 32 bytes', (bytes, word) => {
      const [types, strings] = [word(TYPE_LEN), word(STR_LEN)];
      const padded = new Uint8Array(Math.ceil(strings / 4) * 4);
      padded.set(bytes.subarray(24 + types));
      word(4, 32);
      word(TYPE_OFF, padded.length);
      word(STR_OFF, 0);
      word(STR_LEN, padded.length);
      return Uint8Array.from([
        ...bytes.subarray(0, 24),
        ...new Uint8Array(8),
        ...padded,
        ...bytes.subarray(24, 24 + types),
      ]);
    }),
    rule: 'strings-last',
    options: {},
  },
];
