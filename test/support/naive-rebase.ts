import * as kinds from '../../plugin/btf/kinds.js';
import { type NaiveBtf, type NaiveType, naiveParse } from './naive-btf.js';

/** A type of a BTF or of what it is split on. */
export function naiveType(btf: NaiveBtf, id: number): NaiveType {
  if (id < btf.firstId && btf.base !== undefined) return naiveType(btf.base, id);
  return btf.types[id - btf.firstId];
}

export interface NaiveCase {
  readonly original: Uint8Array;
  readonly module: Uint8Array;
  /** `.BTF` of the split kernel. */
  readonly base: Uint8Array;
  /** Old id → id in the base, and how much of the type is there: 1 for its name, 2 for all of it; 0 for nothing. */
  readonly inBase: { readonly ids: ArrayLike<number>; readonly levels: ArrayLike<number> };
  readonly reach: 'complete' | 'forward';
  readonly rebased: Uint8Array;
  /** Old ids of the module's own types that stay, ascending, and where they are said to be now. */
  readonly own: readonly number[];
  readonly ownNow: readonly number[];
}

const MODIFIERS = [kinds.KIND_CONST, kinds.KIND_VOLATILE, kinds.KIND_RESTRICT, kinds.KIND_TYPE_TAG];
const COMPOSITES = [kinds.KIND_STRUCT, kinds.KIND_UNION];
const [NAME, WHOLE] = [1, 2];

type Levels = Map<number, number>;

/**
 * How much of each type is needed by those that `levels` names, by a fixed point. With `forward`, a pointer needs the name of a
 * struct or union behind it, through nameless modifiers as well.
 */
export function naiveLevels(
  typeOf: (id: number) => NaiveType,
  levels: Levels,
  reach: NaiveCase['reach'],
  stopsAt: (id: number, level: number) => boolean = () => false,
): Levels {
  const settled = (id: number, much: number): number => {
    const { kind, name } = typeOf(id);
    return MODIFIERS.includes(kind) || (COMPOSITES.includes(kind) && name !== '') ? much : WHOLE;
  };
  for (let changed = true; changed; ) {
    changed = false;
    for (const [id, level] of levels) {
      const { kind, refs } = typeOf(id);
      if (stopsAt(id, level) || (level === NAME && COMPOSITES.includes(kind))) continue;
      const pointed = kind === kinds.KIND_PTR ? NAME : MODIFIERS.includes(kind) ? level : WHOLE;
      for (const ref of refs) {
        if (ref === 0) continue;
        const much = reach === 'forward' ? settled(ref, pointed) : WHOLE;
        if ((levels.get(ref) ?? 0) >= much) continue;
        levels.set(ref, much);
        changed = true;
      }
    }
  }
  return levels;
}

/** How much of each type a module needs whose own types are `own`. */
function moduleLevels(btf: NaiveBtf, { own, reach, inBase }: NaiveCase): Levels {
  const typeOf = (id: number): NaiveType => naiveType(btf, id);
  const stopsAt = (id: number, level: number): boolean => id < btf.firstId && inBase.levels[id] >= level;
  const isPassing = (id: number): boolean => reach === 'forward' && MODIFIERS.includes(typeOf(id).kind);
  const levels: Levels = new Map(own.filter(id => !isPassing(id)).map(id => [id, WHOLE]));
  naiveLevels(typeOf, levels, reach, stopsAt);
  for (const id of own) if (!levels.has(id)) levels.set(id, WHOLE);
  return naiveLevels(typeOf, levels, reach, stopsAt);
}

/**
 * Every way in which a re-based module is not its original, as sentences. Knows nothing of how it was made: walks both
 * BTFs from the module's own types on, in step, and demands one new id for each old one.
 */
export function rebaseMistakes(test: NaiveCase): string[] {
  const original = naiveParse(test.original);
  const before = naiveParse(test.module, original);
  const base = naiveParse(test.base);
  const after = naiveParse(test.rebased, base);
  const levels = moduleLevels(before, test);
  const mistakes: string[] = [];
  const newId = new Map<number, number>([[0, 0]]);
  const queue: number[] = [];
  const pair = (old: number, now: number): void => {
    const known = newId.get(old);
    if (known === undefined) {
      newId.set(old, now);
      queue.push(old);
    } else if (known !== now) mistakes.push(`type ${old} is both ${known} and ${now}`);
  };
  for (const [i, old] of test.own.entries()) pair(old, test.ownNow[i]);
  if (test.own.length !== test.ownNow.length || test.ownNow.some((id, i) => i > 0 && id <= test.ownNow[i - 1]))
    mistakes.push('its own types are out of order');
  for (let old = queue.pop(); old !== undefined; old = queue.pop()) {
    const now = newId.get(old) ?? 0;
    const level = levels.get(old) ?? 0;
    if (level === 0) mistakes.push(`type ${old} is needed by none`);
    if (old < before.firstId && test.inBase.levels[old] >= level) {
      const inBase = test.inBase.ids[old];
      if (now !== inBase) mistakes.push(`type ${old} is ${inBase} in the base, not ${now}`);
      continue;
    }
    if (now < after.firstId) {
      mistakes.push(`type ${old} became ${now}, which the base has under another id`);
      continue;
    }
    const [was, is] = [naiveType(before, old), naiveType(after, now)];
    if (level === NAME && COMPOSITES.includes(was.kind)) {
      if (is.kind !== kinds.KIND_FWD || is.name !== was.name || is.flag !== (was.kind === kinds.KIND_UNION))
        mistakes.push(`type ${now} is no FWD for ${old}`);
      continue;
    }
    const { refs: wasRefs, ...wasRest } = was;
    const { refs: isRefs, ...isRest } = is;
    if (JSON.stringify(wasRest) !== JSON.stringify(isRest) || wasRefs.length !== isRefs.length)
      mistakes.push(`type ${old} differs from ${now}`);
    else for (const [i, ref] of wasRefs.entries()) pair(ref, isRefs[i]);
  }
  // What no reference leads to: tags of copied types, which follow them.
  const met = new Set(newId.values());
  for (let id = after.firstId; id < after.firstId + after.types.length; id++)
    if (!met.has(id) && naiveType(after, id).kind !== kinds.KIND_DECL_TAG)
      mistakes.push(`type ${id} is needed by none`);
  const copied = [...newId]
    .filter(([old, now]) => old < before.firstId && now >= after.firstId)
    .sort(([a], [b]) => a - b);
  if (copied.some(([, now], i) => i > 0 && now <= copied[i - 1][1])) mistakes.push('copied types are out of order');
  return [...mistakes, ...stringMistakes(base, after)];
}

function stringMistakes(base: NaiveBtf, after: NaiveBtf): string[] {
  const split = (btf: NaiveBtf): string[] => Buffer.from(btf.strings).toString('latin1').split('\0').slice(0, -1);
  const known = new Set(split(base));
  const own = split(after);
  return [
    ...own.filter(text => known.has(text)).map(text => `the string ${JSON.stringify(text)} is in the base as well`),
    ...(own.length > new Set(after.nameOffsets).size ? ['it has strings that no type names'] : []),
  ];
}
