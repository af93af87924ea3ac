import type { Btf } from '../btf/btf.js';
import { essentialLength, essentialName } from '../btf/essential.js';
import { infoKind, KIND_ENUM, KIND_ENUM64 } from '../btf/kinds.js';
import { MAX_NAME_BYTES } from '../btf/names.js';

/** What a relocation looks for: types of an essential name, and of a kind that may stand for the local one. */
export interface Wanted {
  readonly kind: number;
  /** With or without flavour. */
  readonly name: string;
}

const UNDERSCORE = 0x5f;

interface Bucket {
  readonly kind: number;
  readonly bytes: Uint8Array;
  readonly ids: number[];
}

const comparedKind = (kind: number): number => (kind === KIND_ENUM64 ? KIND_ENUM : kind);
const keyOf = ({ kind, name }: Wanted): string => `${comparedKind(kind)} ${essentialName(name)}`;

/**
 * The types of a kernel that libbpf tries for relocations of these names, ascending (bpf_core_add_cands); the key is
 * what {@link candidateKey} gives. One pass over all names, however many are wanted.
 */
export function findCandidates(btf: Btf, wanted: readonly Wanted[]): ReadonlyMap<string, readonly number[]> {
  const found = new Map<string, number[]>();
  /** First two bytes of a name → who looks for it. */
  const byStart = new Map<number, Bucket[]>();
  for (const one of wanted) {
    const key = keyOf(one);
    const bytes = Buffer.from(essentialName(one.name), 'latin1');
    if (bytes.length === 0 || found.has(key)) continue;
    const ids: number[] = [];
    found.set(key, ids);
    const bucket = { kind: comparedKind(one.kind), bytes, ids };
    // A name of one byte is followed by NUL, or by its flavour.
    const starts = bytes.length > 1 ? [startOf(bytes, 0)] : [bytes[0] << 8, (bytes[0] << 8) | UNDERSCORE];
    for (const start of starts) byStart.set(start, [...(byStart.get(start) ?? []), bucket]);
  }
  const { words, starts, strings, count } = btf;
  for (let id = 1; id <= count; id++) {
    const head = starts[id - 1];
    const offset = words[head];
    if (offset === 0) continue;
    const buckets = byStart.get(startOf(strings, offset));
    if (buckets === undefined) continue;
    const kind = comparedKind(infoKind(words[head + 1]));
    for (const bucket of buckets)
      if (bucket.kind === kind && isEssential(strings, offset, bucket.bytes)) bucket.ids.push(id);
  }
  return found;
}

export function candidateKey(kind: number, name: string): string {
  return keyOf({ kind, name });
}

/** The first two bytes: what most names differ in from those that are wanted. */
function startOf(bytes: Uint8Array, offset: number): number {
  const first = bytes[offset];
  return first === 0 ? 0 : (first << 8) | bytes[offset + 1];
}

function isEssential(strings: Uint8Array, offset: number, wanted: Uint8Array): boolean {
  for (let i = 0; i < wanted.length; i++) if (strings[offset + i] !== wanted[i]) return false;
  const after = strings[offset + wanted.length];
  if (after === 0) return essentialLength(strings, offset, wanted.length) === wanted.length;
  if (after !== UNDERSCORE) return false;
  const name = strings.subarray(offset, offset + MAX_NAME_BYTES);
  const end = name.indexOf(0);
  return end >= 0 && essentialLength(name, 0, end) === wanted.length;
}
