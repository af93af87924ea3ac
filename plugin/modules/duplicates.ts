import type { Btf } from '../btf/btf.js';
import { kindName, ROLE_STRING, ROLE_TYPE } from '../btf/kinds.js';

/** A type of which more than one module has a copy of its own. */
export interface DuplicateRow {
  readonly kind: string;
  /** Empty for an anonymous type. */
  readonly name: string;
  /** How many modules have it. */
  readonly modules: number;
  /** Records of all copies but one. */
  readonly bytes: number;
}

export interface Duplicates {
  /** Copies that another module has too, the first of each type not counted. */
  readonly types: number;
  /** Their records, without strings. */
  readonly bytes: number;
  /** The largest first, at most 20. */
  readonly rows: readonly DuplicateRow[];
}

const MOST_ROWS = 20;

/** References of own types are followed so many steps: types that first differ behind them count as one. */
const STEPS = 4;

/** Finds types that stand in several modules. Linear in their types; what is kept of each is a number. */
export class DuplicateFinder {
  readonly #seen = new Map<number, Seen>();
  #modules = 0;

  /** `btf`: of a module; `distilled` when its base is its own `.BTF.base`, whose ids mean nothing to other modules. */
  add(btf: Btf, distilled: boolean): void {
    this.#modules++;
    const prints = fingerprints(btf, distilled);
    for (let i = 0; i < btf.count; i++) {
      const seen = this.#seen.get(prints[i]);
      if (seen === undefined) {
        this.#seen.set(prints[i], { last: this.#modules, modules: 1, row: undefined });
        continue;
      }
      // The same type twice in one module is no matter of others.
      if (seen.last === this.#modules) continue;
      seen.last = this.#modules;
      seen.modules++;
      seen.row ??= {
        kind: kindName(btf.kind(btf.firstId + i)),
        name: btf.name(btf.firstId + i),
        bytes: (btf.starts[i + 1] - btf.starts[i]) * 4,
      };
    }
  }

  found(): Duplicates {
    const rows: DuplicateRow[] = [];
    for (const { modules, row } of this.#seen.values())
      if (row !== undefined) rows.push({ ...row, modules, bytes: row.bytes * (modules - 1) });
    rows.sort((a, b) => b.bytes - a.bytes || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
    return {
      types: rows.reduce((sum, { modules }) => sum + modules - 1, 0),
      bytes: rows.reduce((sum, { bytes }) => sum + bytes, 0),
      rows: rows.slice(0, MOST_ROWS),
    };
  }
}

interface Seen {
  /** Number of the module that had it last. */
  last: number;
  modules: number;
  /** Made when a second module has it. */
  row: { readonly kind: string; readonly name: string; readonly bytes: number } | undefined;
}

/** A number for each own type: 53 bits of a hash of its record, with the names in it and what it refers to. */
function fingerprints(btf: Btf, distilled: boolean): Float64Array {
  const { count, words, roles, starts, firstId } = btf;
  // What does not change from step to step is hashed once. Own types that a record refers to stand from firsts[i] to firsts[i + 1].
  const [high, low] = [new Uint32Array(count), new Uint32Array(count)];
  const firsts = new Uint32Array(count + 1);
  const own = new Uint32Array(words.length);
  const names = new Names(btf);
  let met = 0;
  for (let i = 0; i < count; i++) {
    let a = 0x811c9dc5;
    let b = 0x9747b28c;
    for (let at = starts[i]; at < starts[i + 1]; at++) {
      const word = words[at];
      const role = roles[at];
      let [x, y] = [word, 2];
      if (role === ROLE_STRING) [x, y] = [names.hash(word), 1];
      else if (role === ROLE_TYPE && word >= firstId) {
        own[met++] = word - firstId;
        [x, y] = [0, 3];
      } else if (role === ROLE_TYPE && distilled && word !== 0)
        [x, y] = [names.hash(btf.nameOffset(word)), btf.kind(word)];
      a = mix(a, x);
      b = mix(b ^ y, x + at - starts[i]);
    }
    high[i] = a;
    low[i] = b;
    firsts[i + 1] = met;
  }
  let [wasHigh, wasLow] = [high, low];
  for (let step = 0; step < STEPS; step++) {
    const [nextHigh, nextLow] = [high.slice(), low.slice()];
    for (let i = 0; i < count; i++)
      for (let at = firsts[i]; at < firsts[i + 1]; at++) {
        nextHigh[i] = mix(nextHigh[i], wasHigh[own[at]]);
        nextLow[i] = mix(nextLow[i] ^ wasLow[own[at]], wasHigh[own[at]] + at - firsts[i]);
      }
    [wasHigh, wasLow] = [nextHigh, nextLow];
  }
  const prints = new Float64Array(count);
  for (let i = 0; i < count; i++) prints[i] = wasHigh[i] * 2 ** 21 + (wasLow[i] >>> 11);
  return prints;
}

function mix(hash: number, word: number): number {
  const mixed = Math.imul(hash ^ word, 0x01000193);
  return (mixed ^ (mixed >>> 15)) >>> 0;
}

/** Hashes of names, each made once. */
class Names {
  readonly #btf: Btf;
  readonly #hashes = new Map<number, number>();

  constructor(btf: Btf) {
    this.#btf = btf;
  }

  hash(offset: number): number {
    const known = this.#hashes.get(offset);
    if (known !== undefined) return known;
    const name = this.#btf.string(offset);
    let hash = 0x811c9dc5;
    for (let i = 0; i < name.length; i++) hash = mix(hash, name.charCodeAt(i));
    this.#hashes.set(offset, hash);
    return hash;
  }
}
