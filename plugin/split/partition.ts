import type { Btf } from '../btf/btf.js';
import { type BtfHeader, encodeHeader, layOut } from '../btf/header.js';
import { ROLE_STRING, ROLE_TYPE } from '../btf/kinds.js';
import { hostOrder } from '../bytes/endian.js';
import { CodedError } from '../errors.js';
import type { Closure } from './closure.js';
import { sideRuns } from './runs.js';
import { BLOCK_BITS, MIXED, StringPartition } from './strings.js';

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
 * fill (the `.BTF` section of a finished vmlinux cannot shrink), or undefined for no padding. Throws `btf-limit` when it
 * has no room there.
 */
export function partition(btf: Btf, closure: Closure, newIds: Uint32Array, paddedTo?: number): Partition {
  const runs = sideRuns(btf, closure.ids);
  const strings = new StringPartition(btf, runs);
  const { baseLength, restLength } = strings;
  const baseWords = closure.words;
  const restWords = btf.words.length - baseWords;
  const frame = new Frame(btf);
  const padding = paddedTo === undefined ? 0 : paddedTo - frame.bytes(baseWords, baseLength);
  if (padding < 0)
    throw new CodedError('btf-limit', `the base is ${-padding} bytes larger than its section`, { section: '.BTF' });

  const full = frame.part(baseWords + restWords, baseLength + restLength);
  copyRuns(btf, runs, newIds, strings, full.words, baseWords);
  strings.copyBase(full.strings, 0);
  strings.copyRest(full.strings, baseLength);

  const base = frame.part(baseWords, baseLength);
  base.words.set(full.words.subarray(0, baseWords));
  base.strings.set(full.strings.subarray(0, baseLength));
  const paddedBase = padding === 0 ? base : frame.part(baseWords, baseLength + padding);
  if (padding > 0) {
    paddedBase.words.set(base.words);
    paddedBase.strings.set(base.strings);
  }
  const rest = frame.part(restWords, restLength);
  rest.words.set(full.words.subarray(baseWords));
  if (padding > 0) shiftStrings(btf, runs, rest.words, baseLength, padding);
  rest.strings.set(full.strings.subarray(baseLength));

  const size = (types: number, part: Part): PartSize => ({
    types,
    bytes: part.bytes.length,
    typeBytes: part.words.length * 4,
    stringBytes: part.strings.length,
    headerBytes: frame.bytes(0, 0),
  });
  return {
    base: frame.finish(base),
    rest: frame.finish(rest),
    full: frame.finish(full),
    paddedBase: padding === 0 ? base.bytes : frame.finish(paddedBase),
    padding,
    sizes: {
      base: size(closure.types, base),
      rest: size(btf.count - closure.types, rest),
      full: size(btf.count, full),
    },
  };
}

/** Copies all words, those of the base to the start of `to`, those of the rest from `baseWords` on, ids and names mapped. */
function copyRuns(
  btf: Btf,
  runs: Uint32Array,
  newIds: Uint32Array,
  strings: StringPartition,
  to: Uint32Array,
  baseWords: number,
): void {
  const { words, roles } = btf;
  const { deltas } = strings;
  let i = 0;
  let baseAt = 0;
  let restAt = baseWords;
  for (let run = 0; run < runs.length; run++) {
    const start = i;
    const end = runs[run];
    let at = run & 1 ? restAt : baseAt;
    for (; i < end; i++) {
      const role = roles[i];
      const word = words[i];
      let value = word;
      if (role === ROLE_TYPE) value = newIds[word];
      else if (role === ROLE_STRING) {
        const delta = deltas[word >>> BLOCK_BITS];
        value = delta === MIXED ? strings.move(word) : word + delta;
      }
      to[at++] = value;
    }
    if (run & 1) restAt += end - start;
    else baseAt += end - start;
  }
}

/** The own strings of the rest count on from the padded end of the base's strings. */
function shiftStrings(btf: Btf, runs: Uint32Array, words: Uint32Array, baseLength: number, padding: number): void {
  let at = 0;
  for (let run = 1; run < runs.length; run += 2) {
    for (let i = runs[run - 1]; i < runs[run]; i++, at++)
      if (btf.roles[i] === ROLE_STRING && words[at] >= baseLength) words[at] += padding;
  }
}

/** A BTF that is being written; `words` (in host order until it is finished) and `strings` are views of `bytes`. */
interface Part {
  readonly bytes: Uint8Array;
  readonly words: Uint32Array;
  readonly strings: Uint8Array;
}

/** What the parts of a split have in common: byte order, flags, and the section that describes kinds. */
class Frame {
  readonly #btf: Btf;

  constructor(btf: Btf) {
    this.#btf = btf;
  }

  #layOut(words: number, strings: number): BtfHeader {
    const { order, header, layout } = this.#btf;
    return layOut(order, header.flags, words * 4, layout.length, strings);
  }

  bytes(words: number, strings: number): number {
    const header = this.#layOut(words, strings);
    return header.length + header.strings.offset + strings;
  }

  /** Header and description of kinds; types and strings are zeros. */
  part(words: number, strings: number): Part {
    const header = this.#layOut(words, strings);
    const bytes = new Uint8Array(this.bytes(words, strings));
    bytes.set(encodeHeader(header));
    bytes.set(this.#btf.layout, header.length + header.layout.offset);
    return {
      bytes,
      words: new Uint32Array(bytes.buffer, header.length, words),
      strings: bytes.subarray(header.length + header.strings.offset),
    };
  }

  /** Turns the words to the byte order of the input. */
  finish({ bytes, words }: Part): Uint8Array {
    if (this.#btf.order !== hostOrder) Buffer.from(words.buffer, words.byteOffset, words.byteLength).swap32();
    return bytes;
  }
}
