import type { Btf } from './btf.js';
import {
  infoKind,
  infoKindFlag,
  infoVlen,
  KIND_ARRAY,
  KIND_CONST,
  KIND_DATASEC,
  KIND_DECL_TAG,
  KIND_ENUM,
  KIND_ENUM64,
  KIND_FLOAT,
  KIND_FUNC,
  KIND_FUNC_PROTO,
  KIND_FWD,
  KIND_INT,
  KIND_PTR,
  KIND_RESTRICT,
  KIND_SHAPES,
  KIND_STRUCT,
  KIND_TYPE_TAG,
  KIND_TYPEDEF,
  KIND_UNION,
  KIND_VAR,
  KIND_VOLATILE,
} from './kinds.js';

/** Characters that a chunk has at least before it is handed out. */
const CHUNK = 16 * 1024;

/** One type as it is printed: where its head stands in `words`, and how to read names. */
interface Printed {
  readonly btf: Btf;
  readonly words: Uint32Array;
  readonly at: number;
  readonly vlen: number;
  readonly flag: boolean;
  readonly name: (offset: number) => string;
}

/**
 * The own types of a BTF as `bpftool btf dump file X format raw` prints them (compared with bpftool 7.1), in chunks of
 * some KB. Characters are bytes: write them as latin1. Prints whatever {@link Btf.decode} accepts.
 */
export function* formatRaw(btf: Btf): Generator<string> {
  const { words, starts, count, firstId } = btf;
  const name = nameReader(btf);
  let chunk = '';
  for (let i = 0; i < count; i++) {
    const at = starts[i];
    const info = words[at + 1];
    const kind = infoKind(info);
    const type = { btf, words, at, vlen: infoVlen(info), flag: infoKindFlag(info), name };
    chunk += `[${firstId + i}] ${KIND_SHAPES[kind].name} ${name(words[at])}${AFTER_NAME[kind](type)}\n`;
    if (chunk.length < CHUNK) continue;
    yield chunk;
    chunk = '';
  }
  if (chunk !== '') yield chunk;
}

/** Offset 0 has no name; another offset of an empty string has an empty one. */
function nameReader(btf: Btf): (offset: number) => string {
  const { strings, stringBase, base } = btf;
  // Slices of one string are cheaper than a conversion each.
  const text = Buffer.from(strings.buffer, strings.byteOffset, strings.byteLength).toString('latin1');
  const inherited = base === undefined ? undefined : nameReader(base);
  return offset => {
    if (offset === 0) return "'(anon)'";
    if (inherited !== undefined && offset < stringBase) return inherited(offset);
    const start = offset - stringBase;
    return `'${text.slice(start, text.indexOf('\0', start))}'`;
  };
}

const UNKNOWN = '(unknown)';
const LINKAGE_OF_VAR = ['static', 'global', 'extern'];
const LINKAGE_OF_FUNC = ['static', 'global', 'extern'];
/** BTF_INT_SIGNED, BTF_INT_CHAR, BTF_INT_BOOL; bpftool has no word for combinations. */
const INT_ENCODINGS: Readonly<Record<number, string>> = { 0: '(none)', 1: 'SIGNED', 2: 'CHAR', 4: 'BOOL' };

const typeId = ({ words, at }: Printed): string => ` type_id=${words[at + 2]}`;
const size = ({ words, at }: Printed): string => ` size=${words[at + 2]}`;

function int(type: Printed): string {
  const data = type.words[type.at + 3];
  const encoding = INT_ENCODINGS[(data >>> 24) & 0xf] ?? 'UNKN';
  return `${size(type)} bits_offset=${(data >>> 16) & 0xff} nr_bits=${data & 0xff} encoding=${encoding}`;
}

function array({ words, at }: Printed): string {
  return ` type_id=${words[at + 3]} index_type_id=${words[at + 4]} nr_elems=${words[at + 5]}`;
}

function composite(type: Printed): string {
  const { words, at, vlen, flag, name } = type;
  let text = `${size(type)} vlen=${vlen}`;
  for (let member = at + 3; member < at + 3 + vlen * 3; member += 3) {
    const offset = words[member + 2];
    // With kind_flag the upper eight bits are the width of a bit field, in bits.
    const bits = flag ? offset >>> 24 : 0;
    text += `\n\t${name(words[member])} type_id=${words[member + 1]} bits_offset=${flag ? offset & 0xffffff : offset}`;
    if (bits !== 0) text += ` bitfield_size=${bits}`;
  }
  return text;
}

const signedness = ({ flag }: Printed): string => ` encoding=${flag ? 'SIGNED' : 'UNSIGNED'}`;

function enumeration(type: Printed): string {
  const { words, at, vlen, flag, name } = type;
  let text = `${signedness(type)}${size(type)} vlen=${vlen}`;
  for (let value = at + 3; value < at + 3 + vlen * 2; value += 2) {
    text += `\n\t${name(words[value])} val=${flag ? words[value + 1] | 0 : words[value + 1]}`;
  }
  return text;
}

function enumeration64(type: Printed): string {
  const { words, at, vlen, flag, name } = type;
  let text = `${signedness(type)}${size(type)} vlen=${vlen}`;
  for (let value = at + 3; value < at + 3 + vlen * 3; value += 3) {
    const bits = (BigInt(words[value + 2]) << 32n) | BigInt(words[value + 1]);
    text += `\n\t${name(words[value])} val=${flag ? `${BigInt.asIntN(64, bits)}LL` : `${bits}ULL`}`;
  }
  return text;
}

function funcProto({ words, at, vlen, name }: Printed): string {
  let text = ` ret_type_id=${words[at + 2]} vlen=${vlen}`;
  for (let parameter = at + 3; parameter < at + 3 + vlen * 2; parameter += 2) {
    text += `\n\t${name(words[parameter])} type_id=${words[parameter + 1]}`;
  }
  return text;
}

function datasec(type: Printed): string {
  const { btf, words, at, vlen, name } = type;
  let text = `${size(type)} vlen=${vlen}`;
  for (let entry = at + 3; entry < at + 3 + vlen * 3; entry += 3) {
    const id = words[entry];
    text += `\n\ttype_id=${id} offset=${words[entry + 1]} size=${words[entry + 2]}`;
    const kind = id === 0 ? 0 : btf.kind(id);
    text += ` (${KIND_SHAPES[kind].name} ${name(id === 0 ? 0 : btf.nameOffset(id))})`;
  }
  return text;
}

/** Index: the kind. What follows the name. */
const AFTER_NAME: ((type: Printed) => string)[] = [];
AFTER_NAME[KIND_INT] = int;
AFTER_NAME[KIND_PTR] = typeId;
AFTER_NAME[KIND_ARRAY] = array;
AFTER_NAME[KIND_STRUCT] = composite;
AFTER_NAME[KIND_UNION] = composite;
AFTER_NAME[KIND_ENUM] = enumeration;
AFTER_NAME[KIND_FWD] = ({ flag }) => ` fwd_kind=${flag ? 'union' : 'struct'}`;
AFTER_NAME[KIND_TYPEDEF] = typeId;
AFTER_NAME[KIND_VOLATILE] = typeId;
AFTER_NAME[KIND_CONST] = typeId;
AFTER_NAME[KIND_RESTRICT] = typeId;
AFTER_NAME[KIND_FUNC] = type => `${typeId(type)} linkage=${LINKAGE_OF_FUNC[type.vlen] ?? UNKNOWN}`;
AFTER_NAME[KIND_FUNC_PROTO] = funcProto;
AFTER_NAME[KIND_VAR] = type => `${typeId(type)}, linkage=${LINKAGE_OF_VAR[type.words[type.at + 3]] ?? UNKNOWN}`;
AFTER_NAME[KIND_DATASEC] = datasec;
AFTER_NAME[KIND_FLOAT] = size;
AFTER_NAME[KIND_DECL_TAG] = type => `${typeId(type)} component_idx=${type.words[type.at + 3] | 0}`;
AFTER_NAME[KIND_TYPE_TAG] = typeId;
AFTER_NAME[KIND_ENUM64] = enumeration64;
