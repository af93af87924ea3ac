import type { Btf } from '../btf/btf.js';
import { HEAD_WORDS, IS_COMPOSITE, infoKind, KIND_PTR, ROLE_STRING, ROLE_TYPE } from '../btf/kinds.js';
import type { Root } from '../roots/root.js';
import type { Companions } from './companions.js';
import { dominatorTree } from './dominators.js';
import { IS_NAMELESS_MODIFIER } from './forward.js';
import { pointeesThatStay } from './pointees.js';
import type { Reach } from './split.js';

/** What would leave the base. */
export interface Amount {
  readonly types: number;
  /** Records and names. */
  readonly bytes: number;
}

export interface Retained {
  /** What the base has, without its header and the empty name. */
  readonly all: Amount;
  /** By group, in their order. */
  readonly amounts: readonly Amount[];
  /** By type id, 1 + place of the group that it would leave with; 0 for a type that two groups hold, or none. */
  readonly leaving: Uint32Array;
}

/**
 * What needs what in a base, as a graph: a type is two nodes, that it exists (all that a pointer to it says) and that it is whole;
 * a stored string is one. With closure `complete` whatever exists is whole. Its dominators tell what would leave the base with
 * any of its roots, all of them from one pass, where closing again takes one a root.
 */
export class NeedGraph {
  readonly #btf: Btf;
  readonly #reach: Reach;
  /** Node of a stored string, less that of the first, by each offset into it. */
  readonly #stringAt: Uint32Array;
  readonly #stringBytes: readonly number[];
  readonly #from: readonly number[];
  readonly #to: readonly number[];

  /** `btf`: the input, without a base. Linear in its words and strings. */
  constructor(btf: Btf, companions: Companions, reach: Reach) {
    this.#btf = btf;
    this.#reach = reach;
    const { at, bytes } = storedStrings(btf.strings);
    this.#stringAt = at;
    this.#stringBytes = bytes;
    const edges = new Edges();
    for (let id = 1; id <= btf.count; id++) this.#addType(id, edges);
    for (let id = 1; id <= btf.count; id++)
      if (companions.next[id] !== 0) edges.add(this.#whole(id), this.#whole(companions.next[id]));
    for (const tag of companions.tags) {
      const target = btf.sizeOrType(tag);
      if (target !== 0) edges.add(this.#whole(target), this.#whole(tag));
    }
    this.#from = edges.from;
    this.#to = edges.to;
  }

  /** What would leave the base without each group of roots. A type that roots of two groups name stays with either. */
  retained(groups: readonly (readonly Root[])[]): Retained {
    const { count } = this.#btf;
    const first = groups.length + 1;
    const edges = new Edges();
    for (const [nth, roots] of groups.entries()) {
      edges.add(0, nth + 1);
      for (const { id } of roots) edges.add(nth + 1, first + this.#whole(id));
      if (this.#reach === 'forward')
        for (const id of pointeesThatStay(this.#btf, roots)) edges.add(nth + 1, first + this.#whole(id));
    }
    const { dominator, order } = dominatorTree(edges.graph(first + this.#nodes, this.#from, this.#to, first));
    const amounts = Array.from({ length: first }, () => ({ types: 0, bytes: 0 }));
    /** By node, the group that it would leave with; 0 for one that two groups hold. */
    const group = new Uint32Array(dominator.length);
    const leaving = new Uint32Array(count + 1);
    for (const node of order.subarray(1)) {
      group[node] = node < first ? node : group[dominator[node]];
      if (node < first) continue;
      const own = node - first;
      if (own < count) leaving[own + 1] = group[node];
      for (const to of group[node] === 0 ? [0] : [0, group[node]]) {
        if (own < count) amounts[to].types++;
        amounts[to].bytes += this.#bytes(own);
      }
    }
    return { all: amounts[0], amounts: amounts.slice(1), leaving };
  }

  // Nodes: that type 1 … count exists, that it is whole, stored strings.
  get #nodes(): number {
    return 2 * this.#btf.count + this.#stringBytes.length;
  }

  #named(id: number): number {
    return id - 1;
  }

  #whole(id: number): number {
    return this.#btf.count + id - 1;
  }

  #string(offset: number): number {
    return 2 * this.#btf.count + this.#stringAt[offset];
  }

  #bytes(node: number): number {
    const { count, starts } = this.#btf;
    if (node >= 2 * count) return this.#stringBytes[node - 2 * count];
    const id = (node % count) + 1;
    const record = (starts[id] - starts[id - 1]) * 4;
    if (!this.#mayBeForward(id)) return node < count ? record : 0;
    return node < count ? HEAD_WORDS * 4 : record - HEAD_WORDS * 4;
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

  #addType(id: number, edges: Edges): void {
    const { words, roles, starts } = this.#btf;
    const start = starts[id - 1];
    const kind = infoKind(words[start + 1]);
    edges.add(this.#whole(id), this.#named(id));
    if (this.#reach === 'forward' && IS_NAMELESS_MODIFIER[kind] === 1) {
      if (words[start + 2] !== 0) edges.add(this.#named(id), this.#named(words[start + 2]));
    } else if (!this.#mayBeForward(id)) edges.add(this.#named(id), this.#whole(id));
    if (words[start] !== 0) edges.add(this.#named(id), this.#string(words[start]));
    for (let i = start + 2; i < starts[id]; i++) {
      const word = words[i];
      if (word === 0) continue;
      if (roles[i] === ROLE_STRING) edges.add(this.#whole(id), this.#string(word));
      else if (roles[i] === ROLE_TYPE)
        edges.add(this.#whole(id), kind === KIND_PTR ? this.#named(word) : this.#whole(word));
    }
  }
}

/** Edges as they come. */
class Edges {
  readonly from: number[] = [];
  readonly to: number[] = [];

  add(from: number, to: number): void {
    this.from.push(from);
    this.to.push(to);
  }

  /** These, and others whose nodes stand `shift` further on. */
  graph(count: number, from: readonly number[], to: readonly number[], shift: number) {
    const firsts = new Uint32Array(count + 1);
    for (const node of this.from) firsts[node + 1]++;
    for (const node of from) firsts[node + shift + 1]++;
    for (let node = 0; node < count; node++) firsts[node + 1] += firsts[node];
    const targets = new Uint32Array(firsts[count]);
    const filled = firsts.slice();
    for (let i = 0; i < this.from.length; i++) targets[filled[this.from[i]]++] = this.to[i];
    for (let i = 0; i < from.length; i++) targets[filled[from[i] + shift]++] = to[i] + shift;
    return { count, firsts, targets };
  }
}

/** Which of the stored strings each offset is in, and their bytes with the NUL; names may share their ends. */
function storedStrings(strings: Uint8Array): { at: Uint32Array; bytes: number[] } {
  const at = new Uint32Array(strings.length);
  const bytes: number[] = [];
  for (let start = 0; start < strings.length; ) {
    const end = strings.indexOf(0, start) + 1;
    at.fill(bytes.length, start, end);
    bytes.push(end - start);
    start = end;
  }
  return { at, bytes };
}
