import { EndianReader } from '../bytes/endian.js';
import { pieces } from '../bytes/source.js';
import { CodedError } from '../errors.js';
import {
  EM_386,
  EM_AARCH64,
  EM_ARM,
  EM_LOONGARCH,
  EM_MIPS,
  EM_PPC,
  EM_PPC64,
  EM_RISCV,
  EM_S390,
  EM_X86_64,
  ET_DYN,
  ET_EXEC,
  machineName,
  SHF_ALLOC,
  SHF_COMPRESSED,
  SHT_REL,
  SHT_RELA,
  SHT_RELR,
} from './constants.js';
import type { ElfFile, ElfSection } from './file.js';

/**
 * The relocation that adds the load address and nothing else, by machine (arch/…/include/asm/elf.h and
 * include/uapi/asm/elf.h; for MIPS R_MIPS_REL32 without a symbol, for arm64 arch/arm64/kernel/pi/relocate.c).
 */
const RELATIVE: ReadonlyMap<number, number> = new Map([
  [EM_386, 8],
  [EM_MIPS, 3],
  [EM_PPC, 22],
  [EM_PPC64, 22],
  [EM_S390, 12],
  [EM_ARM, 23],
  [EM_X86_64, 8],
  [EM_AARCH64, 1027],
  [EM_RISCV, 3],
  [EM_LOONGARCH, 3],
]);

/** R_MIPS_REL32 then R_MIPS_64, as one entry of a 64-bit MIPS file composes them. */
const MIPS64_RELATIVE = (18 << 8) | 3;
/** R_AARCH64_NONE was 256 before it became 0. */
const AARCH64_OLD_NONE = 256;
/** More than an arm64 kernel with everything built in has; a lying size must not cost memory. */
const MAX_ENTRIES = 1 << 22;
/** Added to the type of an entry that has a symbol: it is no RELATIVE one, whatever its type. */
const WITH_SYMBOL = 0x8000_0000;
/** What {@link Relocations} keeps for an entry whose value is known; every other entry has its type, which is never 0. */
const APPLIED = 0;

/** Entries with a value or a type of their own, by place; sorted. A kernel has 100,000 and more: no object each. */
interface Table {
  readonly places: BigUint64Array;
  readonly values: BigUint64Array;
  readonly types: Uint32Array;
}

/**
 * The words of a linked kernel as they are after it has relocated itself to the address it was linked for. `RELA` entries
 * hold the value of their word; `REL` and `RELR` leave it in place.
 */
export class Relocations {
  readonly #elf: ElfFile;
  readonly #table: Table;

  private constructor(elf: ElfFile, table: Table) {
    this.#elf = elf;
    this.#table = table;
  }

  /**
   * Reads the allocated relocation sections of a vmlinux. Throws `elf-kind` for what is no linked kernel,
   * `relocations-missing` for an ET_DYN file that has none, `elf-relocations` for damaged ones, `file-truncated`.
   */
  static read(elf: ElfFile): Relocations {
    const { type, machine } = elf.header;
    const file = elf.source.name;
    if (type !== ET_EXEC && type !== ET_DYN) throw new CodedError('elf-kind', `e_type ${type}`, { file });
    const sections = elf.sections.filter(isDynamic);
    if (type === ET_DYN && sections.length === 0)
      throw new CodedError('relocations-missing', `${machineName(machine)}, an ET_DYN file`, { file });
    const counts = sections.map(section => entriesOf(elf, section));
    const total = counts.reduce((sum, count) => sum + count, 0);
    if (total > MAX_ENTRIES)
      throw failure(elf, sections[counts.indexOf(Math.max(...counts))], `${total} entries, at most ${MAX_ENTRIES}`);
    const filler = new Filler(
      elf,
      sections.reduce((sum, s, i) => (s.type === SHT_RELR ? sum : sum + counts[i]), 0),
    );
    for (const section of sections) {
      if (section.type === SHT_RELR) checkPacked(elf, section);
      else filler.add(section);
    }
    return new Relocations(elf, filler.done());
  }

  /**
   * The pointer-sized word at a virtual address, relocated. Throws `elf-address` when no section holds it, and
   * `elf-relocations` when a relocation of another kind than RELATIVE writes to it.
   */
  readPointer(address: bigint): bigint {
    const stored = this.#elf.readPointer(address);
    const { places, values, types } = this.#table;
    const word = BigInt(this.#elf.wordSize);
    const first = lowerBound(places, address - word + 1n);
    const end = lowerBound(places, address + word);
    if (first === end) return stored;
    if (end - first === 1 && places[first] === address && types[first] === APPLIED) return values[first];
    const odd = types.subarray(first, end).find(type => type !== APPLIED);
    const what =
      odd === undefined ? `${end - first} relocations that overlap` : `a relocation of type ${typeName(odd)}`;
    throw new CodedError('elf-relocations', `${what} at 0x${places[first].toString(16)}`, {
      file: this.#elf.source.name,
    });
  }
}

function typeName(type: number): string {
  return type < WITH_SYMBOL ? String(type) : `${type - WITH_SYMBOL} with a symbol`;
}

function isDynamic(section: ElfSection): boolean {
  const { type, flags, size } = section;
  return (flags & SHF_ALLOC) !== 0 && size > 0 && (type === SHT_RELA || type === SHT_REL || type === SHT_RELR);
}

function failure(elf: ElfFile, section: ElfSection, detail: string, offset = section.offset): CodedError {
  return new CodedError('elf-relocations', detail, { file: elf.source.name, section: section.name, offset });
}

function entryBytes(elf: ElfFile, section: ElfSection): number {
  return elf.wordSize * (section.type === SHT_RELA ? 3 : section.type === SHT_REL ? 2 : 1);
}

/** How many entries a section has; checks everything that its header says, before anything is allocated. */
function entriesOf(elf: ElfFile, section: ElfSection): number {
  const { size, offset, entsize, flags } = section;
  const bytes = entryBytes(elf, section);
  if (entsize !== bytes) throw failure(elf, section, `sh_entsize ${entsize}, not ${bytes}`);
  if (size % bytes !== 0) throw failure(elf, section, `${size} bytes are no whole number of entries`);
  if ((flags & SHF_COMPRESSED) !== 0) throw failure(elf, section, 'the section is compressed (SHF_COMPRESSED)');
  if (offset + size > elf.source.size)
    throw new CodedError('file-truncated', `${size} bytes wanted, the file has ${elf.source.size}`, {
      file: elf.source.name,
      section: section.name,
      offset,
    });
  return size / bytes;
}

/** Collects entries of RELA and REL sections into one {@link Table}. */
class Filler {
  readonly #elf: ElfFile;
  readonly #table: Table;
  #count = 0;
  #sorted = true;

  constructor(elf: ElfFile, capacity: number) {
    this.#elf = elf;
    this.#table = {
      places: new BigUint64Array(capacity),
      values: new BigUint64Array(capacity),
      types: new Uint32Array(capacity),
    };
  }

  add(section: ElfSection): void {
    const { source, header, is64, wordSize } = this.#elf;
    const step = entryBytes(this.#elf, section);
    const withAddend = section.type === SHT_RELA;
    const relative = RELATIVE.get(header.machine);
    for (const { bytes } of pieces(source, section.offset, section.size, step)) {
      const reader = new EndianReader(bytes, header.order);
      for (let at = 0; at < bytes.length; at += step) {
        const type = is64 ? type64(reader, at + 8, header.machine) : type32(reader, at + 4);
        if (type === 0 || (type === AARCH64_OLD_NONE && header.machine === EM_AARCH64)) continue;
        const applied = type === relative;
        // The word itself holds the value.
        if (applied && !withAddend) continue;
        const place = is64 ? reader.u64(at) : BigInt(reader.u32(at));
        const value = !withAddend ? 0n : is64 ? reader.u64(at + 16) : BigInt(reader.u32(at + 2 * wordSize));
        this.#push(place, value, applied ? APPLIED : type);
      }
    }
  }

  #push(place: bigint, value: bigint, type: number): void {
    const { places, values, types } = this.#table;
    if (this.#count > 0 && place < places[this.#count - 1]) this.#sorted = false;
    places[this.#count] = place;
    values[this.#count] = value;
    types[this.#count++] = type;
  }

  /** Linkers put RELATIVE entries first, by place, and the others behind them. */
  done(): Table {
    const places = this.#table.places.subarray(0, this.#count);
    const values = this.#table.values.subarray(0, this.#count);
    const types = this.#table.types.subarray(0, this.#count);
    if (this.#sorted) return { places, values, types };
    const order = new Uint32Array(this.#count).map((_, i) => i);
    order.sort((a, b) => (places[a] < places[b] ? -1 : places[a] > places[b] ? 1 : a - b));
    const sorted = {
      places: new BigUint64Array(this.#count),
      values: new BigUint64Array(this.#count),
      types: new Uint32Array(this.#count),
    };
    for (const [i, from] of order.entries()) {
      sorted.places[i] = places[from];
      sorted.values[i] = values[from];
      sorted.types[i] = types[from];
    }
    return sorted;
  }
}

/** Type of an entry, 0 for NONE. */
function type32(reader: EndianReader, at: number): number {
  const info = reader.u32(at);
  return info >>> 8 === 0 ? info : withSymbol(info & 0xff);
}

function type64(reader: EndianReader, at: number, machine: number): number {
  if (machine === EM_MIPS) return typeMips64(reader, at);
  const [type, symbol] =
    reader.order === 'little' ? [reader.u32(at), reader.u32(at + 4)] : [reader.u32(at + 4), reader.u32(at)];
  return symbol === 0 ? type : withSymbol(type);
}

/** 64-bit MIPS: a symbol of 32 bits, then four bytes in this order in either byte order (Elf64_Mips_Rela). */
function typeMips64(reader: EndianReader, at: number): number {
  const symbols = reader.u32(at) | reader.u8(at + 4);
  const types = (reader.u8(at + 5) << 16) | (reader.u8(at + 6) << 8) | reader.u8(at + 7);
  if (symbols !== 0) return withSymbol(types);
  // R_MIPS_REL32 alone is a word of 32 bits.
  return types === MIPS64_RELATIVE ? 3 : types === 3 ? withSymbol(3) : types;
}

/** NONE does nothing, with a symbol or without. */
function withSymbol(type: number): number {
  return type === 0 ? 0 : (type | WITH_SYMBOL) >>> 0;
}

/**
 * Holds a RELR section against its rules (gABI, SHT_RELR): an even word is an address, an odd one a bitmap of the words
 * after the last address or bitmap. The values stand in the words themselves, so nothing of it is kept.
 */
function checkPacked(elf: ElfFile, section: ElfSection): void {
  const { wordSize, is64 } = elf;
  const allocated = elf.sections.filter(({ flags, size }) => (flags & SHF_ALLOC) !== 0 && size > 0);
  const low = allocated.reduce((least, { addr }) => (addr < least ? addr : least), allocated[0].addr);
  const high = allocated.reduce(
    (most, { addr, size }) => (addr + BigInt(size) > most ? addr + BigInt(size) : most),
    0n,
  );
  let next: bigint | undefined;
  for (const { offset, bytes } of pieces(elf.source, section.offset, section.size, wordSize)) {
    const reader = new EndianReader(bytes, elf.header.order);
    for (let at = 0; at < bytes.length; at += wordSize) {
      const entry = is64 ? reader.u64(at) : BigInt(reader.u32(at));
      const bitmap = (entry & 1n) === 1n;
      const first = bitmap ? next : entry;
      if (first === undefined) throw failure(elf, section, 'a bitmap before any address', offset + at);
      // Bit n of a bitmap stands for the word n - 1 behind `first`.
      const words = bitmap ? bitLength(entry) - 1 : 1;
      if (words > 0 && (first < low || first + BigInt(words * wordSize) > high))
        throw failure(elf, section, `the words from 0x${first.toString(16)} on lie in no section`, offset + at);
      next = first + BigInt((bitmap ? wordSize * 8 - 1 : 1) * wordSize);
    }
  }
}

/** Position of the highest bit, counted from 1; 0 for 0. */
function bitLength(value: bigint): number {
  const high = Number(value >> 32n);
  return high === 0 ? 32 - Math.clz32(Number(value)) : 64 - Math.clz32(high);
}

/** Index of the first place at or above `wanted`. */
function lowerBound(places: BigUint64Array, wanted: bigint): number {
  let low = 0;
  let high = places.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (places[middle] < wanted) low = middle + 1;
    else high = middle;
  }
  return low;
}
