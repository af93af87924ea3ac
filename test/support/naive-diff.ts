import * as kinds from '../../plugin/btf/kinds.js';
import type { NaiveBtf, NaiveType } from './naive-btf.js';

/** Ids of one side or both; 0 for what is not there. */
export type NaiveRow = readonly [verdict: string, before: number, after: number];

const NAMELESS: readonly number[] = [
  kinds.KIND_PTR,
  kinds.KIND_ARRAY,
  kinds.KIND_CONST,
  kinds.KIND_VOLATILE,
  kinds.KIND_RESTRICT,
  kinds.KIND_FUNC_PROTO,
  kinds.KIND_TYPE_TAG,
];
const SIZED: readonly number[] = [
  kinds.KIND_INT,
  kinds.KIND_STRUCT,
  kinds.KIND_UNION,
  kinds.KIND_ENUM,
  kinds.KIND_ENUM64,
  kinds.KIND_FLOAT,
  kinds.KIND_DATASEC,
];
const COMPOSITE: readonly number[] = [kinds.KIND_STRUCT, kinds.KIND_UNION];
const DEPTH = 32;

function get(btf: NaiveBtf, id: number): NaiveType {
  if (btf.base !== undefined && id < btf.firstId) return get(btf.base, id);
  return btf.types[id - btf.firstId];
}

function named({ kind, name }: NaiveType): boolean {
  return name !== '' && !NAMELESS.includes(kind);
}

/** `struct`, `union` and `enum` as C says them, whether declared or defined. */
function spelled({ kind, flag }: NaiveType): number {
  if (kind === kinds.KIND_FWD) return flag ? kinds.KIND_UNION : kinds.KIND_STRUCT;
  return kind === kinds.KIND_ENUM64 ? kinds.KIND_ENUM : kind;
}

/** Answers by pair and depth: structs that contain each other would be compared 2^32 times. */
type Known = Map<string, boolean>;

/** Two types as they are referred to, to the depth that the rule has. */
function sameReference(a: NaiveBtf, x: number, b: NaiveBtf, y: number, depth: number, known: Known): boolean {
  const key = `${x} ${y} ${depth}`;
  const answer = known.get(key) ?? compareReference(a, x, b, y, depth, known);
  known.set(key, answer);
  return answer;
}

function compareReference(a: NaiveBtf, x: number, b: NaiveBtf, y: number, depth: number, known: Known): boolean {
  if (x === 0 || y === 0) return x === y;
  const [s, t] = [get(a, x), get(b, y)];
  if (named(s) !== named(t)) return false;
  if (named(s)) return s.name === t.name && spelled(s) === spelled(t);
  return s.kind === t.kind && (depth === 0 || sameContent(a, s, b, t, depth - 1, known));
}

function sameContent(a: NaiveBtf, s: NaiveType, b: NaiveBtf, t: NaiveType, depth: number, known: Known): boolean {
  const composite = COMPOSITE.includes(s.kind);
  if (s.kind !== t.kind || s.name !== t.name || s.vlen !== t.vlen || (!composite && s.flag !== t.flag)) return false;
  if (s.names.some((name, i) => name !== t.names[i])) return false;
  const values = ({ plain, flag }: NaiveType): string[] =>
    plain.map((word, i) =>
      composite && i > 0 && flag ? `${word & 0xffffff}:${word >>> 24}` : composite && i > 0 ? `${word}:0` : `${word}`,
    );
  if (values(s).join() !== values(t).join()) return false;
  const refs = s.kind === kinds.KIND_ARRAY ? 1 : s.refs.length;
  return s.refs.slice(0, refs).every((ref, i) => sameReference(a, ref, b, t.refs[i], depth, known));
}

/**
 * What became of each named type: every type of one side is held against every one of the other, and every member compared, as often as it
 * comes up. `baseTypes`: of splits, how many of the types are the base.
 */
export function naiveDiff(a: NaiveBtf, b: NaiveBtf, baseTypes?: readonly [number, number]): NaiveRow[] {
  const free = new Set(b.types.map((_, i) => i));
  const rows: NaiveRow[] = [];
  const known: Known = new Map();
  const idA = (i: number): number => a.firstId + i;
  const idB = (j: number): number => b.firstId + j;
  const left: number[] = [];
  for (const [i, s] of a.types.entries()) {
    if (!named(s)) continue;
    const j = b.types.findIndex((t, j) => free.has(j) && sameContent(a, s, b, t, DEPTH, known));
    if (j < 0) {
      left.push(i);
      continue;
    }
    free.delete(j);
    const moved = baseTypes !== undefined && i < baseTypes[0] !== j < baseTypes[1];
    rows.push([moved ? 'moved' : 'same', idA(i), idB(j)]);
  }
  for (const i of left) {
    const s = a.types[i];
    const j =
      s.kind === kinds.KIND_DECL_TAG
        ? -1
        : b.types.findIndex((t, j) => free.has(j) && t.kind === s.kind && t.name === s.name);
    free.delete(j);
    if (j < 0) rows.push(['removed', idA(i), 0]);
    else {
      const by = SIZED.includes(s.kind) ? b.types[j].plain[0] - s.plain[0] : 0;
      rows.push([by > 0 ? 'grown' : by < 0 ? 'shrunk' : 'changed', idA(i), idB(j)]);
    }
  }
  for (const j of free) if (named(b.types[j])) rows.push(['added', 0, idB(j)]);
  return rows;
}
