import type { Btf } from '../btf/btf.js';
import type { NameIndex } from '../btf/names.js';
import type { Root } from '../roots/root.js';
import { type Closure, chainTo, closeOver } from './closure.js';
import type { Companions } from './companions.js';
import type { Expansion } from './forward.js';
import { closeForward, type Reach } from './split.js';
import { baseBytes } from './weigh.js';

/** What some roots keep in the base, for either closure, told in the ids of the input. */
export interface Reached {
  /** Of the base, in which a FWD counts as a type; bytes of the whole BTF, without padding. */
  readonly types: number;
  readonly bytes: number;
  /** Whether a type is in the base and means there what it meant: a FWD is not, nor what leads to one. */
  holds(id: number): boolean;
  /** The shortest way from a root to a type, both included; empty for one that the roots do not keep. */
  chain(id: number): number[];
  /** Why the first type of a chain is a root. */
  sources(id: number): string[];
}

/** `companions`: those of `btf`. With `forward` a BTF is made, so ask for few sets of roots. */
export function reachedBy(
  btf: Btf,
  names: NameIndex,
  companions: Companions,
  roots: readonly Root[],
  reach: Reach,
): Reached {
  if (reach === 'complete') return told(btf, closeOver(btf, companions, roots), undefined);
  const { expansion, expanded, closure } = closeForward(btf, names, roots);
  return told(expanded, closure, expansion);
}

function told(btf: Btf, closure: Closure, expansion: Expansion | undefined): Reached {
  const definition = (id: number): number => (expansion === undefined ? id : expansion.definition[id]);
  return {
    types: closure.types,
    bytes: baseBytes(btf, closure),
    holds: id => closure.nearest[definition(id)] !== 0 && (expansion === undefined || expansion.solid[id] === 1),
    chain: id => {
      const chain = chainTo(closure, definition(id));
      return expansion === undefined ? chain : chain.map(link => expansion.origin[link]);
    },
    sources: id => [...new Set(closure.roots.filter(root => root.id === definition(id)).map(({ source }) => source))],
  };
}
