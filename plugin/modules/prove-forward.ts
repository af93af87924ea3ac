import type { Btf } from '../btf/btf.js';
import { KIND_PTR, ROLE_TYPE } from '../btf/kinds.js';
import { isForwardOf } from '../split/forward.js';
import { IS_NAMELESS_MODIFIER, NAME_ONLY } from '../split/levels.js';
import type { Target } from './rebase.js';

const UNKNOWN = 0;
/** A FWD that stands for a definition, or a nameless modifier in front of one. */
const SHALLOW = 1;
const SOLID = 2;

/** Proves that modules of a split with closure `forward` have FWDs only where a pointer leads to them. */
export class ForwardProver {
  readonly #original: Btf;
  /** By id in the base, SHALLOW or not. */
  readonly #shallow: Uint8Array;

  constructor({ original, base, inBase }: Target) {
    this.#original = original;
    this.#shallow = new Uint8Array(base.endId);
    for (let id = 1; id < inBase.ids.length; id++)
      if (inBase.levels[id] === NAME_ONLY) this.#shallow[inBase.ids[id]] = SHALLOW;
  }

  /** True when the `i`th type of a module is a FWD in the place of a struct or union of the original. */
  standsFor(rebased: Btf, i: number, from: number): boolean {
    return isForwardOf(rebased, rebased.firstId + i, this.#original, from);
  }

  /** `standIns`: 1 for each own type that is a FWD in the place of a definition. Linear in the words of `rebased`. */
  prove(rebased: Btf, standIns: Uint8Array, fail: (detail: string) => never): void {
    const { words, roles, starts, firstId } = rebased;
    const known = this.#modifiers(rebased, standIns);
    for (let i = 0; i < known.length; i++) {
      if (known[i] === SHALLOW || rebased.kind(firstId + i) === KIND_PTR) continue;
      for (let at = starts[i] + 2; at < starts[i + 1]; at++)
        if (roles[at] === ROLE_TYPE && this.#isShallow(words[at], known, firstId))
          fail(`type ${firstId + i} needs more of type ${words[at]} than a FWD`);
    }
  }

  #isShallow(id: number, known: Uint8Array, firstId: number): boolean {
    return (id < firstId ? this.#shallow[id] : known[id - firstId]) === SHALLOW;
  }

  /** SHALLOW or SOLID for each own modifier: each is looked at once, however long the chains are. */
  #modifiers(rebased: Btf, standIns: Uint8Array): Uint8Array {
    const { firstId } = rebased;
    const known = Uint8Array.from(standIns, flag => (flag === 1 ? SHALLOW : UNKNOWN));
    for (let i = 0; i < known.length; i++) {
      const chain: number[] = [];
      let id = firstId + i;
      while (id >= firstId && known[id - firstId] === UNKNOWN && IS_NAMELESS_MODIFIER[rebased.kind(id)] === 1) {
        known[id - firstId] = SOLID;
        chain.push(id - firstId);
        id = rebased.sizeOrType(id);
      }
      if (this.#isShallow(id, known, firstId)) for (const link of chain) known[link] = SHALLOW;
    }
    return known;
  }
}
