import type { Btf } from './btf.js';
import { infoKind } from './kinds.js';

/**
 * Strings by content, and types by name: two names are the same when their bytes are, whether or not the producer
 * shared their offset. One open hash table over the string section, no JS string a name.
 * Only for a BTF without a base.
 */
export class NameIndex {
  readonly #btf: Btf;
  /** Hash slot → string offset + 1, or 0. */
  readonly #slots: Uint32Array;
  /** Hash slot → first type of that name, and type → next type of the same name, ascending; 0 ends. */
  readonly #first: Uint32Array;
  readonly #next: Uint32Array;

  constructor(btf: Btf) {
    this.#btf = btf;
    let size = 16;
    while (size < btf.count * 2) size *= 2;
    this.#slots = new Uint32Array(size);
    this.#first = new Uint32Array(size);
    this.#next = new Uint32Array(btf.count + 1);
    // From the last type to the first, so that each chain ascends without a tail pointer.
    for (let id = btf.count; id >= 1; id--) {
      const offset = btf.words[btf.starts[id - 1]];
      if (offset === 0) continue;
      const slot = this.#slot(btf.strings, offset, lengthOf(btf.strings, offset));
      this.#slots[slot] = offset + 1;
      this.#next[id] = this.#first[slot];
      this.#first[slot] = id;
    }
  }

  /** Ids of all types of this exact name, ascending; of one kind when given. */
  all(name: string, kind?: number): number[] {
    const found: number[] = [];
    const bytes = Buffer.from(name, 'latin1');
    if (bytes.length === 0) return found;
    for (let id = this.#first[this.#slot(bytes, 0, bytes.length)]; id !== 0; id = this.#next[id]) {
      if (kind === undefined || this.#btf.kind(id) === kind) found.push(id);
    }
    return found;
  }

  /** The type that the kernel's btf_find_by_name_kind finds: the first of that name and kind. 0 when there is none. */
  first(name: string, kind: number): number {
    return this.all(name, kind)[0] ?? 0;
  }

  /** The first type whose name is the `length` bytes at a string offset; follow with {@link next}. 0 when there is none. */
  firstNamed(offset: number, length: number): number {
    return this.#first[this.#slot(this.#btf.strings, offset, length)];
  }

  /** The next type of the same name, ascending; 0 after the last. */
  next(id: number): number {
    return this.#next[id];
  }

  /** Where a name stands or would stand: linear probing, compared by bytes. */
  #slot(bytes: Uint8Array, offset: number, length: number): number {
    const strings = this.#btf.strings;
    const mask = this.#slots.length - 1;
    let hash = 2166136261; // FNV-1a
    for (let i = offset; i < offset + length; i++) hash = Math.imul(hash ^ bytes[i], 16777619);
    let slot = (hash ^ (hash >>> 15)) & mask;
    while (this.#slots[slot] !== 0) {
      const other = this.#slots[slot] - 1;
      let i = 0;
      while (i < length && strings[other + i] === bytes[offset + i]) i++;
      if (i === length && strings[other + i] === 0) return slot;
      slot = (slot + 1) & mask;
    }
    return slot;
  }
}

/** Bytes up to the NUL. */
export function lengthOf(strings: Uint8Array, offset: number): number {
  let end = offset;
  while (strings[end] !== 0) end++;
  return end - offset;
}

/** Ids of all own types of one kind whose name starts with an ASCII prefix, ascending. */
export function typesWithPrefix(btf: Btf, kind: number, prefix: string): number[] {
  return typesWhere(btf, kind, (strings, offset) => {
    for (let i = 0; i < prefix.length; i++) if (strings[offset + i] !== prefix.charCodeAt(i)) return false;
    return true;
  });
}

/** Ids of all own types of one kind whose name ends with an ASCII suffix, ascending. */
export function typesWithSuffix(btf: Btf, kind: number, suffix: string): number[] {
  return typesWhere(btf, kind, (strings, offset) => {
    const start = offset + lengthOf(strings, offset) - suffix.length;
    if (start < offset) return false;
    for (let i = 0; i < suffix.length; i++) if (strings[start + i] !== suffix.charCodeAt(i)) return false;
    return true;
  });
}

function typesWhere(btf: Btf, kind: number, matches: (strings: Uint8Array, offset: number) => boolean): number[] {
  const ids: number[] = [];
  for (let i = 0; i < btf.count; i++) {
    const at = btf.starts[i];
    if (infoKind(btf.words[at + 1]) === kind && matches(btf.strings, btf.words[at] - btf.stringBase))
      ids.push(btf.firstId + i);
  }
  return ids;
}
