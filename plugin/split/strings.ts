import type { Btf } from '../btf/btf.js';
import { ROLE_STRING } from '../btf/kinds.js';

/** 2^BLOCK_BITS bytes of the string section share an entry of the look-up tables. */
export const BLOCK_BITS = 7;
/** A block whose offsets move by different distances. */
export const MIXED = -(2 ** 31);

/**
 * Where the strings of a BTF go: those that a type of the base names go to the base, all others to the rest, both in
 * their old order. Strings move whole and in runs, so a new offset is the old one less what was taken out before it:
 * no table by offset, which would be the largest array of a split.
 *
 * Names that share their end in the input (none that pahole makes) share it afterwards: the stored string goes to the
 * base as soon as one of its names is needed there. Bytes behind the last string that any type names are padding of an
 * earlier split, and are left out.
 */
export class StringPartition {
  /** Bytes of the strings of the base and of the rest. */
  readonly baseLength: number;
  readonly restLength: number;
  readonly #strings: Uint8Array;
  /** Runs that go to the base: old start, old end, and their start in the base. */
  readonly #starts: Uint32Array;
  readonly #ends: Uint32Array;
  readonly #moved: Uint32Array;
  /** Block of the old section → last run that starts at or before the block's first byte. */
  readonly #firstRun: Uint32Array;
  /**
   * Block of the old section → what to add to any offset in it, or MIXED where a run starts or ends inside. Few blocks
   * are mixed; who moves many offsets asks here first.
   */
  readonly deltas: Int32Array;
  /** Where the last named string ends. */
  readonly #end: number;

  /** `runs`: as sideRuns gives them. */
  constructor(btf: Btf, runs: Uint32Array) {
    const { strings } = btf;
    const bounds = stringRuns(strings, usedNames(btf, runs));
    const count = bounds.length / 2;
    this.#strings = strings;
    this.#end = strings.indexOf(0, btf.lastString) + 1;
    this.#starts = new Uint32Array(count);
    this.#ends = new Uint32Array(count);
    this.#moved = new Uint32Array(count);
    let length = 0;
    for (let run = 0; run < count; run++) {
      this.#starts[run] = bounds[2 * run];
      this.#ends[run] = bounds[2 * run + 1];
      this.#moved[run] = length;
      length += this.#ends[run] - this.#starts[run];
    }
    this.baseLength = length;
    this.restLength = this.#end - length;
    const blocks = (strings.length >>> BLOCK_BITS) + 1;
    this.#firstRun = new Uint32Array(blocks);
    this.deltas = new Int32Array(blocks);
    for (let run = 0; run < count; run++) this.#fillTables(run);
  }

  /** A run and the gap behind it: whole blocks at once, those of their ends as mixed. Runs come in ascending order. */
  #fillTables(run: number): void {
    const { deltas } = this;
    const start = this.#starts[run];
    const end = this.#ends[run];
    const moved = this.#moved[run];
    const firstBlock = start >>> BLOCK_BITS;
    const endBlock = end >>> BLOCK_BITS;
    const nextBlock = run + 1 < this.#starts.length ? this.#starts[run + 1] >>> BLOCK_BITS : deltas.length;
    // Of the block in which the run starts, an earlier run may be the first.
    this.#firstRun.fill(run, start % (1 << BLOCK_BITS) === 0 ? firstBlock : firstBlock + 1, nextBlock + 1);
    deltas.fill(moved - start, firstBlock + 1, endBlock);
    deltas.fill(this.baseLength - moved - (end - start), endBlock + 1, nextBlock);
    deltas[firstBlock] = MIXED;
    deltas[endBlock] = MIXED;
  }

  /** New offset of an old one, in base ++ rest without padding; what is at or above `baseLength` stands in the rest. */
  move(offset: number): number {
    const starts = this.#starts;
    let run = this.#firstRun[offset >>> BLOCK_BITS];
    while (run + 1 < starts.length && starts[run + 1] <= offset) run++;
    const moved = this.#moved[run];
    // The first run starts at offset 0, so one always starts at or before the offset.
    if (offset < this.#ends[run]) return moved + offset - starts[run];
    return this.baseLength + offset - (moved + this.#ends[run] - starts[run]);
  }

  /** Copies the strings of the base to `to`, from `at` on. */
  copyBase(to: Uint8Array, at: number): void {
    for (let run = 0; run < this.#starts.length; run++)
      to.set(this.#strings.subarray(this.#starts[run], this.#ends[run]), at + this.#moved[run]);
  }

  /** Copies the strings of the rest to `to`, from `at` on. */
  copyRest(to: Uint8Array, at: number): void {
    for (let run = 0; run < this.#starts.length; run++) {
      const from = this.#ends[run];
      const end = run + 1 < this.#starts.length ? this.#starts[run + 1] : this.#end;
      to.set(this.#strings.subarray(from, end), at);
      at += end - from;
    }
  }
}

/** One bit a byte of the string section: set where a name of the base starts, and for the empty name at 0. */
function usedNames({ words, roles, strings }: Btf, runs: Uint32Array): Uint32Array {
  const used = new Uint32Array((strings.length >>> 5) + 1);
  used[0] = 1;
  for (let run = 0; run < runs.length; run += 2) {
    const end = runs[run];
    for (let i = run === 0 ? 0 : runs[run - 1]; i < end; i++)
      if (roles[i] === ROLE_STRING) used[words[i] >>> 5] |= 1 << (words[i] & 31);
  }
  return used;
}

/** Start and end of each run of neighbouring stored strings of which a name is used, ascending. */
function stringRuns(strings: Uint8Array, used: Uint32Array): number[] {
  const bounds: number[] = [];
  let previousEnd = 0;
  for (let word = 0; word < used.length; word++) {
    for (let bits = used[word]; bits !== 0; bits &= bits - 1) {
      const offset = word * 32 + 31 - Math.clz32(bits & -bits);
      if (offset < previousEnd) continue;
      let start = offset;
      while (start > previousEnd && strings[start - 1] !== 0) start--;
      let end = offset;
      while (strings[end] !== 0) end++;
      if (start === previousEnd && bounds.length > 0) bounds[bounds.length - 1] = end + 1;
      else bounds.push(start, end + 1);
      previousEnd = end + 1;
    }
  }
  return bounds;
}
