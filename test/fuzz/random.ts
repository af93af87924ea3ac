/** Mixes a number into a state of 32 bits (the finaliser of MurmurHash3). */
function mix(state: number, value: number): number {
  let h = Math.imul(state ^ value, 0x85ebca6b) ^ Math.imul(value, 0x9e3779b1);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** Random numbers that are the same on every machine for the same start (mulberry32). */
export class Random {
  #state: number;

  constructor(...start: readonly number[]) {
    this.#state = start.reduce(mix, 0x9e3779b9);
  }

  /** 32 bits. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  }

  /** 0 … limit-1; 0 for a limit of 0. */
  below(limit: number): number {
    return limit <= 0 ? 0 : Math.floor((this.next() / 2 ** 32) * limit);
  }

  /** True once in `n` times. */
  oneIn(n: number): boolean {
    return this.below(n) === 0;
  }

  /** `from` is not empty. */
  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)];
  }

  /** By weights that are not all 0; `total` is their sum. */
  weighted<T extends { readonly weight: number }>(from: readonly T[]): T {
    let at = this.below(from.reduce((sum, { weight }) => sum + weight, 0));
    for (const item of from) {
      at -= item.weight;
      if (at < 0) return item;
    }
    return from[0];
  }
}
