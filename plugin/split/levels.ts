import {
  IS_COMPOSITE,
  KIND_CONST,
  KIND_PTR,
  KIND_RESTRICT,
  KIND_TYPE_TAG,
  KIND_VOLATILE,
  kindSet,
} from '../btf/kinds.js';

/** How much of a type is needed under the closure `forward`. */
export const NOTHING = 0;
/** That it exists: all that a pointer to it says. A named struct or union may be a FWD. */
export const NAME_ONLY = 1;
export const WHOLE = 2;

export const IS_NAMELESS_MODIFIER = kindSet(KIND_CONST, KIND_VOLATILE, KIND_RESTRICT, KIND_TYPE_TAG);

/**
 * What a type gets of which `much` is needed: a FWD has a name, and what is reached through a typedef, an array or a prototype is
 * used as what it is.
 */
export function settledLevel(much: number, kind: number, isNamed: boolean): number {
  return much === NAME_ONLY && IS_NAMELESS_MODIFIER[kind] === 0 && !(IS_COMPOSITE[kind] === 1 && isNamed)
    ? WHOLE
    : much;
}

/** What a type that has `level`, settled and not a struct of which only the name is needed, needs of those it refers to. */
export function levelBehind(level: number, kind: number): number {
  return kind === KIND_PTR ? NAME_ONLY : IS_NAMELESS_MODIFIER[kind] === 1 ? level : WHOLE;
}

/** What a base has of the types it was split from. */
export interface InBase {
  /** Id in the base of each type, by its id before; 0 for one that is not there. */
  readonly ids: Uint32Array;
  /** {@link NOTHING}; {@link NAME_ONLY} for a FWD in its place, and for modifiers in front of one; {@link WHOLE}. */
  readonly levels: Uint8Array;
}

/** Closure `complete`: what is there is there as it was. */
export function wholeInBase(ids: Uint32Array): InBase {
  const levels = new Uint8Array(ids.length);
  // Not Uint8Array.from: through an iterator it takes 25 ms for a kernel.
  for (let id = 0; id < ids.length; id++) if (ids[id] !== 0) levels[id] = WHOLE;
  return { ids, levels };
}
