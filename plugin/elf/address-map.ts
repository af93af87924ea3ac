import type { ElfSection } from './sections.js';

/**
 * Which of some sections holds an address: the first in their order, for sections may overlap (the vectors of an ARM kernel
 * do). Made once, asked by bisection: a symbol table asks for as many addresses as a hostile file has sections.
 */
export class AddressMap {
  /** Where sections start or end, ascending. */
  readonly #bounds: readonly bigint[];
  /** By bound: the section that holds the addresses up to the next one. */
  readonly #holders: readonly (ElfSection | undefined)[];

  constructor(sections: readonly ElfSection[]) {
    const ends = sections.map(({ addr, size }) => addr + BigInt(size));
    const bounds = [...new Set([...sections.map(({ addr }) => addr), ...ends])].sort((a, b) => (a < b ? -1 : 1));
    const place = new Map(bounds.map((bound, i) => [bound, i]));
    const holders = new Array<ElfSection | undefined>(bounds.length).fill(undefined);
    // From each bound, the next one that no section holds yet.
    const free = Uint32Array.from({ length: bounds.length + 1 }, (_, i) => i);
    const nextFree = (from: number): number => {
      let at = from;
      while (free[at] !== at) {
        free[at] = free[free[at]];
        at = free[at];
      }
      return at;
    };
    for (const [i, section] of sections.entries()) {
      const end = place.get(ends[i]) ?? 0;
      for (let at = nextFree(place.get(section.addr) ?? 0); at < end; at = nextFree(at)) {
        holders[at] = section;
        free[at] = at + 1;
      }
    }
    this.#bounds = bounds;
    this.#holders = holders;
  }

  find(address: bigint): ElfSection | undefined {
    let low = 0;
    let high = this.#bounds.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#bounds[middle] <= address) low = middle + 1;
      else high = middle;
    }
    return low === 0 ? undefined : this.#holders[low - 1];
  }
}
