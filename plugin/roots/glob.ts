import { MAX_NAME_BYTES } from '../btf/names.js';

const STAR = 0x2a;
const QUESTION = 0x3f;
const WORD_BITS = 32;

/**
 * A pattern of bytes in which `*` stands for any number of bytes and `?` for one. It is matched as an automaton whose
 * states are the bits of a few words (one for patterns of up to 31 bytes): each byte of a name is looked at once,
 * whatever the pattern.
 */
export class Glob {
  /** True when it has neither `*` nor `?`. */
  readonly exact: boolean;
  readonly #words: number;
  /** State after the last byte of the pattern. */
  readonly #end: number;
  /** By byte and word: the states that it leads on from. */
  readonly #leads: Uint32Array;
  /** By word: the states in which any byte may be skipped. */
  readonly #loops: Uint32Array;

  constructor(pattern: Uint8Array) {
    const length = pattern.reduce((count, byte) => (byte === STAR ? count : count + 1), 0);
    this.exact = !pattern.includes(STAR) && !pattern.includes(QUESTION);
    this.#end = length;
    this.#words = Math.floor(length / WORD_BITS) + 1;
    this.#leads = new Uint32Array(256 * this.#words);
    this.#loops = new Uint32Array(this.#words);
    let state = 0;
    for (const byte of pattern) {
      const word = Math.floor(state / WORD_BITS);
      const bit = 1 << (state % WORD_BITS);
      if (byte === STAR) {
        this.#loops[word] |= bit;
        continue;
      }
      for (let any = 1; any < 256; any++)
        if (byte === QUESTION || byte === any) this.#leads[any * this.#words + word] |= bit;
      state++;
    }
  }

  /** Whether the NUL-terminated name at an offset matches as a whole. One that no kernel takes, for its length, never does. */
  matches(strings: Uint8Array, offset: number): boolean {
    const words = this.#words;
    const states = new Uint32Array(words);
    states[0] = 1;
    for (let at = offset; strings[at] !== 0; at++) {
      if (at - offset === MAX_NAME_BYTES) return false;
      const leads = strings[at] * words;
      let carry = 0;
      let alive = 0;
      for (let word = 0; word < words; word++) {
        const led = states[word] & this.#leads[leads + word];
        const next = ((led << 1) | carry | (states[word] & this.#loops[word])) >>> 0;
        carry = led >>> (WORD_BITS - 1);
        states[word] = next;
        alive |= next;
      }
      if (alive === 0) return false;
    }
    return ((states[Math.floor(this.#end / WORD_BITS)] >>> (this.#end % WORD_BITS)) & 1) === 1;
  }
}
