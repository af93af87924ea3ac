import { IS_COMPOSITE, infoKindFlag, infoVlen } from '../btf/kinds.js';
import { bitOffset, bitWidth, type Joined, kindOf } from './joined.js';

/** A member as C sees it: those of a nameless struct within are members of the outer one. */
export interface FlatMember {
  /** Name number. */
  readonly name: number;
  /** Joint id. */
  readonly type: number;
  /** From the start of the outermost struct, in bits. */
  readonly bits: number;
  /** Of a bit field; 0 for other members. */
  readonly width: number;
}

/** Nameless structs within each other; a file may nest more, or for ever. */
const DEEPEST = 16;

/** Reads members; nameless structs are entered until `steps` members of them were read, in all structs together. */
export class MemberReader {
  readonly #joined: Joined;
  #left: number;

  constructor(joined: Joined, steps: number = joined.words.length) {
    this.#joined = joined;
    this.#left = steps;
  }

  /** Of a STRUCT or UNION. */
  members(id: number): FlatMember[] {
    const found: FlatMember[] = [];
    this.#add(found, id, 0, 0);
    return found;
  }

  #add(found: FlatMember[], id: number, base: number, depth: number): void {
    const { words, starts } = this.#joined;
    const at = starts[id];
    const flag = infoKindFlag(words[at + 1]);
    const count = infoVlen(words[at + 1]);
    for (let word = at + 3; word < at + 3 + count * 3; word += 3) {
      const name = words[word];
      const type = words[word + 1];
      const bits = base + bitOffset(words[word + 2], flag);
      if (name === 0 && depth < DEEPEST && this.#mayEnter(type)) this.#add(found, type, bits, depth + 1);
      else found.push({ name, type, bits, width: bitWidth(words[word + 2], flag) });
    }
  }

  #mayEnter(type: number): boolean {
    const { words, starts } = this.#joined;
    if (type === 0 || IS_COMPOSITE[kindOf(this.#joined, type)] === 0 || words[starts[type]] !== 0) return false;
    const members = infoVlen(words[starts[type] + 1]);
    if (members > this.#left) return false;
    this.#left -= members;
    return true;
  }
}
