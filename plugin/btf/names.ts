import { CodedError } from '../errors.js';
import type { Btf } from './btf.js';

/** FNV-1a, 32 bits. */
const HASH_START = 2166136261;
const HASH_FACTOR = 16777619;

/** The kernel takes names of at most 511 bytes (KSYM_NAME_LEN). More than this is hostile: names may share their ends. */
const MAX_NAME_BYTES = 1024;

function nameTooLong(btf: Btf, id: number): CodedError {
  const offset = btf.header.length + btf.header.types.offset + btf.starts[id - 1] * 4;
  return new CodedError('btf-strings', `type ${id} has a name of ${MAX_NAME_BYTES} bytes or more`, {
    section: '.BTF',
    offset,
  });
}

/**
 * Strings by content, and types by name: two names are the same when their bytes are, whether or not the producer
 * shared their offset. One open hash table over the string section, no JS string a name.
 * Only for a BTF without a base. Throws `btf-strings` for a name that no kernel takes.
 */
export class NameIndex {
  readonly #btf: Btf;
  /** Hash slot → first type of that name, and type → next type of the same name, ascending; 0 ends. */
  readonly #first: Uint32Array;
  readonly #next: Uint32Array;

  constructor(btf: Btf) {
    const { words, starts, strings, count } = btf;
    let size = 16;
    while (size < count * 2) size *= 2;
    const mask = size - 1;
    const first = new Uint32Array(size);
    const next = new Uint32Array(count + 1);
    // From the last type to the first, so that each chain ascends without a tail pointer. One loop without calls: it
    // runs once a process and is hot before V8 has compiled it.
    for (let id = count; id >= 1; id--) {
      const offset = words[starts[id - 1]];
      if (offset === 0) continue;
      const limit = offset + MAX_NAME_BYTES;
      let hash = HASH_START;
      let end = offset;
      for (let byte = strings[end]; byte !== 0 && end < limit; byte = strings[++end])
        hash = Math.imul(hash ^ byte, HASH_FACTOR);
      if (end === limit) throw nameTooLong(btf, id);
      let slot = (hash ^ (hash >>> 15)) & mask;
      let found = first[slot];
      while (found !== 0 && !sameString(strings, words[starts[found - 1]], offset)) {
        slot = (slot + 1) & mask;
        found = first[slot];
      }
      next[id] = found;
      first[slot] = id;
    }
    this.#btf = btf;
    this.#first = first;
    this.#next = next;
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
    const { words, starts, strings } = this.#btf;
    const mask = this.#first.length - 1;
    let hash = HASH_START;
    for (let i = offset; i < offset + length; i++) hash = Math.imul(hash ^ bytes[i], HASH_FACTOR);
    let slot = (hash ^ (hash >>> 15)) & mask;
    for (let found = this.#first[slot]; found !== 0; found = this.#first[slot]) {
      const other = words[starts[found - 1]];
      let i = 0;
      while (i < length && strings[other + i] === bytes[offset + i]) i++;
      if (i === length && strings[other + i] === 0) return slot;
      slot = (slot + 1) & mask;
    }
    return slot;
  }
}

/** True when the NUL-terminated strings at two offsets are the same. */
function sameString(strings: Uint8Array, one: number, other: number): boolean {
  if (one === other) return true;
  while (strings[one] === strings[other] && strings[one] !== 0) {
    one++;
    other++;
  }
  return strings[one] === strings[other];
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
  const found: number[] = [];
  for (const id of btf.ofKind(kind)) if (matches(btf.strings, btf.nameOffset(id) - btf.stringBase)) found.push(id);
  return found;
}
