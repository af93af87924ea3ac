import * as kinds from '../../plugin/btf/kinds.js';
import type { ByteOrder } from '../../plugin/bytes/endian.js';
import { ByteWriter } from '../../plugin/bytes/writer.js';

export interface BuildOptions {
  readonly order?: ByteOrder;
  /** hdr_len in bytes; 32 adds a layout section that describes each kind. */
  readonly header?: 24 | 32;
  /** What a split BTF counts on from: add nothing to it afterwards. */
  readonly base?: BtfBuilder;
  /** The same for a base that was not built here: one past its last id and its last string offset. */
  readonly onto?: { readonly endId: number; readonly stringEnd: number };
}

export interface Member {
  readonly name: string;
  readonly type: number;
  /** From the start of the struct, in bits. */
  readonly bits: number;
  /** Width of a bit field in bits; for structs with the kind flag. */
  readonly width?: number;
}

export interface Value {
  readonly name: string;
  readonly value: bigint;
}

export interface Variable {
  readonly type: number;
  readonly offset: number;
  readonly size: number;
}

export interface Parameter {
  readonly name: string;
  readonly type: number;
}

/**
 * Writes BTF for tests, field by field as Documentation/bpf/btf.rst has it, and checks nothing: a test may lie. It
 * shares no code with the decoder but the numbers of the kinds. Every method that adds a type returns its id.
 */
export class BtfBuilder {
  readonly order: ByteOrder;
  readonly #header: 24 | 32;
  readonly #types: ByteWriter;
  readonly #strings: ByteWriter;
  readonly #offsets: Map<string, number>;
  readonly #stringBase: number;
  #nextId: number;

  constructor(options: BuildOptions = {}) {
    const { base, onto } = options;
    this.order = options.order ?? base?.order ?? 'little';
    this.#header = options.header ?? 24;
    this.#types = new ByteWriter(this.order);
    this.#strings = new ByteWriter(this.order);
    this.#offsets = new Map(base === undefined ? [] : base.#offsets);
    this.#stringBase = base === undefined ? (onto?.stringEnd ?? 0) : base.#stringBase + base.#strings.length;
    this.#nextId = base === undefined ? (onto?.endId ?? 1) : base.#nextId;
    if (onto !== undefined) this.#offsets.set('', 0);
    else if (base === undefined) this.string('');
  }

  /** One past the last id. */
  get endId(): number {
    return this.#nextId;
  }

  /** Offset of a name, shared with earlier uses. Characters are bytes. */
  string(text: string): number {
    return this.#offsets.get(text) ?? this.ownString(text);
  }

  /** Offset of a name that is written again, as producers do that do not share strings. */
  ownString(text: string): number {
    const offset = this.#stringBase + this.#strings.length;
    this.#strings.bytes(Buffer.from(text, 'latin1')).u8(0);
    this.#offsets.set(text, offset);
    return offset;
  }

  /** Any record: `struct btf_type` and the words after it. A name may be a string offset. */
  record(
    kind: number,
    name: string | number,
    { vlen = 0, flag = false },
    sizeOrType: number,
    ...rest: readonly number[]
  ): number {
    return this.#record(kind, name, { vlen, flag }, sizeOrType, rest);
  }

  #record(
    kind: number,
    name: string | number,
    { vlen = 0, flag = false },
    sizeOrType: number,
    rest: readonly number[],
  ): number {
    this.#types.u32(typeof name === 'string' ? this.string(name) : name);
    this.#types.u32(((flag ? 0x80000000 : 0) | (kind << 24) | vlen) >>> 0).u32(sizeOrType >>> 0);
    for (const word of rest) this.#types.u32(word >>> 0);
    return this.#nextId++;
  }

  /** `size` in bytes, `bits` and `offset` in bits; encoding: 1 signed, 2 char, 4 bool. */
  int(name: string, size: number, { encoding = 0, offset = 0, bits = size * 8 } = {}): number {
    return this.record(kinds.KIND_INT, name, {}, size, (encoding << 24) | (offset << 16) | bits);
  }

  ptr(type: number): number {
    return this.record(kinds.KIND_PTR, '', {}, type);
  }

  array(type: number, index: number, length: number): number {
    return this.record(kinds.KIND_ARRAY, '', {}, 0, type, index, length);
  }

  struct(name: string, size: number, members: readonly Member[], flag = false): number {
    return this.#composite(kinds.KIND_STRUCT, name, size, members, flag);
  }

  union(name: string, size: number, members: readonly Member[], flag = false): number {
    return this.#composite(kinds.KIND_UNION, name, size, members, flag);
  }

  #composite(kind: number, name: string, size: number, members: readonly Member[], flag: boolean): number {
    const words = members.flatMap(({ name, type, bits, width = 0 }) => [
      this.string(name),
      type,
      flag ? (width << 24) | bits : bits,
    ]);
    return this.record(kind, name, { vlen: members.length, flag }, size, ...words);
  }

  enum(name: string, size: number, values: readonly Value[], signed = false): number {
    const words = values.flatMap(({ name, value }) => [this.string(name), Number(BigInt.asUintN(32, value))]);
    return this.#record(kinds.KIND_ENUM, name, { vlen: values.length, flag: signed }, size, words);
  }

  enum64(name: string, size: number, values: readonly Value[], signed = false): number {
    const words = values.flatMap(({ name, value }) => [
      this.string(name),
      Number(BigInt.asUintN(32, value)),
      Number(BigInt.asUintN(32, value >> 32n)),
    ]);
    return this.record(kinds.KIND_ENUM64, name, { vlen: values.length, flag: signed }, size, ...words);
  }

  fwd(name: string, union = false): number {
    return this.record(kinds.KIND_FWD, name, { flag: union }, 0);
  }

  typedef(name: string, type: number): number {
    return this.record(kinds.KIND_TYPEDEF, name, {}, type);
  }

  volatile(type: number): number {
    return this.record(kinds.KIND_VOLATILE, '', {}, type);
  }

  const(type: number): number {
    return this.record(kinds.KIND_CONST, '', {}, type);
  }

  restrict(type: number): number {
    return this.record(kinds.KIND_RESTRICT, '', {}, type);
  }

  /** linkage: 0 static, 1 global, 2 extern. */
  func(name: string, proto: number, linkage = 0): number {
    return this.record(kinds.KIND_FUNC, name, { vlen: linkage }, proto);
  }

  funcProto(returns: number, parameters: readonly Parameter[]): number {
    const words = parameters.flatMap(({ name, type }) => [this.string(name), type]);
    return this.record(kinds.KIND_FUNC_PROTO, '', { vlen: parameters.length }, returns, ...words);
  }

  /** linkage: 0 static, 1 global, 2 extern. */
  var(name: string, type: number, linkage = 0): number {
    return this.record(kinds.KIND_VAR, name, {}, type, linkage);
  }

  datasec(name: string, size: number, variables: readonly Variable[]): number {
    const words = variables.flatMap(({ type, offset, size }) => [type, offset, size]);
    return this.record(kinds.KIND_DATASEC, name, { vlen: variables.length }, size, ...words);
  }

  float(name: string, size: number): number {
    return this.record(kinds.KIND_FLOAT, name, {}, size);
  }

  /** component: index of a member or parameter, or -1 for the whole. */
  declTag(name: string, type: number, component = -1): number {
    return this.record(kinds.KIND_DECL_TAG, name, {}, type, component);
  }

  typeTag(name: string, type: number): number {
    return this.record(kinds.KIND_TYPE_TAG, name, {}, type);
  }

  /** The bytes so far: header, types, layout (with a 32-byte header), strings. */
  build(): Uint8Array {
    const layout = this.#header === 32 ? this.#layout() : new Uint8Array(0);
    const types = this.#types.done();
    const strings = this.#strings.done();
    const writer = new ByteWriter(this.order)
      .u16(0xeb9f)
      .u8(1)
      .u8(0)
      .u32(this.#header)
      .u32(0)
      .u32(types.length)
      .u32(types.length + layout.length)
      .u32(strings.length);
    if (this.#header === 32) writer.u32(types.length).u32(layout.length);
    return writer.bytes(types).bytes(layout).bytes(strings).done();
  }

  /** `struct btf_layout` a kind, from 0: bytes that follow once, bytes an element, flags (Linux 7.1). */
  #layout(): Uint8Array {
    const writer = new ByteWriter(this.order);
    for (const { fixed, element } of kinds.KIND_SHAPES) {
      writer
        .u8(fixed.length * 4)
        .u8(element.length * 4)
        .u16(0);
    }
    return writer.done();
  }
}
