import { KIND_SHAPES } from '../../plugin/btf/kinds.js';
import { Numbers } from './field.js';
import { join } from './join.js';
import type { Random } from './random.js';

/** A bare BTF in pieces that can be put together again with a header that tells the truth. */
interface Pieces {
  readonly numbers: Numbers;
  readonly header: Uint8Array;
  /** One a type. */
  records: Uint8Array[];
  readonly layout: Uint8Array;
  strings: Uint8Array;
}

/** Undefined when an earlier mutation left no whole records. */
function takeApart(bytes: Uint8Array): Pieces | undefined {
  if (bytes.length < 24) return undefined;
  const numbers = new Numbers(bytes, bytes[0] === 0x9f ? 'little' : 'big');
  const length = numbers.at(4, 4);
  if ((length !== 24 && length !== 32) || bytes.length < length) return undefined;
  const cut = (at: number): Uint8Array =>
    bytes.subarray(length + numbers.at(at, 4), length + numbers.at(at, 4) + numbers.at(at + 4, 4));
  const types = cut(8);
  const records: Uint8Array[] = [];
  const start = types.byteOffset - bytes.byteOffset;
  for (let at = 0; at + 12 <= types.length; ) {
    const info = numbers.at(start + at + 4, 4);
    const shape = KIND_SHAPES[(info >>> 24) & 0x7f];
    if (shape === undefined) return undefined;
    const size = 12 + 4 * (shape.fixed.length + shape.element.length * (info & 0xff_ffff));
    records.push(types.slice(at, at + size));
    at += size;
  }
  return {
    numbers,
    header: bytes.slice(0, length),
    records,
    layout: length === 32 ? cut(24) : new Uint8Array(0),
    strings: cut(16),
  };
}

function putTogether({ numbers, header, records, layout, strings }: Pieces): Uint8Array {
  const types = records.reduce((sum, { length }) => sum + length, 0);
  const view = new DataView(header.buffer);
  const put = (at: number, value: number): void => view.setUint32(at, value, numbers.order === 'little');
  put(8, 0);
  put(12, types);
  put(16, types + layout.length);
  put(20, strings.length);
  if (header.length === 32) {
    put(24, types);
    put(28, layout.length);
  }
  return join(header, ...records, layout, strings);
}

/** Names with a meaning of their own, and names that no producer makes. */
const NAMES = [
  '',
  '_',
  '___',
  'a___b',
  'a___',
  '___a',
  'list_head___x',
  'btf_trace_x',
  '__bpf_trace_x',
  'bpf_struct_ops_sock',
  'bpf_struct_ops_',
  'module',
  'name',
  'cfi_stubs',
  'bpf_iter_x',
  'bpf_lsm_x',
  'x__safe_rcu',
  '__proto__',
  '\xff\xfe\n\t',
  'n'.repeat(511),
  'n'.repeat(1023),
  'n'.repeat(1024),
  'n'.repeat(5000),
];

/** Drops, doubles, moves or empties types, or adds a name and gives it to some; the header stays true. */
export function rebuildBtf(bytes: Uint8Array, random: Random): Uint8Array {
  const pieces = takeApart(bytes);
  if (pieces === undefined || pieces.records.length === 0) return bytes;
  const { records, numbers } = pieces;
  const at = random.below(records.length);
  const run = 1 + random.below(random.oneIn(3) ? records.length : 4);
  switch (random.below(5)) {
    case 0:
      records.splice(at, run);
      break;
    case 1:
      records.splice(random.below(records.length + 1), 0, ...records.slice(at, at + run).map(record => record.slice()));
      break;
    case 2:
      records.splice(random.below(records.length), 0, ...records.splice(at, run));
      break;
    case 3:
      setVlen(records, at, numbers, random);
      break;
    default:
      addName(pieces, at, run, random);
  }
  return putTogether(pieces);
}

/** Another vlen, with as many elements. */
function setVlen(records: Uint8Array[], at: number, numbers: Numbers, random: Random): void {
  const record = records[at];
  const view = new DataView(record.buffer, record.byteOffset, record.length);
  const little = numbers.order === 'little';
  const info = view.getUint32(4, little);
  const { fixed, element } = KIND_SHAPES[(info >>> 24) & 0x7f];
  const vlen = random.pick([0, 1, 2, 300, 3000]);
  const before = 12 + 4 * fixed.length;
  const changed = new Uint8Array(before + 4 * element.length * vlen);
  const elements = record.subarray(before);
  changed.set(record.subarray(0, before));
  for (let to = before; to < changed.length && elements.length > 0; to += elements.length)
    changed.set(elements.subarray(0, changed.length - to), to);
  new DataView(changed.buffer).setUint32(4, ((info & 0xff00_0000) | vlen) >>> 0, little);
  records[at] = changed;
}

function addName(pieces: Pieces, at: number, run: number, random: Random): void {
  const { numbers, records, strings } = pieces;
  const name = Buffer.from(`${random.pick(NAMES)}\0`, 'latin1');
  pieces.strings = join(strings, name);
  for (const record of records.slice(at, at + run))
    new DataView(record.buffer, record.byteOffset).setUint32(
      0,
      strings.length + random.below(random.oneIn(2) ? 1 : name.length),
      numbers.order === 'little',
    );
}
