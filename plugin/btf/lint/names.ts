import type { Btf } from '../btf.js';

/** KSYM_NAME_LEN of Linux 6.1 and later: the name may be as long, without its NUL. */
const MAX_BYTES = 512;

const IDENTIFIER = 1;
const PRINTABLE = 2;

const UNDERSCORE = 0x5f;
const DOT = 0x2e;

/** What a byte may be part of, by lib/ctype.c: its upper half is Latin-1. */
const CLASSES = Uint8Array.from({ length: 256 }, (_, byte) => {
  const character = String.fromCharCode(byte);
  const identifier =
    /[A-Za-z0-9]/.test(character) ||
    byte === UNDERSCORE ||
    byte === DOT ||
    (byte >= 0xc0 && byte !== 0xd7 && byte !== 0xf7);
  const printable = (byte >= 0x20 && byte < 0x7f) || byte >= 0xa0;
  return (identifier ? IDENTIFIER : 0) | (printable ? PRINTABLE : 0);
});

/** Bytes that an identifier may start with. */
const FIRST = CLASSES.map((classes, byte) => (byte >= 0x30 && byte <= 0x39 ? 0 : classes & IDENTIFIER));

/** 2^BLOCK_BITS bytes of the strings share a mark; half a name that is too long, so that one such block is all of one string. */
const BLOCK_BITS = 8;
/** With more strings than this that are no identifiers, all strings are classified at once. */
const FEW = 1024;

/**
 * Which names the kernel takes, by string offset, through a BTF and its base. Nearly all strings of a kernel are
 * identifiers (names of integers such as `long int` are not), so the regular expression engine looks for other bytes, their
 * blocks are marked, and elsewhere the first byte of a name decides.
 */
export class Names {
  readonly #strings: Uint8Array;
  readonly #stringBase: number;
  readonly #base: Names | undefined;
  /** Block → 1 when a string that starts in it may be no identifier. */
  readonly #marks: Uint8Array;
  /** Byte of the section → what the string that starts there is; only when many strings are no identifiers. */
  readonly #classes: Uint8Array | undefined;

  constructor(btf: Btf) {
    const { strings } = btf;
    this.#strings = strings;
    this.#stringBase = btf.stringBase;
    this.#base = btf.base === undefined ? undefined : namesOfBase(btf.base);
    this.#marks = new Uint8Array((strings.length >>> BLOCK_BITS) + 1);
    if (!markOdd(strings, this.#marks)) this.#classes = classify(strings);
  }

  /** btf_name_valid_identifier. Offset 0 is the empty name, which is none. */
  isIdentifier(offset: number): boolean {
    const at = offset - this.#stringBase;
    if (at < 0) return this.#base?.isIdentifier(offset) ?? false;
    return (
      FIRST[this.#strings[at]] !== 0 && (this.#marks[at >>> BLOCK_BITS] === 0 || (this.#classOf(at) & IDENTIFIER) !== 0)
    );
  }

  /** btf_name_valid_section of Linux 6.12 and later. */
  isPrintable(offset: number): boolean {
    const at = offset - this.#stringBase;
    if (at < 0) return this.#base?.isPrintable(offset) ?? false;
    return this.#strings[at] !== 0 && (this.#classOf(at) & PRINTABLE) !== 0;
  }

  isEmpty(offset: number): boolean {
    const at = offset - this.#stringBase;
    return at < 0 ? (this.#base?.isEmpty(offset) ?? true) : this.#strings[at] === 0;
  }

  #classOf(start: number): number {
    if (this.#classes !== undefined) return this.#classes[start];
    const strings = this.#strings;
    let all = IDENTIFIER | PRINTABLE;
    let at = start;
    for (const end = start + MAX_BYTES; strings[at] !== 0 && at < end; at++) all &= CLASSES[strings[at]];
    return strings[at] === 0 ? all : 0;
  }
}

/** What many modules are split on is looked through once. */
const bases = new WeakMap<Btf, Names>();

function namesOfBase(base: Btf): Names {
  const known = bases.get(base) ?? new Names(base);
  bases.set(base, known);
  return known;
}

/** Marks the blocks of strings that are no identifiers or too long; false when they are many, and all is marked. */
function markOdd(strings: Uint8Array, marks: Uint8Array): boolean {
  const { buffer, byteOffset, byteLength } = strings;
  const bytes = Buffer.from(buffer, byteOffset, byteLength);
  const odd = /[^\0\w.]/g;
  const text = bytes.toString('latin1');
  let left = FEW;
  while (odd.test(text) && left > 0) {
    const end = bytes.indexOf(0, odd.lastIndex);
    const start = bytes.lastIndexOf(0, odd.lastIndex - 1) + 1;
    marks.fill(1, start >>> BLOCK_BITS, (end >>> BLOCK_BITS) + 1);
    odd.lastIndex = end;
    left--;
  }
  // Of a string that is too long, one whole block at least lies between two NULs.
  for (let block = 0; left > 0 && (block + 1) << BLOCK_BITS <= strings.length; block++) {
    const start = block << BLOCK_BITS;
    if (bytes.indexOf(0, start) >= start + (1 << BLOCK_BITS)) left = 0;
  }
  if (left > 0) return true;
  marks.fill(1);
  return false;
}

/** From the end, so that each byte is looked at once: what all bytes up to the next NUL are. */
function classify(strings: Uint8Array): Uint8Array {
  const classes = new Uint8Array(strings.length);
  let end = strings.length;
  let all = 0;
  for (let at = strings.length - 1; at >= 0; at--) {
    const byte = strings[at];
    if (byte === 0) {
      end = at;
      all = IDENTIFIER | PRINTABLE;
    } else {
      all &= CLASSES[byte];
      classes[at] = end - at > MAX_BYTES ? 0 : all;
    }
  }
  return classes;
}
