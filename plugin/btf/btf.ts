import { type ByteOrder, toWords } from '../bytes/endian.js';
import { CodedError } from '../errors.js';
import { type BtfHeader, type BtfSection, decodeHeader } from './header.js';
import {
  HEAD_WORDS,
  infoKind,
  infoKindFlag,
  infoVlen,
  KIND_MAX,
  KIND_SHAPES,
  ROLE_PLAIN,
  ROLE_STRING,
  ROLE_TYPE,
  type Role,
} from './kinds.js';

/**
 * A BTF over its own words: the type section as 32-bit words in host order, one index of where each type starts, and
 * one role a word. Every record of every kind is a whole number of words, so byte order is gone after decoding and
 * every algorithm is a linear pass over three arrays. There is no object a type.
 *
 * Type ids run from `firstId` to `endId - 1`; id 0 is void. A split BTF counts on from its base, in ids and in string
 * offsets (Documentation/bpf/btf.rst).
 */
export class Btf {
  readonly header: BtfHeader;
  /** Type section. */
  readonly words: Uint32Array;
  /** ROLE_* of each word of `words`: the one place that knows which fields are ids and which are string offsets. */
  readonly roles: Uint8Array;
  /** Index into `words` at which own type `firstId + i` starts; one more entry marks the end. */
  readonly starts: Uint32Array;
  /** Own string section; offset `stringBase` of a name is its first byte. */
  readonly strings: Uint8Array;
  /** The section that describes kinds (Linux 7.1, 32-byte header), as it stood in the file; empty without one. */
  readonly layout: Uint8Array;
  /** The highest string offset that an own type refers to. */
  readonly lastString: number;
  readonly base: Btf | undefined;
  #byKind: readonly Uint32Array[] | undefined;
  readonly firstId: number;
  readonly stringBase: number;

  private constructor(
    header: BtfHeader,
    words: Uint32Array,
    indexed: Indexed,
    strings: Uint8Array,
    layout: Uint8Array,
    base: Btf | undefined,
  ) {
    this.header = header;
    this.words = words;
    this.roles = indexed.roles;
    this.starts = indexed.starts;
    this.lastString = indexed.highestString;
    this.strings = strings;
    this.layout = layout;
    this.base = base;
    this.firstId = base === undefined ? 1 : base.endId;
    this.stringBase = base === undefined ? 0 : base.stringEnd;
  }

  /**
   * Checks everything a reader relies on: sections, kinds, sizes, and that every reference lies inside this BTF or
   * its base. `bytes` is kept, not copied. Throws `btf-header`, `btf-types`, `btf-strings`, `btf-kind`,
   * `btf-reference`, `btf-base`.
   */
  static decode(bytes: Uint8Array, base?: Btf): Btf {
    return Btf.index(readFrame(bytes, base), base);
  }

  /** Decodes the types of what {@link readFrame} read with the same base. */
  static index({ header, words, strings, layout }: BtfFrame, base?: Btf): Btf {
    const indexed = indexTypes(words, header);
    const btf = new Btf(header, words, indexed, strings, layout, base);
    if (indexed.highestType >= btf.endId || indexed.highestString >= btf.stringEnd) throw btf.#firstBadReference();
    return btf;
  }

  get order(): ByteOrder {
    return this.header.order;
  }

  /** Number of own types. */
  get count(): number {
    return this.starts.length - 1;
  }

  /** One past the last type id. */
  get endId(): number {
    return this.firstId + this.count;
  }

  /** One past the last string offset. */
  get stringEnd(): number {
    return this.stringBase + this.strings.length;
  }

  /** The BTF of the chain that holds a type id. The caller has checked the range 1 … endId-1. */
  owner(id: number): Btf {
    return id < this.firstId && this.base !== undefined ? this.base.owner(id) : this;
  }

  /** Index of the type's first word in `owner(id).words`. */
  start(id: number): number {
    const owner = this.owner(id);
    return owner.starts[id - owner.firstId];
  }

  kind(id: number): number {
    const owner = this.owner(id);
    return infoKind(owner.words[owner.starts[id - owner.firstId] + 1]);
  }

  vlen(id: number): number {
    return infoVlen(this.#head(id, 1));
  }

  kindFlag(id: number): boolean {
    return infoKindFlag(this.#head(id, 1));
  }

  nameOffset(id: number): number {
    return this.#head(id, 0);
  }

  /** The third word: bytes for kinds with a size, a type id for kinds that refer. */
  sizeOrType(id: number): number {
    return this.#head(id, 2);
  }

  /** Empty for anonymous types and for void. */
  name(id: number): string {
    return id === 0 ? '' : this.string(this.nameOffset(id));
  }

  /** Names are bytes; each byte becomes one character (latin1), so nothing is lost on the way out. */
  string(offset: number): string {
    if (offset < this.stringBase && this.base !== undefined) return this.base.string(offset);
    const start = offset - this.stringBase;
    const { buffer, byteOffset, byteLength } = this.strings;
    const end = this.strings.indexOf(0, start);
    return Buffer.from(buffer, byteOffset, byteLength).toString('latin1', start, end);
  }

  /** Ids of all own types of a kind, ascending. */
  ofKind(kind: number): Uint32Array {
    this.#byKind ??= groupByKind(this);
    return this.#byKind[kind] ?? new Uint32Array(0);
  }

  /** Bytes that the record of an own type takes in the type section. */
  recordBytes(id: number): number {
    const i = id - this.firstId;
    return (this.starts[i + 1] - this.starts[i]) * 4;
  }

  #head(id: number, word: number): number {
    const owner = this.owner(id);
    return owner.words[owner.starts[id - owner.firstId] + word];
  }

  #firstBadReference(): CodedError {
    const { words, roles, endId, stringEnd } = this;
    const i = words.findIndex(
      (word, at) => roles[at] !== ROLE_PLAIN && word >= (roles[at] === ROLE_TYPE ? endId : stringEnd),
    );
    const what =
      roles[i] === ROLE_TYPE
        ? `type id ${words[i]}, the last is ${endId - 1}`
        : `string offset ${words[i]}, the strings end at ${stringEnd}`;
    return new CodedError('btf-reference', what, {
      section: '.BTF',
      offset: this.header.length + this.header.types.offset + i * 4,
    });
  }
}

/** The sections of a BTF, before its types are looked at. */
export interface BtfFrame {
  readonly header: BtfHeader;
  /** Type section, in host order. */
  readonly words: Uint32Array;
  readonly strings: Uint8Array;
  readonly layout: Uint8Array;
}

/** Checks sections and byte order. `bytes` is kept, not copied. Throws `btf-header`, `btf-strings`, `btf-base`. */
export function readFrame(bytes: Uint8Array, base?: Btf): BtfFrame {
  const header = decodeHeader(bytes);
  if (base !== undefined && base.order !== header.order) {
    throw new CodedError('btf-base', `the base is ${base.order}-endian, this BTF ${header.order}-endian`, {
      section: '.BTF',
      offset: 0,
    });
  }
  const cut = ({ offset, length }: BtfSection): Uint8Array =>
    bytes.subarray(header.length + offset, header.length + offset + length);
  const strings = cut(header.strings);
  checkStrings(strings, header, base);
  return { header, words: toWords(cut(header.types), header.order), strings, layout: cut(header.layout) };
}

interface Indexed {
  readonly starts: Uint32Array;
  readonly roles: Uint8Array;
  readonly highestType: number;
  readonly highestString: number;
}

/** Roles as one number, two bits a word from the lowest up; a single 1 above the last word marks the end. */
const PACKED_END = 1;
const packRoles = (roles: readonly Role[]): number =>
  roles.reduceRight<number>((packed, role) => (packed << 2) | role, PACKED_END);

/** KIND_SHAPES for the hot loop, by kind: plain numbers in typed arrays. */
const WORDS_BEFORE_ELEMENTS = Uint8Array.from(KIND_SHAPES, shape => HEAD_WORDS + shape.fixed.length);
const WORDS_OF_ELEMENT = Uint8Array.from(KIND_SHAPES, shape => shape.element.length);
const ROLES_BEFORE_ELEMENTS = Uint32Array.from(KIND_SHAPES, shape =>
  packRoles([ROLE_STRING, ROLE_PLAIN, shape.third, ...shape.fixed]),
);
const ROLES_OF_ELEMENT = Uint32Array.from(KIND_SHAPES, shape => packRoles(shape.element));

/**
 * Walks every word once. The number of types is not in the header, so references cannot be checked on the way: the
 * highest are found instead. One loop over plain numbers, because a process decodes once or twice and so pays for the
 * interpreter until V8 has compiled it: 12 ms instead of 50 for 126,000 types.
 */
function indexTypes(words: Uint32Array, header: BtfHeader): Indexed {
  const roles = new Uint8Array(words.length);
  const starts = new Uint32Array(Math.floor(words.length / HEAD_WORDS) + 1);
  let highestType = 0;
  let highestString = 0;
  let count = 0;
  let at = 0;
  while (at < words.length) {
    const info = words[at + 1]; // undefined when the head is cut off; its kind is then 0
    const kind = infoKind(info);
    const end = at + WORDS_BEFORE_ELEMENTS[kind] + infoVlen(info) * WORDS_OF_ELEMENT[kind];
    if (kind === 0 || kind > KIND_MAX || end > words.length) throw damagedType(words, header, at, count + 1);
    starts[count++] = at;
    let pattern = ROLES_BEFORE_ELEMENTS[kind];
    for (; at < end; at++) {
      if (pattern === PACKED_END) pattern = ROLES_OF_ELEMENT[kind];
      const role = pattern & 3;
      pattern >>= 2;
      roles[at] = role;
      const word = words[at];
      if (role === ROLE_TYPE) {
        if (word > highestType) highestType = word;
      } else if (role === ROLE_STRING) {
        if (word > highestString) highestString = word;
      }
    }
  }
  starts[count] = at;
  // A view: what lies behind it was never touched, and so is no memory.
  return { starts: starts.subarray(0, count + 1), roles, highestType, highestString };
}

/** Index: the kind. A counting sort, so that ids stay ascending. */
function groupByKind({ words, starts, count, firstId }: Btf): Uint32Array[] {
  const kinds = new Uint8Array(count);
  const totals = new Uint32Array(KIND_MAX + 1);
  for (let i = 0; i < count; i++) {
    const kind = infoKind(words[starts[i] + 1]);
    kinds[i] = kind;
    totals[kind]++;
  }
  const groups = Array.from(totals, total => new Uint32Array(total));
  totals.fill(0);
  for (let i = 0; i < count; i++) groups[kinds[i]][totals[kinds[i]]++] = firstId + i;
  return groups;
}

/** What is wrong with the record at word `at`: cut off, or of no known kind. */
function damagedType(words: Uint32Array, header: BtfHeader, at: number, nth: number): CodedError {
  const place = (word: number) => ({ section: '.BTF', offset: header.length + header.types.offset + word * 4 });
  if (at + HEAD_WORDS > words.length) return new CodedError('btf-types', `type ${nth} is cut off`, place(at));
  const info = words[at + 1];
  const kind = infoKind(info);
  if (kind === 0 || kind > KIND_MAX) return new CodedError('btf-kind', `type ${nth} has kind ${kind}`, place(at + 1));
  const what = `${KIND_SHAPES[kind].name}, vlen ${infoVlen(info)}`;
  return new CodedError('btf-types', `type ${nth} (${what}) is cut off`, place(at));
}

/** The kernel's rules (btf_parse_str_sec): starts with NUL unless split, ends with NUL. */
function checkStrings(strings: Uint8Array, header: BtfHeader, base: Btf | undefined): void {
  const place = { section: '.BTF', offset: header.length + header.strings.offset };
  if (strings.length === 0) {
    if (base === undefined) throw new CodedError('btf-strings', 'empty', place);
    return;
  }
  if (strings.at(-1) !== 0) throw new CodedError('btf-strings', 'does not end with NUL', place);
  if (base === undefined && strings[0] !== 0)
    throw new CodedError('btf-strings', 'does not start with NUL (is this split BTF? pass its base with -B)', place);
}
