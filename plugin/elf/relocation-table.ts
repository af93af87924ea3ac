import { hostOrder } from '../bytes/endian.js';

/** What a table keeps for an entry whose value is known; every other entry has its type, which is never 0. */
export const APPLIED = 0;

/** 16-bit digits of a place, and their number of values. */
const DIGITS = 4;
const RADIX = 1 << 16;
/** Which of the two 32-bit halves of a 64-bit element is the low one. */
const LOW = hostOrder === 'little' ? 0 : 1;

/**
 * The entries of relocation sections by the address of the word that they write, sorted. Filled once, then asked. A kernel
 * has 100,000 entries and more: columns, no object each, and no bigint until an entry is asked for.
 */
export class RelocationTable {
  #count = 0;
  #sorted = true;
  /** Columns: addresses, values, types (or {@link APPLIED}). */
  #places: BigUint64Array;
  #values: BigUint64Array;
  #types: Uint32Array;
  readonly #placeHalves: Uint32Array;
  readonly #valueHalves: Uint32Array;

  /** `capacity`: the most entries that will be added. */
  constructor(capacity: number) {
    this.#places = new BigUint64Array(capacity);
    this.#values = new BigUint64Array(capacity);
    this.#types = new Uint32Array(capacity);
    this.#placeHalves = new Uint32Array(this.#places.buffer);
    this.#valueHalves = new Uint32Array(this.#values.buffer);
  }

  /** Address and value come in halves of 32 bits. */
  add(placeHigh: number, placeLow: number, valueHigh: number, valueLow: number, type: number): void {
    const at = this.#count * 2;
    const places = this.#placeHalves;
    places[at + LOW] = placeLow;
    places[at + 1 - LOW] = placeHigh;
    this.#valueHalves[at + LOW] = valueLow;
    this.#valueHalves[at + 1 - LOW] = valueHigh;
    this.#types[this.#count++] = type;
    if (at === 0 || !this.#sorted) return;
    const previousHigh = places[at - 1 - LOW];
    this.#sorted = placeHigh > previousHigh || (placeHigh === previousHigh && placeLow >= places[at - 2 + LOW]);
  }

  /** To be called once, after the last entry was added. Linkers sort RELATIVE entries and put the others behind them. */
  sort(): void {
    if (this.#sorted) return;
    const order = this.#order();
    this.#places = inOrder64(this.#places, order);
    this.#values = inOrder64(this.#values, order);
    this.#types = inOrder32(this.#types, order);
    this.#sorted = true;
  }

  /** The entries whose words start from `low` to `high`, both included: index of the first and of one past the last. */
  range(low: bigint, high: bigint): { readonly first: number; readonly end: number } {
    return { first: this.#lowerBound(low), end: this.#lowerBound(high + 1n) };
  }

  place(index: number): bigint {
    return this.#places[index];
  }

  value(index: number): bigint {
    return this.#values[index];
  }

  type(index: number): number {
    return this.#types[index];
  }

  /** Indices by ascending place: a radix sort, for it takes the same time whatever a hostile file has in store. */
  #order(): Uint32Array {
    const count = this.#count;
    const digits = new Uint16Array(this.#places.buffer, 0, count * DIGITS);
    let order = new Uint32Array(count);
    for (let i = 0; i < count; i++) order[i] = i;
    let sorted = new Uint32Array(count);
    const starts = new Uint32Array(RADIX + 1);
    for (let nth = 0; nth < DIGITS; nth++) {
      const digit = hostOrder === 'little' ? nth : DIGITS - 1 - nth;
      starts.fill(0);
      for (let i = 0; i < count; i++) starts[digits[i * DIGITS + digit] + 1]++;
      if (starts[digits[digit] + 1] === count) continue;
      for (let value = 1; value <= RADIX; value++) starts[value] += starts[value - 1];
      for (let i = 0; i < count; i++) sorted[starts[digits[order[i] * DIGITS + digit]]++] = order[i];
      [order, sorted] = [sorted, order];
    }
    return order;
  }

  #lowerBound(wanted: bigint): number {
    let low = 0;
    let high = this.#count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#places[middle] < wanted) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function inOrder32(column: Uint32Array, order: Uint32Array): Uint32Array {
  const sorted = new Uint32Array(order.length);
  for (let i = 0; i < order.length; i++) sorted[i] = column[order[i]];
  return sorted;
}

function inOrder64(column: BigUint64Array, order: Uint32Array): BigUint64Array {
  const sorted = new BigUint64Array(order.length);
  const from = new Uint32Array(column.buffer);
  const to = new Uint32Array(sorted.buffer);
  for (let i = 0; i < order.length; i++) {
    to[i * 2] = from[order[i] * 2];
    to[i * 2 + 1] = from[order[i] * 2 + 1];
  }
  return sorted;
}
