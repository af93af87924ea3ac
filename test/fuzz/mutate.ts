import type { Field } from './field.js';
import { join } from './join.js';
import { rebuildBtf } from './mutate-btf.js';
import type { Random } from './random.js';
import { type Groups, groupsOf, isText, type Seed } from './seed.js';

/** Longer inputs say nothing new and cost time. Bytes. */
const LONGEST = 256 * 1024;

/**
 * Changes one of the parts, which are copies of those of `seed`; `pool`: the seeds of the same target. Structural mutations
 * know the fields of the seed, blind ones know nothing.
 */
export function mutate(parts: Uint8Array[], seed: Seed, pool: readonly Seed[], random: Random): void {
  const i = random.below(parts.length);
  parts[i] = mutatePart(
    parts[i],
    seed.parts[i],
    pool.map(other => other.parts[i] ?? other.parts[0]),
    random,
  ).subarray(0, LONGEST);
}

function mutatePart(bytes: Uint8Array, original: Uint8Array, pool: readonly Uint8Array[], random: Random): Uint8Array {
  const groups = groupsOf(original);
  if (isText(original) && !random.oneIn(3)) return changeText(bytes, random);
  if (groups.size > 0 && !random.oneIn(3)) {
    if (groups.has('btf-header') && !groups.has('ehdr') && random.oneIn(4)) return rebuildBtf(bytes, random);
    return random.pick(STRUCTURAL)(bytes, groups, random);
  }
  return random.pick(BLIND)(bytes, random.pick(pool), random);
}

/** Writes the low bits of a value; false when a mutation before this one made the part too short. */
function write(bytes: Uint8Array, { at, width, order }: Field, value: bigint): boolean {
  if (at + width > bytes.length) return false;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const little = order === 'little';
  if (width === 1) view.setUint8(at, Number(value & 0xffn));
  else if (width === 2) view.setUint16(at, Number(value & 0xffffn), little);
  else if (width === 4) view.setUint32(at, Number(value & 0xffff_ffffn), little);
  else view.setBigUint64(at, BigInt.asUintN(64, value), little);
  return true;
}

function read(bytes: Uint8Array, { at, width, order }: Field): bigint {
  if (at + width > bytes.length) return 0n;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const little = order === 'little';
  if (width === 1) return BigInt(view.getUint8(at));
  if (width === 2) return BigInt(view.getUint16(at, little));
  return width === 4 ? BigInt(view.getUint32(at, little)) : view.getBigUint64(at, little);
}

const EXTREMES = [
  0n,
  1n,
  2n,
  3n,
  4n,
  7n,
  8n,
  15n,
  16n,
  31n,
  32n,
  64n,
  127n,
  128n,
  255n,
  256n,
  0x7fffn,
  0x8000n,
  0xfeffn,
  0xff00n,
  0xfff1n,
  0xffffn,
  0x1_0000n,
  0xff_ffffn,
  0x100_0000n,
  0x7fff_fffcn,
  0x7fff_ffffn,
  0x8000_0000n,
  0xffff_fff0n,
  0xffff_fffcn,
  0xffff_ffffn,
  0x1_0000_0000n,
  (1n << 53n) - 1n,
  1n << 53n,
  (1n << 63n) - 1n,
  1n << 63n,
  (1n << 64n) - 8n,
  (1n << 64n) - 1n,
];

/** A value that a reader may have forgotten, for a field that holds `old` in a file of `size` bytes. */
function lie(old: bigint, size: number, random: Random): bigint {
  const near = BigInt(random.below(9) - 4);
  switch (random.below(7)) {
    case 0:
      return random.pick(EXTREMES);
    case 1:
      return old + near;
    case 2:
      return BigInt(size) + near;
    case 3:
      return BigInt(random.below(size));
    case 4:
      return old ^ (1n << BigInt(random.below(64)));
    case 5:
      return random.oneIn(2) ? old * 2n + near : old / 2n;
    default:
      return (BigInt(random.next()) << 32n) | BigInt(random.next());
  }
}

type Structural = (bytes: Uint8Array, groups: Groups, random: Random) => Uint8Array;

const pickGroup = (groups: Groups, random: Random): readonly Field[] => random.pick([...groups.values()]);

const lieOnce: Structural = (bytes, groups, random) => {
  const field = random.pick(pickGroup(groups, random));
  write(bytes, field, lie(read(bytes, field), bytes.length, random));
  return bytes;
};

/** Two sections at one place, a symbol of another's size, a reference to another's type. */
const copyField: Structural = (bytes, groups, random) => {
  const fields = pickGroup(groups, random);
  const from = random.pick(fields);
  write(bytes, random.pick(fields.filter(({ width }) => width === from.width)), read(bytes, from));
  return bytes;
};

const swapFields: Structural = (bytes, groups, random) => {
  const fields = pickGroup(groups, random);
  const one = random.pick(fields);
  const other = random.pick(fields);
  const kept = read(bytes, one);
  write(bytes, one, read(bytes, other));
  write(bytes, other, kept);
  return bytes;
};

/** Many fields of one group with one value: all names the same, all sections at one offset, all types one type. */
const flood: Structural = (bytes, groups, random) => {
  const fields = pickGroup(groups, random);
  const from = random.pick(fields);
  const value = random.oneIn(2) ? read(bytes, from) : lie(read(bytes, from), bytes.length, random);
  const step = 1 + random.below(4);
  for (let i = random.below(step); i < fields.length; i += step)
    if (fields[i].width === from.width) write(bytes, fields[i], value);
  return bytes;
};

/** References that lead back to their own type, or that go round between neighbours. */
const cycle: Structural = (bytes, groups, random) => {
  const references = groups.get('btf-type');
  if (references === undefined) return lieOnce(bytes, groups, random);
  const start = random.below(references.length);
  const reach = random.below(3);
  for (let i = start; i < Math.min(start + 1 + random.below(6), references.length); i++)
    write(bytes, references[i], BigInt((references[i].self ?? 1) + random.below(2 * reach + 1) - reach));
  return bytes;
};

/** Kind, vlen and kind flag of a type. */
const changeInfo: Structural = (bytes, groups, random) => {
  const infos = groups.get('btf-info');
  if (infos === undefined) return lieOnce(bytes, groups, random);
  const field = random.pick(infos);
  const old = Number(read(bytes, field));
  const vlen = old & 0xff_ffff;
  const changed = [
    (old & ~0x1f00_0000) | (random.below(24) << 24),
    (old & ~0xff_ffff) | random.pick([0, 1, vlen + 1, vlen - 1, 0xff, 0xffff, 0x1_0000, 0xff_ffff]),
    old ^ 0x8000_0000,
    (old & 0xff_ffff) | (random.below(256) << 24),
  ];
  write(bytes, field, BigInt(random.pick(changed) >>> 0));
  return bytes;
};

const STRUCTURAL: readonly Structural[] = [lieOnce, lieOnce, lieOnce, copyField, swapFields, flood, cycle, changeInfo];

/** `other`: the same part of another seed. */
type Blind = (bytes: Uint8Array, other: Uint8Array, random: Random) => Uint8Array;

const range = (bytes: Uint8Array, longest: number, random: Random): [start: number, end: number] => {
  const start = random.below(bytes.length);
  return [start, Math.min(start + 1 + random.below(longest), bytes.length)];
};

const BLIND: readonly Blind[] = [
  function truncate(bytes, _, random) {
    return bytes.subarray(
      0,
      random.oneIn(2) ? random.below(bytes.length) : Math.max(0, bytes.length - random.below(9)),
    );
  },
  function extend(bytes, _, random) {
    const longer = new Uint8Array(bytes.length + 1 + random.below(random.oneIn(4) ? 4096 : 16));
    if (random.oneIn(2)) longer.fill(random.below(256));
    longer.set(bytes);
    return longer;
  },
  function flipBits(bytes, _, random) {
    for (let n = 1 + random.below(random.oneIn(4) ? 32 : 2); n > 0; n--)
      bytes[random.below(bytes.length)] ^= 1 << random.below(8);
    return bytes;
  },
  function setBytes(bytes, _, random) {
    const [start, end] = range(bytes, random.oneIn(3) ? 256 : 4, random);
    return bytes.fill(random.pick([0, 0xff, 0x7f, 0x80, 0x41]), start, end);
  },
  function swapWords(bytes, _, random) {
    const [one, other] = [random.below(bytes.length >> 2) * 4, random.below(bytes.length >> 2) * 4];
    const kept = bytes.slice(one, one + 4);
    bytes.copyWithin(one, other, other + 4);
    if (other + kept.length <= bytes.length) bytes.set(kept, other);
    return bytes;
  },
  function copyBlock(bytes, _, random) {
    const [start, end] = range(bytes, 512, random);
    return bytes.copyWithin(random.below(bytes.length), start, end);
  },
  function insertBlock(bytes, _, random) {
    const [start, end] = range(bytes, 256, random);
    const at = random.below(bytes.length + 1);
    return join(bytes.subarray(0, at), bytes.subarray(start, end), bytes.subarray(at));
  },
  function deleteBlock(bytes, _, random) {
    const [start, end] = range(bytes, 256, random);
    return join(bytes.subarray(0, start), bytes.subarray(end));
  },
  function splice(bytes, other, random) {
    const at = random.below(bytes.length);
    return join(bytes.subarray(0, at), other.subarray(random.oneIn(2) ? at : random.below(other.length)));
  },
];

const TOKENS = [
  '',
  '0',
  '-1',
  '1',
  '2147483648',
  '4294967295',
  '4294967296',
  '9007199254740993',
  '1e999',
  '0x1',
  'null',
  'true',
  '[]',
  '{}',
  '""',
  '"\\u0000"',
  '__proto__',
  'constructor',
  'struct:',
  ':',
  'struct:list_head',
  'kind0:a',
  'void:x',
  'func:*',
  '../../../etc/passwd',
  'x'.repeat(3000),
  '\xff\xfe',
  '\u202e',
  '#',
  '\n',
  '\r\n',
  '\0',
];

/** Replaces, drops or doubles a word of a text. */
function changeText(bytes: Uint8Array, random: Random): Uint8Array {
  const text = Buffer.from(bytes).toString('latin1');
  const words = [...text.matchAll(/[\w.-]+|"[^"]*"|[^\s\w]/g)];
  if (words.length === 0) return Buffer.from(random.pick(TOKENS), 'latin1');
  const { 0: word, index } = random.pick(words);
  const changed = random.oneIn(3) ? random.pick(words)[0] : random.oneIn(4) ? `${word}\n${word}` : random.pick(TOKENS);
  return Buffer.from(text.slice(0, index) + changed + text.slice(index + word.length), 'latin1');
}
