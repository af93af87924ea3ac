import type { Btf } from '../btf/btf.js';
import { essentialName } from '../btf/essential.js';
import { infoKind, KIND_ENUM, KIND_ENUM64 } from '../btf/kinds.js';
import { MAX_NAME_BYTES } from '../btf/names.js';

/** What a relocation looks for: types of an essential name, and of a kind that may stand for the local one. */
export interface Wanted {
  readonly kind: number;
  /** With or without flavour. */
  readonly name: string;
}

const UNDERSCORE = 0x5f;

const comparedKind = (kind: number): number => (kind === KIND_ENUM64 ? KIND_ENUM : kind);
const keyOf = ({ kind, name }: Wanted): string => `${comparedKind(kind)} ${essentialName(name)}`;

/**
 * The types of a kernel that libbpf tries for relocations of these names, ascending (bpf_core_add_cands); the key is
 * what {@link candidateKey} gives. One pass over all names, however many are wanted.
 */
export function findCandidates(btf: Btf, wanted: readonly Wanted[]): ReadonlyMap<string, readonly number[]> {
  const found = new Map<string, number[]>();
  /** First two bytes of the names that are looked for. */
  const wantedStarts = new Uint8Array(1 << 16);
  for (const one of wanted) {
    const key = keyOf(one);
    const bytes = Buffer.from(essentialName(one.name), 'latin1');
    if (bytes.length === 0 || found.has(key)) continue;
    found.set(key, []);
    // A name of one byte is followed by NUL, or by its flavour.
    const starts = bytes.length > 1 ? [startOf(bytes, 0)] : [bytes[0] << 8, (bytes[0] << 8) | UNDERSCORE];
    for (const start of starts) wantedStarts[start] = 1;
  }
  const { words, starts, strings, count } = btf;
  for (let id = 1; id <= count; id++) {
    const head = starts[id - 1];
    const offset = words[head];
    if (offset === 0) continue;
    if (wantedStarts[startOf(strings, offset)] === 0) continue;
    const name = nameAt(strings, offset);
    if (name !== undefined) found.get(keyOf({ kind: infoKind(words[head + 1]), name }))?.push(id);
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

/** Undefined for a name that no kernel takes. */
function nameAt(strings: Uint8Array, offset: number): string | undefined {
  const bytes = strings.subarray(offset, offset + MAX_NAME_BYTES);
  const end = bytes.indexOf(0);
  return end < 0 ? undefined : Buffer.from(bytes.buffer, bytes.byteOffset, end).toString('latin1');
}
