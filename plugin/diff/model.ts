import type { Btf } from '../btf/btf.js';

/** One of the two BTFs that are compared. Of split BTF its own types count; what they refer to in the base is known by name. */
export interface DiffSide {
  readonly btf: Btf;
  /** Own types 1 … `baseTypes` are the base of a split, the others its rest. Undefined where no split is known. */
  readonly baseTypes?: number | undefined;
}

/** By falling weight: what grew and moved is `grown`. */
export const VERDICTS = ['added', 'removed', 'grown', 'shrunk', 'changed', 'moved'] as const;
export type Verdict = (typeof VERDICTS)[number];

/** A number on both sides; 0 where the type is not there. */
export interface Both {
  readonly before: number;
  readonly after: number;
}

export type SplitSide = 'base' | 'rest';

/** What became of one named type. */
export interface TypeChange {
  readonly verdict: Verdict;
  readonly kind: string;
  /** Of a tag, with what it tags: `bpf_kfunc of func bpf_cast_to_kern_ctx`. */
  readonly name: string;
  /** Type ids. */
  readonly id: Both;
  /** Bytes of memory, of kinds that have a size: INT, STRUCT, UNION, ENUM, ENUM64, FLOAT, DATASEC. */
  readonly size?: Both;
  /** Bytes of its record in the BTF, its name not counted. */
  readonly record: Both;
  /** Where it is, when both sides are splits. */
  readonly side?: { readonly before?: SplitSide; readonly after?: SplitSide };
  /** What differs in it, at most {@link MOST_CHANGES}; none for what was added, removed or only moved. */
  readonly changes: readonly Change[];
  /** Changes beyond those. */
  readonly more?: number;
}

export const MOST_CHANGES = 32;

/** One difference within a type. `before` and `after`: types as C would spell them, or values; only what is there. */
export interface Change {
  readonly what: 'added' | 'removed' | 'moved' | 'retyped' | 'resized' | 'value' | 'renamed' | 'regrouped' | 'flags';
  readonly of: 'member' | 'value' | 'parameter' | 'variable' | 'result' | 'type' | 'linkage' | 'encoding';
  /** Of the member, value, variable or parameter; empty for one without a name, and for the type itself. */
  readonly name: string;
  readonly before?: string;
  readonly after?: string;
  /** Of what moved: bits of a member, bytes of a variable. */
  readonly by?: number;
}

/** Types and bytes on both sides; `up` and `down` count what came and what went, so `after - before` is `up - down`. */
export interface BytesRow {
  /** A kind (its records, named and nameless), `names`, `other strings`, or `header`. */
  readonly part: string;
  readonly types: Both;
  readonly bytes: Both;
  readonly up: number;
  readonly down: number;
}

/** How two BTFs differ. */
export interface TypeDiff {
  /** Named types by verdict. */
  readonly verdicts: Readonly<Record<Verdict, number>>;
  readonly unchanged: number;
  /** Types that changed sides, whatever else they did; undefined unless both sides are splits. */
  readonly moved?: { readonly toBase: number; readonly toRest: number };
  /** Of the BTF: header, types, strings. The parts of `parts` add up to it. */
  readonly bytes: Both & { readonly up: number; readonly down: number };
  readonly parts: readonly BytesRow[];
  /** All named types that are not the same; those whose record changed most come first. */
  readonly types: readonly TypeChange[];
}
