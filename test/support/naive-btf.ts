import * as kinds from '../../plugin/btf/kinds.js';

/** A type as a plain object. Two types are equal when all of this is, ids mapped. */
export interface NaiveType {
  readonly kind: number;
  readonly flag: boolean;
  readonly vlen: number;
  readonly name: string;
  /** Type ids, in the order of the record. */
  readonly refs: readonly number[];
  /** Names of members, values or parameters. */
  readonly names: readonly string[];
  /** Every other word but the head's. */
  readonly plain: readonly number[];
}

export interface NaiveBtf {
  readonly little: boolean;
  readonly flags: number;
  readonly headerLength: number;
  readonly firstId: number;
  readonly types: readonly NaiveType[];
  /** Where names stand, in the order of the file; offsets count from the base's first string. */
  readonly nameOffsets: readonly number[];
  /** Own string section, and where it starts. */
  readonly strings: Uint8Array;
  readonly stringBase: number;
  readonly layout: Uint8Array;
  readonly base: NaiveBtf | undefined;
}

/**
 * Reads BTF for tests, kind by kind as Documentation/bpf/btf.rst has it; shares nothing with the decoder but the
 * numbers of the kinds. Throws a plain Error for what it cannot read, also when a name or an id dangles.
 */
export function naiveParse(bytes: Uint8Array, base?: NaiveBtf): NaiveBtf {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const little = view.getUint16(0, true) === 0xeb9f;
  const u32 = (at: number): number => view.getUint32(at, little);
  if (!little && view.getUint16(0, false) !== 0xeb9f) throw new Error('no magic');
  const headerLength = u32(4);
  const section = (offset: number): Uint8Array =>
    bytes.subarray(headerLength + u32(offset), headerLength + u32(offset) + u32(offset + 4));
  const strings = section(16);
  const layout = headerLength >= 32 ? section(24) : new Uint8Array(0);
  const stringBase = base === undefined ? 0 : base.stringBase + base.strings.length;
  const firstId = base === undefined ? 1 : base.firstId + base.types.length;
  const end = headerLength + u32(8) + u32(12);
  const types: NaiveType[] = [];
  const nameOffsets: number[] = [];

  let at = headerLength + u32(8);
  const next = (): number => {
    if (at + 4 > end) throw new Error(`type ${firstId + types.length} is cut off`);
    at += 4;
    return u32(at - 4);
  };
  const nextName = (): string => {
    const offset = next();
    nameOffsets.push(offset);
    return stringAt({ strings, stringBase, base }, offset);
  };
  while (at < end) {
    const name = nextName();
    const info = next();
    const vlen = info & 0xffffff;
    const kind = (info >>> 24) & 0x7f;
    types.push({ kind, flag: info >>> 31 === 1, vlen, name, ...readBody(kind, vlen, next, nextName) });
  }
  const endId = firstId + types.length;
  for (const type of types) for (const ref of type.refs) if (ref >= endId) throw new Error(`id ${ref} of ${endId}`);
  return { little, flags: bytes[3], headerLength, firstId, types, nameOffsets, strings, stringBase, layout, base };
}

function stringAt(btf: Pick<NaiveBtf, 'strings' | 'stringBase' | 'base'>, offset: number): string {
  if (btf.base !== undefined && offset < btf.stringBase) return stringAt(btf.base, offset);
  const start = offset - btf.stringBase;
  let text = '';
  for (let i = start; btf.strings[i] !== 0; i++) {
    if (i >= btf.strings.length) throw new Error(`string offset ${offset} dangles`);
    text += String.fromCharCode(btf.strings[i]);
  }
  return text;
}

type Body = Pick<NaiveType, 'refs' | 'names' | 'plain'>;

/** The third word of the head and what follows it. */
function readBody(kind: number, vlen: number, next: () => number, nextName: () => string): Body {
  const refs: number[] = [];
  const names: string[] = [];
  const plain: number[] = [];
  const ref = (): number => refs.push(next());
  const text = (): number => names.push(nextName());
  const value = (): number => plain.push(next());
  const times = (read: () => void): void => {
    for (let i = 0; i < vlen; i++) read();
  };
  switch (kind) {
    case kinds.KIND_INT:
      value();
      value();
      break;
    case kinds.KIND_PTR:
    case kinds.KIND_TYPEDEF:
    case kinds.KIND_VOLATILE:
    case kinds.KIND_CONST:
    case kinds.KIND_RESTRICT:
    case kinds.KIND_FUNC:
    case kinds.KIND_TYPE_TAG:
      ref();
      break;
    case kinds.KIND_ARRAY:
      value();
      ref();
      ref();
      value();
      break;
    case kinds.KIND_STRUCT:
    case kinds.KIND_UNION:
      value();
      times(() => {
        text();
        ref();
        value();
      });
      break;
    case kinds.KIND_ENUM:
      value();
      times(() => {
        text();
        value();
      });
      break;
    case kinds.KIND_ENUM64:
      value();
      times(() => {
        text();
        value();
        value();
      });
      break;
    case kinds.KIND_FWD:
    case kinds.KIND_FLOAT:
      value();
      break;
    case kinds.KIND_FUNC_PROTO:
      ref();
      times(() => {
        text();
        ref();
      });
      break;
    case kinds.KIND_VAR:
    case kinds.KIND_DECL_TAG:
      ref();
      value();
      break;
    case kinds.KIND_DATASEC:
      value();
      times(() => {
        ref();
        value();
        value();
      });
      break;
    default:
      throw new Error(`kind ${kind}`);
  }
  return { refs, names, plain };
}
