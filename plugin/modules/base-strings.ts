import type { Btf } from '../btf/btf.js';
import { MAX_NAME_BYTES } from '../btf/names.js';
import { CodedError } from '../errors.js';

/** FNV-1a, 32 bits. */
const HASH_START = 2166136261;
const HASH_FACTOR = 16777619;

/**
 * The strings of the base by content: what a module need not carry itself. An open hash table over the string section;
 * only whole strings count, for a name that starts inside of another is refused by cilium/ebpf.
 */
export class BaseStrings {
  readonly #strings: Uint8Array;
  readonly #slots: Uint32Array;

  constructor({ strings, lastString }: Btf) {
    this.#strings = strings;
    // Behind the last string that a type names is padding: millions of NULs.
    const end = strings.indexOf(0, lastString) + 1;
    let count = 0;
    for (let at = 1; at < end; at++) if (strings[at] === 0) count++;
    let size = 16;
    while (size < count * 2) size *= 2;
    this.#slots = new Uint32Array(size);
    for (let start = 1; start < end; ) {
      const next = strings.indexOf(0, start) + 1;
      if (next - 1 > start) this.#add(start, next - 1 - start);
      start = next;
    }
  }

  /** Offset in the base of the string that starts at an offset of `bytes`; 0 for the empty one and for one it has not. */
  find(bytes: Uint8Array, offset: number, length: number): number {
    if (length === 0) return 0;
    const mask = this.#slots.length - 1;
    for (let slot = hash(bytes, offset, length) & mask; this.#slots[slot] !== 0; slot = (slot + 1) & mask)
      if (this.#is(this.#slots[slot], bytes, offset, length)) return this.#slots[slot];
    return 0;
  }

  #add(start: number, length: number): void {
    const mask = this.#slots.length - 1;
    let slot = hash(this.#strings, start, length) & mask;
    while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
    this.#slots[slot] = start;
  }

  #is(start: number, bytes: Uint8Array, offset: number, length: number): boolean {
    const strings = this.#strings;
    for (let i = 0; i < length; i++) if (strings[start + i] !== bytes[offset + i]) return false;
    return strings[start + length] === 0;
  }
}

function hash(bytes: Uint8Array, offset: number, length: number): number {
  let value = HASH_START;
  for (let i = offset; i < offset + length; i++) value = Math.imul(value ^ bytes[i], HASH_FACTOR);
  return value ^ (value >>> 15);
}

/** Bytes up to the NUL. Throws `btf-strings` for a name that no kernel takes: many could share one long end. */
export function nameLength(strings: Uint8Array, offset: number): number {
  let end = offset;
  while (strings[end] !== 0 && end - offset < MAX_NAME_BYTES) end++;
  if (end - offset === MAX_NAME_BYTES)
    throw new CodedError('btf-strings', `a name of ${MAX_NAME_BYTES} bytes or more`, { section: '.BTF', offset });
  return end - offset;
}
