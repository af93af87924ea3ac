import type { Btf } from '../btf/btf.js';
import { KIND_DECL_TAG, KIND_FUNC, KIND_TYPEDEF } from '../btf/kinds.js';
import { groupBy } from '../group-by.js';
import { TRACE_FUNC, TRACE_TYPEDEF } from '../split/companions.js';

/** The own types of a BTF that have to stay with another one, though it does not refer to them. */
export class OwnCompanions {
  readonly #btf: Btf;
  readonly #tags: ReadonlyMap<number, readonly number[]>;
  #traceFunctions: ReadonlyMap<string, number> | undefined;

  constructor(btf: Btf) {
    this.#btf = btf;
    this.#tags = tagsByTarget(btf);
  }

  /**
   * The DECL_TAGs on a type (on a tag too, though no kernel takes that), and with typedef `btf_trace_X` FUNC `__bpf_trace_X`,
   * without which the kernel trusts pointers that may be null.
   */
  of(id: number): readonly number[] {
    const tags = this.#tags.get(id) ?? [];
    const func = this.#btf.kind(id) === KIND_TYPEDEF ? this.#traceFunction(this.#btf.name(id)) : undefined;
    return func === undefined ? tags : [...tags, func];
  }

  #traceFunction(typedef: string): number | undefined {
    if (!typedef.startsWith(TRACE_TYPEDEF)) return undefined;
    this.#traceFunctions ??= traceFunctions(this.#btf);
    return this.#traceFunctions.get(typedef.slice(TRACE_TYPEDEF.length));
  }
}

/** The first own FUNC `__bpf_trace_X` by each X. */
function traceFunctions(btf: Btf): ReadonlyMap<string, number> {
  const functions = new Map<string, number>();
  for (const id of btf.ofKind(KIND_FUNC)) {
    const name = btf.name(id);
    if (!name.startsWith(TRACE_FUNC)) continue;
    const event = name.slice(TRACE_FUNC.length);
    if (!functions.has(event)) functions.set(event, id);
  }
  return functions;
}

function tagsByTarget(btf: Btf): ReadonlyMap<number, readonly number[]> {
  return groupBy(btf.ofKind(KIND_DECL_TAG), tag => btf.sizeOrType(tag));
}
