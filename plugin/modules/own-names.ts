import type { Btf } from '../btf/btf.js';
import { groupBy } from '../group-by.js';

/** The own types of a kind in a module's BTF, by name. Names may stand in the strings of vmlinux. */
export class OwnTypes {
  readonly #byName: ReadonlyMap<string, readonly number[]>;
  readonly #taken = new Set<string>();

  constructor(btf: Btf, kind: number) {
    this.#byName = groupBy(btf.ofKind(kind), id => btf.name(id));
  }

  /** Ids of the types of a name, ascending; none when they have been taken: many may ask for what many are named. */
  takeNamed(name: string): readonly number[] {
    if (this.#taken.has(name)) return [];
    this.#taken.add(name);
    return this.#byName.get(name) ?? [];
  }

  /** Ids of the types whose name starts with a prefix, ascending. */
  startingWith(prefix: string): number[] {
    return [...this.#byName].flatMap(([name, ids]) => (name.startsWith(prefix) ? ids : [])).sort((a, b) => a - b);
  }
}
