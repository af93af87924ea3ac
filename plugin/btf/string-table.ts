/** FNV-1a, 32 bits, from another start in each run: who knows the start can make any number of strings with one hash. */
const HASH_START = Math.floor(Math.random() * 2 ** 32) | 0;
const HASH_FACTOR = 16777619;

/**
 * Strings of a string section by content: an open hash table of their offsets, compared by bytes, no JS string a name. Strings
 * are known by their *slot*, an integer below `slots`. The empty string is not in it.
 */
export class StringTable {
  readonly #strings: Uint8Array;
  /** Slot → offset of its string; 0 for a free one. */
  readonly #offsets: Uint32Array;

  /** `most`: so many strings at most. */
  constructor(strings: Uint8Array, most: number) {
    this.#strings = strings;
    let size = 16;
    while (size < most * 2) size *= 2;
    this.#offsets = new Uint32Array(size);
  }

  get slots(): number {
    return this.#offsets.length;
  }

  /** Offset at which the string of a slot was added. */
  offset(slot: number): number {
    return this.#offsets[slot];
  }

  /** The slot of the string at an offset, which is added unless one of its content is there. */
  add(offset: number): number {
    const strings = this.#strings;
    const offsets = this.#offsets;
    const mask = offsets.length - 1;
    let hash = HASH_START;
    let end = offset;
    for (let byte = strings[end]; byte !== 0; byte = strings[++end]) hash = Math.imul(hash ^ byte, HASH_FACTOR);
    let slot = (hash ^ (hash >>> 15)) & mask;
    for (let found = offsets[slot]; found !== 0; found = offsets[slot]) {
      if (found === offset || isName(strings, found, strings, offset, end - offset)) return slot;
      slot = (slot + 1) & mask;
    }
    offsets[slot] = offset;
    return slot;
  }

  /** The slot of the `length` bytes at an offset of `bytes`, none of them NUL; -1 when they are not there. */
  find(bytes: Uint8Array, offset: number, length: number): number {
    const offsets = this.#offsets;
    const mask = offsets.length - 1;
    let hash = HASH_START;
    for (let i = offset; i < offset + length; i++) hash = Math.imul(hash ^ bytes[i], HASH_FACTOR);
    let slot = (hash ^ (hash >>> 15)) & mask;
    for (let found = offsets[slot]; found !== 0; found = offsets[slot]) {
      if (isName(this.#strings, found, bytes, offset, length)) return slot;
      slot = (slot + 1) & mask;
    }
    return -1;
  }
}

/** True when the string at `at` is the `length` bytes at `offset` of `bytes`. */
export function isName(strings: Uint8Array, at: number, bytes: Uint8Array, offset: number, length: number): boolean {
  for (let i = 0; i < length; i++) if (strings[at + i] !== bytes[offset + i]) return false;
  return strings[at + length] === 0;
}
