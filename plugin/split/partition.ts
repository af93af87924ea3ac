import type { Btf } from '../btf/btf.js';
import { type BtfHeader, encodeHeader, HEADER_BYTES, HEADER_BYTES_LAYOUT } from '../btf/header.js';
import { ROLE_STRING, ROLE_TYPE } from '../btf/kinds.js';
import type { ByteOrder } from '../bytes/endian.js';
import { hostOrder } from '../bytes/endian.js';
import { CodedError } from '../errors.js';
import type { Closure } from './closure.js';
import { sideRuns } from './runs.js';

/** New id of each old id, 0 … N: needed types first, the others after, both in their old order. */
export function permute(closure: Closure): Uint32Array {
  const { nearest, types } = closure;
  const newIds = new Uint32Array(nearest.length);
  let base = 1;
  let rest = types + 1;
  for (let id = 1; id < nearest.length; id++) newIds[id] = nearest[id] !== 0 ? base++ : rest++;
  return newIds;
}

/** Base, rest and full as bytes, ready to be written. */
export interface Partition {
  /** `.BTF` of the image: `base` with `padding` NULs behind its strings. */
  readonly paddedBase: Uint8Array;
  readonly base: Uint8Array;
  /** Split BTF whose string offsets count on from `paddedBase`. */
  readonly rest: Uint8Array;
  readonly full: Uint8Array;
  /** Bytes. */
  readonly padding: number;
  /** Of base (without padding), rest and full. */
  readonly sizes: { readonly base: PartSize; readonly rest: PartSize; readonly full: PartSize };
}

/** What a BTF consists of, in bytes and types. */
export interface PartSize {
  readonly types: number;
  readonly bytes: number;
  readonly typeBytes: number;
  readonly stringBytes: number;
  /** Header and, where there is one, the section that describes kinds. */
  readonly headerBytes: number;
}

/**
 * Copies each type to its side and renumbers ids and string offsets. `paddedTo`: the size in bytes that the base must
 * fill (the `.BTF` section of a finished vmlinux cannot shrink), or undefined for no padding.
 *
 * Strings stand in the order in which the types of the base, then those of the rest, first name them; one that a type
 * of the base names stands in the base, and none becomes the tail of another (some loaders reject that). Throws
 * `btf-limit` when they do not fit: an input whose names share their tails can need more room than it takes.
 */
export function partition(btf: Btf, closure: Closure, newIds: Uint32Array, paddedTo?: number): Partition {
  const runs = sideRuns(btf, newIds, closure.types);
  const frame = new Frame(btf);
  const strings = new StringMover(btf.strings);
  const fullWords = new Uint32Array(btf.words.length);
  copyRuns(btf, runs.base, newIds, strings, fullWords, 0);
  const baseWords = fullWords.subarray(0, closure.words);
  const baseStrings = strings.length;
  const baseBytes = frame.bytes(baseWords.length, baseStrings);
  const padding = paddedTo === undefined ? 0 : paddedTo - baseBytes;
  if (padding < 0)
    throw new CodedError('btf-limit', `the base takes ${baseBytes} bytes, its section has ${paddedTo}`, {
      section: '.BTF',
    });

  copyRuns(btf, runs.rest, newIds, strings, fullWords, closure.words);
  const unshifted = fullWords.subarray(closure.words);
  const restWords = padding === 0 ? unshifted : shiftStrings(btf, runs.rest, unshifted, baseStrings, padding);

  const moved = strings.done();
  const base = frame.assemble(baseWords, moved.subarray(0, baseStrings), 0);
  const rest = frame.assemble(restWords, moved.subarray(baseStrings), 0);
  const full = frame.assemble(fullWords, moved, 0);
  const size = (types: number, bytes: Uint8Array, wordCount: number): PartSize => ({
    types,
    bytes: bytes.length,
    typeBytes: wordCount * 4,
    stringBytes: bytes.length - frame.bytes(wordCount, 0),
    headerBytes: frame.bytes(0, 0),
  });
  return {
    base,
    rest,
    full,
    padding,
    paddedBase: padding === 0 ? base : frame.assemble(baseWords, moved.subarray(0, baseStrings), padding),
    sizes: {
      base: size(closure.types, base, baseWords.length),
      rest: size(btf.count - closure.types, rest, restWords.length),
      full: size(btf.count, full, fullWords.length),
    },
  };
}

/** Copies the words of `runs` to `to`, from index `at` on, with ids and string offsets mapped. */
function copyRuns(
  btf: Btf,
  runs: Uint32Array,
  newIds: Uint32Array,
  strings: StringMover,
  to: Uint32Array,
  at: number,
): void {
  const { words, roles } = btf;
  for (let run = 0; run < runs.length; run += 2) {
    const end = runs[run + 1];
    for (let i = runs[run]; i < end; i++) {
      const role = roles[i];
      const word = words[i];
      to[at++] = role === ROLE_TYPE ? newIds[word] : role === ROLE_STRING ? strings.move(word) : word;
    }
  }
}

/** A copy of the rest's words whose own string offsets count on from the padded end of the base's strings. */
function shiftStrings(
  btf: Btf,
  runs: Uint32Array,
  words: Uint32Array,
  baseStrings: number,
  padding: number,
): Uint32Array {
  const shifted = words.slice();
  let at = 0;
  for (let run = 0; run < runs.length; run += 2) {
    for (let i = runs[run]; i < runs[run + 1]; i++, at++)
      if (btf.roles[i] === ROLE_STRING && shifted[at] >= baseStrings) shifted[at] += padding;
  }
  return shifted;
}

/** What the parts of a split have in common: byte order, header, and the section that describes kinds. */
class Frame {
  readonly #order: ByteOrder;
  readonly #flags: number;
  readonly #headerLength: number;
  readonly #layout: Uint8Array;

  constructor(btf: Btf) {
    this.#order = btf.order;
    this.#flags = btf.header.flags;
    this.#layout = btf.layout;
    this.#headerLength = btf.layout.length > 0 ? HEADER_BYTES_LAYOUT : HEADER_BYTES;
  }

  bytes(words: number, strings: number): number {
    return this.#headerLength + words * 4 + this.#layout.length + strings;
  }

  /** Header, types, layout, strings, padding: the order that libbpf asks for. */
  assemble(words: Uint32Array, strings: Uint8Array, padding: number): Uint8Array {
    const typeBytes = words.length * 4;
    const layoutEnd = typeBytes + this.#layout.length;
    const header: BtfHeader = {
      order: this.#order,
      flags: this.#flags,
      length: this.#headerLength,
      types: { offset: 0, length: typeBytes },
      layout: { offset: this.#layout.length > 0 ? typeBytes : 0, length: this.#layout.length },
      strings: { offset: layoutEnd, length: strings.length + padding },
    };
    const bytes = Buffer.alloc(this.bytes(words.length, strings.length + padding));
    bytes.set(encodeHeader(header));
    bytes.set(new Uint8Array(words.buffer, words.byteOffset, typeBytes), this.#headerLength);
    if (this.#order !== hostOrder) bytes.subarray(this.#headerLength, this.#headerLength + typeBytes).swap32();
    bytes.set(this.#layout, this.#headerLength + typeBytes);
    bytes.set(strings, this.#headerLength + layoutEnd);
    return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
  }
}

/** The kernel takes string offsets below 2^24 (BTF_MAX_NAME_OFFSET). */
const MAX_STRINGS = 1 << 24;

/** Gives each string that is asked for its place behind the ones asked for before. */
class StringMover {
  readonly #from: Uint8Array;
  /** Old offset → new offset + 1. */
  readonly #moved: Uint32Array;
  #to: Uint8Array;
  #length = 1;

  constructor(from: Uint8Array) {
    this.#from = from;
    this.#moved = new Uint32Array(from.length);
    this.#moved[0] = 1;
    this.#to = new Uint8Array(from.length);
  }

  get length(): number {
    return this.#length;
  }

  move(offset: number): number {
    const known = this.#moved[offset];
    if (known !== 0) return known - 1;
    const from = this.#from;
    let to = this.#to;
    const start = this.#length;
    let at = start;
    for (let i = offset; ; i++, at++) {
      if (at === to.length) to = this.#grow();
      const byte = from[i];
      to[at] = byte;
      if (byte === 0) break;
    }
    this.#length = at + 1;
    this.#moved[offset] = start + 1;
    return start;
  }

  done(): Uint8Array {
    return this.#to.subarray(0, this.#length);
  }

  #grow(): Uint8Array {
    const size = this.#to.length * 2;
    if (size > 2 * MAX_STRINGS && size > this.#from.length * 2)
      throw new CodedError('btf-limit', 'the names share so much that they do not fit apart', { section: '.BTF' });
    const grown = new Uint8Array(size);
    grown.set(this.#to);
    this.#to = grown;
    return grown;
  }
}
