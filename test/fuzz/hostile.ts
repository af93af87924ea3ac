import { KIND_FUNC, KIND_STRUCT, KIND_TYPEDEF } from '../../plugin/btf/kinds.js';
import { MemorySource } from '../../plugin/bytes/source.js';
import { EM_ARM, SHF_ALLOC, SHT_PROGBITS, STB_LOCAL, STT_FUNC, STT_OBJECT } from '../../plugin/elf/constants.js';
import { ElfFile } from '../../plugin/elf/file.js';
import { writeObject } from '../../plugin/elf/write-object.js';
import { BtfBuilder } from '../support/build-btf.js';
import { ARM, IDS, kernelImage } from './seeds/kernel.js';
import { kernelTypes } from './seeds/kernel-btf.js';

/**
 * A file of a few MB whose lengths and offsets are all true, and that costs minutes or gigabytes where work grows with the
 * square of a number in it. Mutations of small files do not find these.
 */
export interface Hostile {
  readonly name: string;
  /** Of targets.ts. */
  readonly target: string;
  readonly parts: () => Uint8Array[];
  /** `fine`, or the code of the error. */
  readonly comesTo: string;
}

/** A square of it is far beyond a second; what is linear in it stays below one, also where memory is slow to come. */
export const MANY = 40_000;
const LONG = '__bpf_trace_'.repeat(80_000);
/** All types, by the first and what it leads to. */
export const FIRST = Buffer.from('1\n');

/** Where the last set of the kernel's `.BTF_ids` stands. */
const SET_AT = IDS + 44n;

export const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

/** BTF whose names are tails of one name of a megabyte. */
export function sharedNames(add: (b: BtfBuilder, name: (nth: number) => number) => void): Uint8Array {
  const b = new BtfBuilder();
  b.int('int', 4);
  const start = b.ownString(LONG);
  add(b, nth => start + 12 * nth);
  return b.build();
}

/** Names that FNV-1a, from its usual start, takes for the same: pairs of equal blocks, one behind the other. */
export function equalHashes(count: number): string[] {
  let state = 2166136261;
  const pairs: (readonly [string, string])[] = [];
  while (2 ** pairs.length < count) {
    const seen = new Map<number, number>();
    for (let i = 0; ; i++) {
      const hash = block(i).reduce((hash, byte) => Math.imul(hash ^ byte, 16777619), state);
      const other = seen.get(hash);
      seen.set(hash, i);
      if (other === undefined) continue;
      pairs.push([String.fromCharCode(...block(other)), String.fromCharCode(...block(i))]);
      state = hash;
      break;
    }
  }
  const names = upTo(count).map(n => pairs.map((pair, bit) => pair[(n >> bit) & 1]).join(''));
  if (new Set(names).size !== count) throw new Error('two names are one');
  return names;
}

/** Five letters that stand for a number below 2^30, neighbours far from each other. */
function block(i: number): number[] {
  const bits = Math.imul(i, 0x9e3779b1) >>> 2;
  return [0, 6, 12, 18, 24].map(shift => 0x40 + ((bits >>> shift) & 0x3f));
}

function typedefs(names: readonly string[]): Uint8Array {
  const b = new BtfBuilder();
  const int = b.int('int', 4);
  for (const name of names) b.typedef(name, int);
  return b.build();
}

/** A kernel whose struct sk_buff, a root, leads to the last of `length` pointers by way of all others. */
function longChain(length: number): Uint8Array {
  const { bytes } = kernelTypes('little', 4, 24, b => {
    b.struct('sk_buff', 4, [{ name: 'next', type: b.endId + 1, bits: 0 }]);
    for (const _ of upTo(length)) b.ptr(b.endId + 1);
    b.int('at_the_end', 4);
  });
  return kernelImage(ARM, bytes);
}

/** A kernel with `count` symbols in `.BTF_ids` that all have the name of the last one. */
function sharedSymbolName(count: number): Uint8Array {
  const symbol = { section: '.BTF_ids', value: 0n, size: 0, type: STT_OBJECT, bind: STB_LOCAL };
  const more = upTo(count).map(() => ({ ...symbol, name: '' }));
  const bytes = kernelImage(ARM, undefined, { symbols: [...more, { ...symbol, name: LONG }] });
  const { offset, size } = ElfFile.open(new MemorySource(bytes, 'kernel')).section('.symtab');
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, size);
  const strings = ElfFile.open(new MemorySource(bytes, 'kernel')).section('.strtab');
  const long = Buffer.from(bytes.buffer, strings.offset, strings.size).indexOf(LONG, 0, 'latin1');
  for (let at = 16; at < size; at += 16) if (view.getUint32(at, true) === 0) view.setUint32(at, long, true);
  return bytes;
}

/** A kernel with many symbols at one place of it; `besides`: as many of another name at the start of `.BTF_ids`. */
function withSymbols(
  name: string,
  section: string,
  value: bigint,
  size: number,
  type: number,
  besides?: string,
): Uint8Array {
  const symbol = { section, value: ARM.start + value, size, type, bind: STB_LOCAL };
  const first = { ...symbol, section: '.BTF_ids', value: ARM.start + IDS, size: 4 };
  const more = upTo(MANY).flatMap(nth => [
    { ...symbol, name: `${name}${nth}` },
    ...(besides === undefined ? [] : [{ ...first, name: `${besides}${nth}` }]),
  ]);
  return kernelImage(ARM, undefined, { symbols: more });
}

function emptyModinfo(bytes: number): Uint8Array {
  const section = { name: '.modinfo', type: SHT_PROGBITS, flags: SHF_ALLOC, align: 1, data: new Uint8Array(bytes) };
  return writeObject({ class: 32, order: 'little', machine: EM_ARM, flags: 0, sections: [section], symbols: [] });
}

export const HOSTILE: readonly Hostile[] = [
  {
    name: 'types named by the tails of one long name',
    target: 'btf',
    parts: () => [sharedNames((b, name) => upTo(MANY).map(nth => b.record(KIND_TYPEDEF, name(nth), {}, 1)))],
    comesTo: 'btf-strings',
  },
  {
    name: 'members named by the tails of one long name',
    target: 'partition',
    parts: () => {
      const vlen = 5000;
      const bytes = sharedNames((b, name) => {
        for (let from = 0; from < MANY; from += vlen)
          b.record(KIND_STRUCT, '', { vlen }, 4, ...upTo(vlen).flatMap(nth => [name(from + nth), 1, 0]));
      });
      return [bytes, FIRST];
    },
    comesTo: 'btf-strings',
  },
  {
    name: 'functions of tracepoints named by the tails of one long name',
    target: 'partition',
    parts: () => [sharedNames((b, name) => upTo(MANY).map(nth => b.record(KIND_FUNC, name(nth), {}, 1))), FIRST],
    comesTo: 'btf-strings',
  },
  {
    name: 'names with one hash',
    target: 'partition',
    parts: () => [typedefs(equalHashes(30_000)), FIRST],
    comesTo: 'fine',
  },
  {
    name: 'a chain of many pointers, explained',
    target: 'commands',
    parts: () => [longChain(MANY), Buffer.from('int:at_the_end')],
    comesTo: 'fine',
  },
  {
    name: 'a chain of many pointers, and what retains most',
    target: 'top',
    parts: () => [longChain(MANY)],
    comesTo: 'fine',
  },
  {
    name: 'symbols that share a long name',
    target: 'kernel',
    parts: () => [sharedSymbolName(MANY)],
    comesTo: 'elf-symbols',
  },
  {
    name: 'many variables for one struct_ops',
    target: 'kernel',
    parts: () => [withSymbols('v', '.data', 0x2000n, 16, STT_OBJECT)],
    comesTo: 'fine',
  },
  {
    name: 'many symbols at one stub',
    target: 'kernel',
    parts: () => [withSymbols('s', '.text', 0n, 16, STT_FUNC)],
    comesTo: 'fine',
  },
  {
    name: 'many sets of ids, and many ids',
    target: 'kernel',
    parts: () => [withSymbols('__BTF_ID__set__s', '.BTF_ids', SET_AT, 12, STT_OBJECT, '__BTF_ID__func__f__')],
    comesTo: 'btf-ids',
  },
  {
    name: 'a .modinfo of nothing but NULs',
    target: 'module',
    parts: () => [emptyModinfo(24 << 20)],
    comesTo: 'elf-section-missing',
  },
];
