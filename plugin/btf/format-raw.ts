import type { Btf } from './btf.js';
import {
  HEAD_WORDS,
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
import { NameBudget } from './names.js';

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
 * some KB. Characters are bytes: write them as latin1. Prints whatever {@link Btf.decode}
 * accepts; throws `btf-strings` for a small file whose names would make a huge dump.
 */
export function* formatRaw(btf: Btf): Generator<string> {
  const { words, starts, count, firstId } = btf;
  const name = nameReader(btf);
  let chunk = '';
  for (let i = 0; i < count; i++) {
    const at = starts[i];
    const info = words[at + 1];
    const kind = infoKind(info);
    const shape = KIND_SHAPES[kind];
    const type = { btf, words, at, vlen: infoVlen(info), flag: infoKindFlag(info), name };
    chunk += `[${firstId + i}] ${shape.name} ${name(words[at])}${HEAD[kind](type)}`;
    const element = ELEMENT[kind];
    if (element !== undefined) {
      for (let word = at + HEAD_WORDS + shape.fixed.length; word < starts[i + 1]; word += shape.element.length) {
        chunk += `\n\t${element(type, word)}`;
        if (chunk.length < CHUNK) continue;
        yield chunk;
        chunk = '';
      }
    }
    chunk += '\n';
    if (chunk.length < CHUNK) continue;
    yield chunk;
    chunk = '';
  }
  if (chunk !== '') yield chunk;
}

/** Offset 0 has no name; another offset of an empty string has an empty one. */
function nameReader(btf: Btf, budget = new NameBudget(btf)): (offset: number) => string {
  const { strings, stringBase, base } = btf;
  // Slices of one string are cheaper than a conversion each.
  const text = Buffer.from(strings.buffer, strings.byteOffset, strings.byteLength).toString('latin1');
  const inherited = base === undefined ? undefined : nameReader(base, budget);
  return offset => {
    if (offset === 0) return "'(anon)'";
    if (inherited !== undefined && offset < stringBase) return inherited(offset);
    const start = offset - stringBase;
    const end = text.indexOf('\0', start);
    budget.spend(end - start);
    return `'${text.slice(start, end)}'`;
  };
}

/** Of FUNC and VAR. */
const LINKAGES = ['static', 'global', 'extern'];
const linkage = (value: number): string => `linkage=${LINKAGES[value] ?? '(unknown)'}`;

/** BTF_INT_SIGNED, BTF_INT_CHAR, BTF_INT_BOOL; bpftool has no word for combinations. */
const INT_ENCODINGS: Readonly<Record<number, string>> = { 0: '(none)', 1: 'SIGNED', 2: 'CHAR', 4: 'BOOL' };

const typeId = ({ words, at }: Printed): string => ` type_id=${words[at + 2]}`;
const size = ({ words, at }: Printed): string => ` size=${words[at + 2]}`;
const sizeAndVlen = (type: Printed): string => `${size(type)} vlen=${type.vlen}`;
const enumeration = (type: Printed): string =>
  ` encoding=${type.flag ? 'SIGNED' : 'UNSIGNED'}${size(type)} vlen=${type.vlen}`;

function int(type: Printed): string {
  const data = type.words[type.at + 3];
  const encoding = INT_ENCODINGS[(data >>> 24) & 0xf] ?? 'UNKN';
  return `${size(type)} bits_offset=${(data >>> 16) & 0xff} nr_bits=${data & 0xff} encoding=${encoding}`;
}

function array({ words, at }: Printed): string {
  return ` type_id=${words[at + 3]} index_type_id=${words[at + 4]} nr_elems=${words[at + 5]}`;
}

/** Index: the kind. What follows the name. */
const HEAD: ((type: Printed) => string)[] = [];
HEAD[KIND_INT] = int;
HEAD[KIND_PTR] = typeId;
HEAD[KIND_ARRAY] = array;
HEAD[KIND_STRUCT] = sizeAndVlen;
HEAD[KIND_UNION] = sizeAndVlen;
HEAD[KIND_ENUM] = enumeration;
HEAD[KIND_FWD] = ({ flag }) => ` fwd_kind=${flag ? 'union' : 'struct'}`;
HEAD[KIND_TYPEDEF] = typeId;
HEAD[KIND_VOLATILE] = typeId;
HEAD[KIND_CONST] = typeId;
HEAD[KIND_RESTRICT] = typeId;
HEAD[KIND_FUNC] = type => `${typeId(type)} ${linkage(type.vlen)}`;
HEAD[KIND_FUNC_PROTO] = ({ words, at, vlen }) => ` ret_type_id=${words[at + 2]} vlen=${vlen}`;
HEAD[KIND_VAR] = type => `${typeId(type)}, ${linkage(type.words[type.at + 3])}`;
HEAD[KIND_DATASEC] = sizeAndVlen;
HEAD[KIND_FLOAT] = size;
HEAD[KIND_DECL_TAG] = type => `${typeId(type)} component_idx=${type.words[type.at + 3] | 0}`;
HEAD[KIND_TYPE_TAG] = typeId;
HEAD[KIND_ENUM64] = enumeration;

function member({ words, flag, name }: Printed, at: number): string {
  const offset = words[at + 2];
  // With kind_flag the upper eight bits are the width of a bit field, in bits.
  const bits = flag ? offset >>> 24 : 0;
  const text = `${name(words[at])} type_id=${words[at + 1]} bits_offset=${flag ? offset & 0xffffff : offset}`;
  return bits === 0 ? text : `${text} bitfield_size=${bits}`;
}

function value({ words, flag, name }: Printed, at: number): string {
  return `${name(words[at])} val=${flag ? words[at + 1] | 0 : words[at + 1]}`;
}

function value64({ words, flag, name }: Printed, at: number): string {
  const bits = (BigInt(words[at + 2]) << 32n) | BigInt(words[at + 1]);
  return `${name(words[at])} val=${flag ? `${BigInt.asIntN(64, bits)}LL` : `${bits}ULL`}`;
}

function parameter({ words, name }: Printed, at: number): string {
  return `${name(words[at])} type_id=${words[at + 1]}`;
}

function variable({ btf, words, name }: Printed, at: number): string {
  const id = words[at];
  const what =
    id === 0 ? `${KIND_SHAPES[0].name} ${name(0)}` : `${KIND_SHAPES[btf.kind(id)].name} ${name(btf.nameOffset(id))}`;
  return `type_id=${id} offset=${words[at + 1]} size=${words[at + 2]} (${what})`;
}

/** Index: the kind. The line of one element whose words start at `at`. */
const ELEMENT: ((type: Printed, at: number) => string)[] = [];
ELEMENT[KIND_STRUCT] = member;
ELEMENT[KIND_UNION] = member;
ELEMENT[KIND_ENUM] = value;
ELEMENT[KIND_FUNC_PROTO] = parameter;
ELEMENT[KIND_DATASEC] = variable;
ELEMENT[KIND_ENUM64] = value64;
