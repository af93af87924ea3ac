import type { Btf } from '../btf/btf.js';
import { HEAD_WORDS, IS_COMPOSITE, KIND_ARRAY, KIND_FUNC_PROTO, KIND_PTR, ROLE_TYPE } from '../btf/kinds.js';
import { skipModifiers } from '../btf/resolve.js';
import { isFieldBased, isTypeBased, TYPE_MATCHES } from './relocation.js';
import type { Spec } from './spec.js';

/** How far a type is followed. */
const SHALLOW = 1; // not through pointers, into no member
const POINTERS = 2; // through pointers, into no member
const MATCH = 4; // through pointers and into members, but not into a struct behind a pointer
const MATCH_BEHIND = 8; // the same, behind a pointer

const MEMBER_WORDS = 3;

/** Types and members of a kernel that relocations use (bpftool's btfgen_record_reloc). */
export class Marks {
  readonly #btf: Btf;
  /** By type id: how it was followed already, as a set of bits; 0 for a type that is not used. */
  readonly #done: Uint8Array;
  /** By word of the type section: 1 where a used member starts. */
  readonly #members: Uint8Array;

  /** `btf`: without a base. */
  constructor(btf: Btf) {
    this.#btf = btf;
    this.#done = new Uint8Array(btf.count + 1);
    this.#members = new Uint8Array(btf.words.length);
  }

  hasType(id: number): boolean {
    return this.#done[id] !== 0;
  }

  /** `word`: at which the member's record starts. */
  hasMember(word: number): boolean {
    return this.#members[word] !== 0;
  }

  /** What one relocation found. */
  add(spec: Spec): void {
    if (isTypeBased(spec.kind)) this.#follow(spec.rootId, spec.kind === TYPE_MATCHES ? MATCH : POINTERS);
    else if (isFieldBased(spec.kind)) this.#addAccess(spec);
    else this.#follow(spec.rootId, SHALLOW);
  }

  #addAccess(spec: Spec): void {
    const btf = this.#btf;
    this.#follow(spec.rootId, SHALLOW);
    let id = spec.rootId;
    for (const index of spec.raw.slice(1)) {
      id = skipModifiers(btf, id);
      const at = btf.start(id) + HEAD_WORDS;
      if (btf.kind(id) === KIND_ARRAY) {
        id = btf.words[at];
        continue;
      }
      const member = at + index * MEMBER_WORDS;
      this.#members[member] = 1;
      id = btf.words[member + 1];
      this.#follow(id, SHALLOW);
    }
  }

  /** Marks a type and what it takes along; with a list of what is still to do, for types nest as deep as they like. */
  #follow(start: number, how: number): void {
    const todo: [number, number][] = [[start, how]];
    for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
      const [id, mode] = next;
      if (id === 0 || (this.#done[id] & mode) !== 0) continue;
      this.#done[id] |= mode;
      for (const step of this.#steps(id, mode)) todo.push(step);
    }
  }

  #steps(id: number, mode: number): [number, number][] {
    const btf = this.#btf;
    const kind = btf.kind(id);
    const matching = mode === MATCH || mode === MATCH_BEHIND;
    if (IS_COMPOSITE[kind] !== 0) return mode === MATCH ? this.#everyMember(id) : [];
    if (kind === KIND_PTR) {
      if (mode === SHALLOW) return [];
      return [[btf.sizeOrType(id), matching ? MATCH_BEHIND : mode]];
    }
    const inner = matching && (kind === KIND_ARRAY || kind === KIND_FUNC_PROTO) ? MATCH : mode;
    const start = btf.start(id);
    const end = btf.starts[id];
    const steps: [number, number][] = [];
    for (let i = start + 2; i < end; i++) if (btf.roles[i] === ROLE_TYPE) steps.push([btf.words[i], inner]);
    return steps;
  }

  #everyMember(id: number): [number, number][] {
    const btf = this.#btf;
    const first = btf.start(id) + HEAD_WORDS;
    return Array.from({ length: btf.vlen(id) }, (_, i) => {
      const member = first + i * MEMBER_WORDS;
      this.#members[member] = 1;
      return [btf.words[member + 1], MATCH];
    });
  }
}
