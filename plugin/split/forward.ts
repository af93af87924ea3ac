import type { Btf } from '../btf/btf.js';
import { encodeBtf } from '../btf/encode.js';
import {
  HEAD_WORDS,
  IS_COMPOSITE,
  infoKind,
  KIND_ARRAY,
  KIND_CONST,
  KIND_FUNC_PROTO,
  KIND_FWD,
  KIND_PTR,
  KIND_RESTRICT,
  KIND_TYPE_TAG,
  KIND_UNION,
  KIND_VOLATILE,
  kindSet,
  ROLE_TYPE,
} from '../btf/kinds.js';
import type { NameIndex } from '../btf/names.js';
import type { Root } from '../roots/root.js';
import { Companions } from './companions.js';
import { levelBehind, NAME_ONLY, NOTHING, settledLevel, WHOLE } from './levels.js';
import { pointeesThatStay } from './pointees.js';

/** Nameless kinds between a type and the struct that it leads to: the rest may have its own copy of one. */
const IS_LINK = kindSet(KIND_PTR, KIND_CONST, KIND_VOLATILE, KIND_RESTRICT, KIND_TYPE_TAG, KIND_ARRAY, KIND_FUNC_PROTO);

/**
 * The BTF whose closure `complete` is the closure `forward` of another: in it, a struct that the base only points to is
 * two types, a FWD for the base and the definition for the rest, and so are the pointers, modifiers, arrays and
 * prototypes that lead the base to the FWD and the rest to the definition. Everything else that splits, proves and
 * measures works on it unchanged. Ids ascend with the ids they come from, so what is sorted by name stays sorted.
 */
export interface Expansion {
  /** Encoded; its strings are those of the original, offset by offset. */
  readonly bytes: Uint8Array;
  /** Id in `bytes` → id in the original; index 0 is 0. */
  readonly origin: Uint32Array;
  /** Id in the original → id of its definition: the one in the base where there is one. */
  readonly definition: Uint32Array;
  /** Id in the original → id of what the base has of it; 0 for nothing. */
  readonly inBase: Uint32Array;
  /** By id in the original, how much of it the base has (levels.ts). */
  readonly levels: Uint8Array;
  /** By id in the original, 1 for a type of the base that means there what it meant: no nameless way from it ends at a FWD. */
  readonly solid: Uint8Array;
  /** Structs and unions that the base only names. */
  readonly forwards: number;
  /** Types that stand in the base and, leading elsewhere, in the rest. */
  readonly copies: number;
}

/** `btf`: without a base. Linear in its words. */
export function expandForward(btf: Btf, names: NameIndex, roots: readonly Root[]): Expansion {
  const need = levelsOf(btf, Companions.of(btf, names), roots);
  const leads = leadsToForward(btf, need);
  const copied = copiesForRest(btf, need, leads);
  const inBase = new Uint32Array(btf.count + 1);
  const inRest = new Uint32Array(btf.count + 1);
  let count = 0;
  let length = 0;
  let forwards = 0;
  let copies = 0;
  for (let id = 1; id <= btf.count; id++) {
    const words = btf.starts[id] - btf.starts[id - 1];
    const forward = isForward(btf, need, id);
    if (need[id] !== NOTHING) {
      inBase[id] = ++count;
      length += forward ? HEAD_WORDS : words;
    }
    if (need[id] === NOTHING || forward || copied[id] !== 0) {
      inRest[id] = ++count;
      length += words;
    }
    forwards += forward ? 1 : 0;
    copies += copied[id];
  }
  const words = new Uint32Array(length);
  const origin = new Uint32Array(count + 1);
  const definition = new Uint32Array(btf.count + 1);
  let at = 0;
  for (let id = 1; id <= btf.count; id++) {
    const forward = isForward(btf, need, id);
    definition[id] = inBase[id] === 0 || forward ? inRest[id] : inBase[id];
    origin[inBase[id]] = id;
    origin[inRest[id]] = id;
    if (forward) at = putForward(btf, id, words, at);
    else if (inBase[id] !== 0) at = putRecord(btf, id, inBase, inBase, words, at);
    if (inRest[id] !== 0) at = putRecord(btf, id, inRest, inBase, words, at);
  }
  origin[0] = 0;
  const { order, header, strings, layout } = btf;
  return {
    bytes: encodeBtf({ order, flags: header.flags, words, strings, layout }),
    origin,
    definition,
    inBase,
    levels: need,
    solid: solidOf(btf, need, leads),
    forwards,
    copies,
  };
}

function kindAt(btf: Btf, id: number): number {
  return infoKind(btf.words[btf.starts[id - 1] + 1]);
}

function isForward(btf: Btf, need: Uint8Array, id: number): boolean {
  return need[id] === NAME_ONLY && IS_COMPOSITE[kindAt(btf, id)] === 1;
}

/** How much of each type the base needs, by id. A type is looked at once for each step up. */
export function levelsOf(btf: Btf, companions: Companions, roots: readonly Root[]): Uint8Array {
  const { words, roles, starts, strings } = btf;
  const need = new Uint8Array(btf.count + 1);
  const queue = new Uint32Array(2 * btf.count);
  /** 1 for a type whose ring was gone round. */
  const round = new Uint8Array(btf.count + 1);
  let length = 0;
  const want = (id: number, much: number): void => {
    if (id === 0 || need[id] >= much) return;
    const start = starts[id - 1];
    const settled = settledLevel(much, infoKind(words[start + 1]), strings[words[start]] !== 0);
    if (need[id] >= settled) return;
    need[id] = settled;
    queue[length++] = id;
  };
  for (const { id } of roots) want(id, WHOLE);
  for (const id of pointeesThatStay(btf, roots)) want(id, WHOLE);
  for (let head = 0; head < length; head++) {
    const id = queue[head];
    const start = starts[id - 1];
    const kind = infoKind(words[start + 1]);
    const level = need[id];
    if (level === NAME_ONLY && IS_COMPOSITE[kind] === 1) continue;
    const behind = levelBehind(level, kind);
    for (let i = start + 2; i < starts[id]; i++) if (roles[i] === ROLE_TYPE) want(words[i], behind);
    if (level === NAME_ONLY || round[id] === 1) continue;
    for (let other = companions.next[id]; other !== 0 && other !== id; other = companions.next[other]) {
      round[other] = 1;
      want(other, WHOLE);
    }
  }
  for (const tag of companions.tags) if (need[words[starts[tag - 1] + 2]] === WHOLE) need[tag] = WHOLE;
  return need;
}

/** 1 for each link of the base from which links lead to a FWD. */
function leadsToForward(btf: Btf, need: Uint8Array): Uint8Array {
  const forwards = need.map((_, id) => (id !== 0 && isForward(btf, need, id) ? 1 : 0));
  return linksLeadingTo(btf, forwards, id => need[id] !== NOTHING);
}

function solidOf(btf: Btf, need: Uint8Array, leads: Uint8Array): Uint8Array {
  return need.map((much, id) => (much === NOTHING || leads[id] === 1 || isForward(btf, need, id) ? 0 : 1));
}

/** 1 for each link of the base that the rest needs a copy of: one that leads to a FWD, met by a type of the rest. */
function copiesForRest(btf: Btf, need: Uint8Array, leads: Uint8Array): Uint8Array {
  const { words, roles, starts, count } = btf;
  const copied = new Uint8Array(count + 1);
  const queue = new Uint32Array(count);
  let length = 0;
  const visit = (id: number): void => {
    for (let i = starts[id - 1] + 2; i < starts[id]; i++) {
      if (roles[i] !== ROLE_TYPE || leads[words[i]] === 0 || copied[words[i]] !== 0) continue;
      copied[words[i]] = 1;
      queue[length++] = words[i];
    }
  };
  for (let id = 1; id <= count; id++) if (need[id] === NOTHING || isForward(btf, need, id)) visit(id);
  for (let head = 0; head < length; head++) visit(queue[head]);
  return copied;
}

export function isLink(btf: Btf, id: number): boolean {
  return IS_LINK[kindAt(btf, id)] === 1;
}

/** By id, 1 for each link `among` some types from which only such links lead to a target. Spreads backwards from the targets. */
export function linksLeadingTo(btf: Btf, targets: Uint8Array, among: (id: number) => boolean): Uint8Array {
  const { words, roles, starts, count } = btf;
  // Referrers in one array, by what they refer to: those of `id` stand from firsts[id] to firsts[id + 1].
  const firsts = new Uint32Array(count + 2);
  const links: number[] = [];
  for (let id = 1; id <= count; id++) {
    if (!isLink(btf, id) || !among(id)) continue;
    links.push(id);
    for (let i = starts[id - 1] + 2; i < starts[id]; i++) if (roles[i] === ROLE_TYPE) firsts[words[i] + 1]++;
  }
  for (let id = 1; id < firsts.length; id++) firsts[id] += firsts[id - 1];
  const referrers = new Uint32Array(firsts[count + 1]);
  const filled = firsts.slice();
  for (const id of links)
    for (let i = starts[id - 1] + 2; i < starts[id]; i++)
      if (roles[i] === ROLE_TYPE) referrers[filled[words[i]]++] = id;

  const leads = new Uint8Array(count + 1);
  const queue: number[] = [];
  for (let id = 1; id <= count; id++) if (targets[id] === 1) queue.push(id);
  for (let head = 0; head < queue.length; head++)
    for (let i = firsts[queue[head]]; i < firsts[queue[head] + 1]; i++) {
      if (leads[referrers[i]] === 1) continue;
      leads[referrers[i]] = 1;
      queue.push(referrers[i]);
    }
  return leads;
}

function putForward(btf: Btf, id: number, to: Uint32Array, at: number): number {
  to[at] = btf.words[btf.starts[id - 1]];
  to[at + 1] = forwardInfo(kindAt(btf, id));
  return at + HEAD_WORDS;
}

/** References go to the type of the `first` side, where it has one. */
function putRecord(btf: Btf, id: number, first: Uint32Array, second: Uint32Array, to: Uint32Array, at: number): number {
  const { words, roles, starts } = btf;
  for (let i = starts[id - 1]; i < starts[id]; i++) {
    const word = words[i];
    to[at++] = roles[i] !== ROLE_TYPE || word === 0 ? word : first[word] !== 0 ? first[word] : second[word];
  }
  return at;
}

/** True when type `id` of a BTF is a FWD that stands for the struct or union `original` of another, whatever they are named. */
export function isForwardOf(btf: Btf, id: number, other: Btf, original: number): boolean {
  const kind = other.kind(original);
  return btf.kind(id) === KIND_FWD && IS_COMPOSITE[kind] === 1 && btf.kindFlag(id) === (kind === KIND_UNION);
}

/** True when `id` of an expansion is a FWD that stands for the struct or union `original` it comes from. */
export function standsFor(expanded: Btf, id: number, btf: Btf, original: number): boolean {
  return (
    isForwardOf(expanded, id, btf, original) &&
    expanded.words[expanded.starts[id - 1]] === btf.words[btf.starts[original - 1]]
  );
}

/** Second word of a FWD for a struct or a union; kind_flag tells which. */
export function forwardInfo(kind: number): number {
  return (((kind === KIND_UNION ? 0x80 : 0) | KIND_FWD) << 24) >>> 0;
}
