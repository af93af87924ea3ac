import type { Btf } from '../btf/btf.js';
import { HEAD_WORDS, IS_COMPOSITE, infoKind, KIND_PTR, ROLE_STRING, ROLE_TYPE } from '../btf/kinds.js';
import { groupBy } from '../group-by.js';
import type { Root } from '../roots/root.js';
import type { Companions } from './companions.js';
import { IS_NAMELESS_MODIFIER } from './levels.js';
import { pointeesThatStay } from './pointees.js';
import type { Reach } from './split.js';

/**
 * What needs what in a base, as a graph: a type is two nodes, that it exists (all that a pointer to it says) and that it is whole;
 * a stored string is one. With closure `complete` whatever exists is whole.
 */
export class NeedGraph {
  readonly #btf: Btf;
  readonly #companions: Companions;
  readonly #reach: Reach;
  /** Where the stored strings start, ascending; made when a name is met that is the tail of one. */
  #starts: Uint32Array | undefined;
  /** DECL_TAGs by their target. */
  readonly #tags: ReadonlyMap<number, readonly number[]>;

  /** `btf`: the input, without a base. */
  constructor(btf: Btf, companions: Companions, reach: Reach) {
    this.#btf = btf;
    this.#companions = companions;
    this.#reach = reach;
    this.#tags = groupBy(companions.tags, tag => btf.sizeOrType(tag));
  }

  /** How many needs there may be. */
  get most(): number {
    return 2 * this.#btf.count + this.#btf.strings.length;
  }

  /** What some roots need themselves. */
  ofRoots(roots: readonly Root[], add: (need: number) => void): void {
    for (const { id } of roots) add(this.#whole(id));
    if (this.#reach === 'forward') for (const id of pointeesThatStay(this.#btf, roots)) add(this.#whole(id));
  }

  /** What a need brings along. */
  follow(need: number, add: (need: number) => void): void {
    const { count } = this.#btf;
    if (need < count) this.#ofName(need + 1, add);
    else if (need < 2 * count) this.#ofWhole(need - count + 1, add);
  }

  /** The type that a need says exists, once for each type of a base; 0 for other needs. */
  typeOf(need: number): number {
    return need < this.#btf.count ? need + 1 : 0;
  }

  /** The type to whose record the bytes of a need belong; 0 for a string. */
  recordOf(need: number): number {
    const { count } = this.#btf;
    return need < 2 * count ? (need % count) + 1 : 0;
  }

  /** The need for all of a type of which a need is the name alone, where closure `forward` tells the two apart; -1 for others. */
  wholeOf(need: number): number {
    return need < this.#btf.count && this.#mayBeForward(need + 1) ? this.#whole(need + 1) : -1;
  }

  // Needs: that type 1 … count exists, that it is whole, the stored string at an offset.
  #named(id: number): number {
    return id - 1;
  }

  #whole(id: number): number {
    return this.#btf.count + id - 1;
  }

  #string(offset: number): number {
    const { strings, count } = this.#btf;
    return 2 * count + (strings[offset - 1] === 0 ? offset : this.#startBefore(offset));
  }

  /** Start of the stored string that an offset is in. */
  #startBefore(offset: number): number {
    this.#starts ??= startsOf(this.#btf.strings);
    let low = 0;
    let high = this.#starts.length;
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      if (this.#starts[middle] <= offset) low = middle;
      else high = middle;
    }
    return this.#starts[low];
  }

  /** Of a record or a string. */
  bytes(need: number): number {
    const { count, starts, strings } = this.#btf;
    if (need >= 2 * count) return strings.indexOf(0, need - 2 * count) + 1 - (need - 2 * count);
    const id = (need % count) + 1;
    const record = (starts[id] - starts[id - 1]) * 4;
    if (!this.#mayBeForward(id)) return need < count ? record : 0;
    return need < count ? HEAD_WORDS * 4 : record - HEAD_WORDS * 4;
  }

  /** A named struct or union, of which closure `forward` leaves the name where no more is needed. */
  #mayBeForward(id: number): boolean {
    const { words, starts, strings } = this.#btf;
    return (
      this.#reach === 'forward' &&
      IS_COMPOSITE[infoKind(words[starts[id - 1] + 1])] === 1 &&
      strings[words[starts[id - 1]]] !== 0
    );
  }

  #ofName(id: number, add: (need: number) => void): void {
    const { words, starts } = this.#btf;
    const start = starts[id - 1];
    if (words[start] !== 0) add(this.#string(words[start]));
    if (this.#reach === 'forward' && IS_NAMELESS_MODIFIER[infoKind(words[start + 1])] === 1) {
      if (words[start + 2] !== 0) add(this.#named(words[start + 2]));
    } else if (!this.#mayBeForward(id)) add(this.#whole(id));
  }

  #ofWhole(id: number, add: (need: number) => void): void {
    const { words, roles, starts } = this.#btf;
    const start = starts[id - 1];
    const isPointer = infoKind(words[start + 1]) === KIND_PTR;
    add(this.#named(id));
    for (let i = start + 2; i < starts[id]; i++) {
      const word = words[i];
      if (word === 0) continue;
      if (roles[i] === ROLE_STRING) add(this.#string(word));
      else if (roles[i] === ROLE_TYPE) add(isPointer ? this.#named(word) : this.#whole(word));
    }
    const companion = this.#companions.next[id];
    if (companion !== 0) add(this.#whole(companion));
    for (const tag of this.#tags.get(id) ?? []) add(this.#whole(tag));
  }
}

function startsOf(strings: Uint8Array): Uint32Array {
  const starts: number[] = [];
  for (let start = 0; start < strings.length; start = strings.indexOf(0, start) + 1) starts.push(start);
  return Uint32Array.from(starts);
}
