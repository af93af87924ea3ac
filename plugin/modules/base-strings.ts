import type { Btf } from '../btf/btf.js';
import { MAX_NAME_BYTES } from '../btf/names.js';
import { StringTable } from '../btf/string-table.js';
import { CodedError } from '../errors.js';

/**
 * The strings of the base by content: what a module need not carry itself. Only whole strings count, for a name that starts
 * inside of another is refused by cilium/ebpf.
 */
export class BaseStrings {
  readonly #table: StringTable;

  constructor({ strings, lastString }: Btf) {
    // Behind the last string that a type names is padding: millions of NULs.
    const end = strings.indexOf(0, lastString) + 1;
    let count = 0;
    for (let at = 1; at < end; at++) if (strings[at] === 0) count++;
    this.#table = new StringTable(strings, count);
    for (let start = 1; start < end; start = strings.indexOf(0, start) + 1)
      if (strings[start] !== 0) this.#table.add(start);
  }

  /** Offset in the base of the string that starts at an offset of `bytes`; 0 for the empty one and for one it has not. */
  find(bytes: Uint8Array, offset: number, length: number): number {
    const slot = length === 0 ? -1 : this.#table.find(bytes, offset, length);
    return slot < 0 ? 0 : this.#table.offset(slot);
  }
}

/** Bytes up to the NUL. Throws `btf-strings` for a name that no kernel takes: many could share one long end. */
export function nameLength(strings: Uint8Array, offset: number): number {
  let end = offset;
  while (strings[end] !== 0 && end - offset < MAX_NAME_BYTES) end++;
  if (end - offset === MAX_NAME_BYTES)
    throw new CodedError('btf-strings', `a name of ${MAX_NAME_BYTES} bytes or more`, { section: '.BTF', offset });
  return end - offset;
}
