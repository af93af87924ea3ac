import type { Btf } from '../btf/btf.js';
import { encodeBtf } from '../btf/encode.js';
import { HEAD_WORDS, IS_COMPOSITE, ROLE_STRING, ROLE_TYPE } from '../btf/kinds.js';
import { Marks } from './marks.js';
import type { BpfObject } from './object.js';
import { Relocator } from './relocate.js';
import { TYPE_ID_LOCAL } from './relocation.js';
import { shortString } from './text.js';

const MEMBER_WORDS = 3;
const KIND_FLAG = 0x80000000;
const KIND_BITS = 0x7f000000;

export interface Minimized {
  readonly bytes: Uint8Array;
  readonly types: number;
  /** Of the relocations that ask for a type of the kernel: those that found it, and those that did not. */
  readonly found: number;
  readonly absent: number;
}

/**
 * The part of a kernel's BTF that the CO-RE relocations of some objects need, as `bpftool gen min_core_btf` makes it:
 * the same types in the same order, structs with only the members that are accessed, pointers that nobody follows to
 * void, names in the order of their first use. In the byte order of `btf`, which has no base. Throws `core-relocation`
 * where libbpf refuses an object.
 */
export function minimize(btf: Btf, objects: readonly BpfObject[]): Minimized {
  const marks = new Marks(btf);
  let found = 0;
  let absent = 0;
  for (const object of objects) {
    for (const { target, relocation, refused } of new Relocator(object, btf).all()) {
      if (refused !== undefined) throw refused.in(object.file);
      if (target !== undefined) {
        found++;
        marks.add(target);
      } else if (relocation.kind !== TYPE_ID_LOCAL) absent++;
    }
  }
  return { ...writeMarked(btf, marks), found, absent };
}

function writeMarked(btf: Btf, marks: Marks): { bytes: Uint8Array; types: number } {
  const { words, roles, starts, count } = btf;
  const newIds = new Uint32Array(count + 1);
  let types = 0;
  for (let id = 1; id <= count; id++) if (marks.hasType(id)) newIds[id] = ++types;
  const strings = new StringTable(btf);
  const out: number[] = [];
  const copy = (from: number, to: number): void => {
    for (let i = from; i < to; i++)
      out.push(roles[i] === ROLE_TYPE ? newIds[words[i]] : roles[i] === ROLE_STRING ? strings.add(words[i]) : words[i]);
  };
  for (let id = 1; id <= count; id++) {
    if (newIds[id] === 0) continue;
    const start = starts[id - 1];
    const kind = btf.kind(id);
    if (IS_COMPOSITE[kind] === 0) {
      copy(start, starts[id]);
      continue;
    }
    const head = out.length;
    copy(start, start + HEAD_WORDS);
    let members = 0;
    let bitFields = false;
    for (let at = start + HEAD_WORDS; at < starts[id]; at += MEMBER_WORDS) {
      if (!marks.hasMember(at)) continue;
      copy(at, at + MEMBER_WORDS);
      members++;
      if (btf.kindFlag(id) && words[at + 2] >>> 24 !== 0) bitFields = true;
    }
    // The flag says that offsets hold widths too; without bit fields both readings are the same.
    out[head + 1] = ((bitFields ? KIND_FLAG : 0) | (words[start + 1] & KIND_BITS) | members) >>> 0;
  }
  const bytes = encodeBtf({ order: btf.order, words: Uint32Array.from(out), strings: strings.done() });
  return { bytes, types };
}

/** Names in the order of their first use, each once. */
class StringTable {
  readonly #btf: Btf;
  readonly #offsets = new Map<string, number>([['', 0]]);
  readonly #names: string[] = [''];
  #length = 1;

  constructor(btf: Btf) {
    this.#btf = btf;
  }

  /** New offset of a name that the BTF has at an offset. */
  add(offset: number): number {
    const name = shortString(this.#btf, offset);
    const known = this.#offsets.get(name);
    if (known !== undefined) return known;
    const at = this.#length;
    this.#offsets.set(name, at);
    this.#names.push(name);
    this.#length += name.length + 1;
    return at;
  }

  done(): Uint8Array {
    return Buffer.from(`${this.#names.join('\0')}\0`, 'latin1');
  }
}
