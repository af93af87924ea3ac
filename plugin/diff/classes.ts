import {
  infoKind,
  infoKindFlag,
  KIND_ENUM,
  KIND_ENUM64,
  KIND_FWD,
  KIND_MAX,
  KIND_STRUCT,
  KIND_UNION,
} from '../btf/kinds.js';
import { hashRecord, isNamed, type Joined, kindOf, sameRecord } from './joined.js';

/** The kernel resolves no deeper chain (MAX_RESOLVE_DEPTH in kernel/bpf/btf.c). */
export const MAX_DEPTH = 32;

/** Hash seeds differ in each run, as those of string tables do: who knows them can make many records of one hash. */
const SEED = Math.floor(Math.random() * 2 ** 32) | 0;

/**
 * A number for each joint id, the same for types that are the same *as something that is referred to*: named ones by kind and name,
 * nameless ones by their records, of which again what they refer to, {@link MAX_DEPTH} steps deep. So what stands behind
 * a pointer counts by its name. A FWD counts as the STRUCT or UNION that it announces, an ENUM64 as an ENUM: C spells them alike.
 *
 * Nameless types are told apart step by step, as states of an automaton are: first by kind, then by what they are made of
 * one step deeper, until no step tells more apart. Loops need no care. One step is linear in the words of nameless types.
 */
export function referenceClasses(joined: Joined): Uint32Array {
  const total = joined.starts.length - 1;
  let classes = new Uint32Array(total);
  const nameless: number[] = [];
  const byName = new Map<number, number>();
  // Kinds come first, void being 0.
  let known = KIND_MAX + 1;
  for (let id = 1; id < total; id++) {
    if (!isNamed(joined, id)) {
      nameless.push(id);
      classes[id] = kindOf(joined, id);
      continue;
    }
    const key = joined.words[joined.starts[id]] * (KIND_MAX + 1) + spelledKind(joined, id);
    const found = byName.get(key);
    classes[id] = found ?? known;
    if (found === undefined) byName.set(key, known++);
  }
  let apart = 0;
  for (let depth = 1; depth <= MAX_DEPTH; depth++) {
    const next = classes.slice();
    const interner = new Interner(joined, classes, nameless.length);
    for (const id of nameless) next[id] = known + interner.add(id);
    classes = next;
    if (interner.count === apart) break;
    apart = interner.count;
  }
  return classes;
}

function spelledKind({ words, starts }: Joined, id: number): number {
  const info = words[starts[id] + 1];
  const kind = infoKind(info);
  if (kind === KIND_FWD) return infoKindFlag(info) ? KIND_UNION : KIND_STRUCT;
  return kind === KIND_ENUM64 ? KIND_ENUM : kind;
}

/** Numbers records that are the same ({@link sameRecord}) alike, from 0 on in the order in which they come. */
export class Interner {
  readonly #joined: Joined;
  readonly #classes: Uint32Array;
  /** Slot → a type; 0 for a free one. */
  readonly #types: Uint32Array;
  /** Slot → number of its record. */
  readonly #numbers: Uint32Array;
  #count = 0;

  /** `most`: so many records at most. */
  constructor(joined: Joined, classes: Uint32Array, most: number) {
    this.#joined = joined;
    this.#classes = classes;
    let size = 16;
    while (size < most * 2) size *= 2;
    this.#types = new Uint32Array(size);
    this.#numbers = new Uint32Array(size);
  }

  get count(): number {
    return this.#count;
  }

  add(id: number): number {
    const types = this.#types;
    const mask = types.length - 1;
    let slot = hashRecord(this.#joined, id, this.#classes, SEED) & mask;
    for (let found = types[slot]; found !== 0; found = types[slot]) {
      if (sameRecord(this.#joined, found, id, this.#classes)) return this.#numbers[slot];
      slot = (slot + 1) & mask;
    }
    types[slot] = id;
    this.#numbers[slot] = this.#count;
    return this.#count++;
  }
}
