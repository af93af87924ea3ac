import { Btf } from '../btf/btf.js';
import { BTF_VERSION, HEADER_BYTES, HEADER_BYTES_LAYOUT } from '../btf/header.js';
import { KIND_STRUCT } from '../btf/kinds.js';
import type { ByteSource } from '../bytes/source.js';
import { matches, windows } from '../bytes/window.js';
import { CodedError } from '../errors.js';

/** A struct that every kernel has, whole; a BPF program's BTF that a kernel carries (kernel/bpf/preload) names it at most. */
const KERNEL_STRUCT = 'task_struct';
/** Places of that name, or of the end of a longer one, in the strings. */
const MOST_NAMED = 1000;
/** Headers that are tried, the largest first; a kernel has one, and some by chance. */
const MOST_TRIED = 16;

/** Magic and version, in either byte order. */
const STARTS = [
  { start: Buffer.from([0x9f, 0xeb, BTF_VERSION]), little: true },
  { start: Buffer.from([0xeb, 0x9f, BTF_VERSION]), little: false },
];

export interface FoundBtf {
  /** In the source, in bytes. */
  readonly offset: number;
  readonly bytes: Uint8Array;
  readonly btf: Btf;
  /** How many other BTFs were there: smaller ones, and no kernel's. */
  readonly others: number;
}

interface Candidate {
  readonly offset: number;
  readonly length: number;
}

const largestFirst = (a: Candidate, b: Candidate): number => b.length - a.length;

/**
 * The BTF of a kernel in a binary without section headers: of what starts with a BTF header, the largest that decodes whole and has a
 * struct task_struct. `most`: bytes of a BTF at most; all that are decoded may have twice that. One pass over the source.
 */
export function findKernelBtf(source: ByteSource, most: number): FoundBtf | undefined {
  let found: FoundBtf | undefined;
  let others = 0;
  let room = 2 * most;
  for (const { offset, length } of candidates(source, most)) {
    room -= length;
    if (room < 0) break;
    const bytes = source.read(offset, length);
    const btf = decode(bytes);
    if (btf === undefined) continue;
    if (found === undefined && isKernel(btf)) found = { offset, bytes, btf, others };
    else others++;
  }
  return found && { ...found, others };
}

/** Where a header stands whose sections lie inside the source, the largest first. */
function candidates(source: ByteSource, most: number): Candidate[] {
  const found: Candidate[] = [];
  for (const window of windows(source, HEADER_BYTES_LAYOUT))
    for (const { start, little } of STARTS)
      for (const at of matches(window, start)) {
        const offset = window.offset + at;
        const length = lengthAt(window.bytes, at, little);
        if (length === 0 || length > Math.min(most, source.size - offset)) continue;
        if (found.length === MOST_TRIED && length <= found[MOST_TRIED - 1].length) continue;
        found.push({ offset, length });
        found.sort(largestFirst).splice(MOST_TRIED);
      }
  return found;
}

/** How long a BTF is by its header, in bytes; 0 for what no linker or pahole writes: other headers, gaps, no types, no strings. */
function lengthAt(bytes: Buffer, at: number, little: boolean): number {
  if (at + HEADER_BYTES_LAYOUT > bytes.length) return 0;
  const u32 = (field: number): number => (little ? bytes.readUInt32LE(at + field) : bytes.readUInt32BE(at + field));
  const header = u32(4);
  if (header !== HEADER_BYTES && header !== HEADER_BYTES_LAYOUT) return 0;
  const types = u32(12);
  const strings = u32(20);
  const layout = header === HEADER_BYTES_LAYOUT ? u32(28) : 0;
  const end = Math.max(u32(8) + types, u32(16) + strings, layout === 0 ? 0 : u32(24) + layout);
  return types > 0 && strings > 0 && end === types + strings + layout ? header + end : 0;
}

function decode(bytes: Uint8Array): Btf | undefined {
  try {
    return Btf.decode(bytes);
  } catch (error) {
    if (error instanceof CodedError) return undefined;
    throw error;
  }
}

function isKernel(btf: Btf): boolean {
  const strings = Buffer.from(btf.strings.buffer, btf.strings.byteOffset, btf.strings.length);
  const name = Buffer.from(`${KERNEL_STRUCT}\0`);
  const named = new Set<number>();
  for (let at = strings.indexOf(name); at >= 0 && named.size < MOST_NAMED; at = strings.indexOf(name, at + 1))
    named.add(at);
  return btf.ofKind(KIND_STRUCT).some(id => named.has(btf.nameOffset(id)) && btf.vlen(id) > 0);
}
