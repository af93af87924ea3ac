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
import { APPLIED, RelocationTable } from './relocation-table.js';

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
/**
 * The words of a linked kernel as they are after it has relocated itself to the address it was linked for. `RELA` entries
 * hold the value of their word; `REL` and `RELR` leave it in place.
 */
export class Relocations {
  readonly #elf: ElfFile;
  readonly #table: RelocationTable;

  private constructor(elf: ElfFile, table: RelocationTable) {
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
    const kept = sections.reduce((sum, { type }, i) => (type === SHT_RELR ? sum : sum + counts[i]), 0);
    const table = new RelocationTable(kept);
    for (const section of sections) {
      if (section.type === SHT_RELR) checkPacked(elf, section);
      else addEntries(elf, section, table);
    }
    table.sort();
    return new Relocations(elf, table);
  }

  /**
   * The pointer-sized word at a virtual address, relocated. Throws `elf-address` when no section holds it, and
   * `elf-relocations` when a relocation of another kind than RELATIVE writes to it.
   */
  readPointer(address: bigint): bigint {
    const stored = this.#elf.readPointer(address);
    const table = this.#table;
    const reach = BigInt(this.#elf.wordSize - 1);
    const { first, end } = table.range(address - reach, address + reach);
    if (first === end) return stored;
    if (end - first === 1 && table.place(first) === address && table.type(first) === APPLIED) return table.value(first);
    let odd = first;
    while (odd < end && table.type(odd) === APPLIED) odd++;
    const what = odd === end ? 'relocations that overlap' : `a relocation of type ${typeName(table.type(odd))}`;
    throw new CodedError('elf-relocations', `${what} at 0x${table.place(odd === end ? first : odd).toString(16)}`, {
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

/** The entries of a RELA or REL section that do not leave their word as it is. */
function addEntries(elf: ElfFile, section: ElfSection, table: RelocationTable): void {
  const { source, header, is64, wordSize } = elf;
  const { order, machine } = header;
  const step = entryBytes(elf, section);
  const withAddend = section.type === SHT_RELA;
  const relative = RELATIVE.get(machine);
  // Of a 64-bit word; a 32-bit one has no high half.
  const high = order === 'little' ? 4 : 0;
  const low = 4 - high;
  for (const { bytes } of pieces(source, section.offset, section.size, step)) {
    const reader = new EndianReader(bytes, order);
    for (let at = 0; at < bytes.length; at += step) {
      const type = is64 ? type64(reader, at + 8, machine) : type32(reader, at + 4);
      if (type === 0 || (type === AARCH64_OLD_NONE && machine === EM_AARCH64)) continue;
      const applied = type === relative;
      // The word itself holds the value.
      if (applied && !withAddend) continue;
      const kept = applied ? APPLIED : type;
      const addend = withAddend ? at + 2 * wordSize : at;
      if (is64)
        table.add(
          reader.u32(at + high),
          reader.u32(at + low),
          reader.u32(addend + high),
          reader.u32(addend + low),
          kept,
        );
      else table.add(0, reader.u32(at), 0, reader.u32(addend), kept);
    }
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
  const { order } = elf.header;
  const allocated = elf.sections.filter(({ flags, size }) => (flags & SHF_ALLOC) !== 0 && size > 0);
  const start = allocated.reduce((least, { addr }) => (addr < least ? addr : least), allocated[0].addr);
  const end = allocated.reduce((most, { addr, size }) => (addr + BigInt(size) > most ? addr + BigInt(size) : most), 0n);
  // Addresses count from the first that is allocated, so that they are exact numbers.
  const startHigh = Number(start >> 32n);
  const startLow = Number(start & 0xffffffffn);
  const span = Number(end - start);
  const highAt = order === 'little' ? 4 : 0;
  let next = Number.NaN;
  for (const { offset, bytes } of pieces(elf.source, section.offset, section.size, wordSize)) {
    const reader = new EndianReader(bytes, order);
    for (let at = 0; at < bytes.length; at += wordSize) {
      const high = is64 ? reader.u32(at + highAt) : 0;
      const low = is64 ? reader.u32(at + 4 - highAt) : reader.u32(at);
      const bitmap = (low & 1) === 1;
      const first = bitmap ? next : (high - startHigh) * 2 ** 32 + (low - startLow);
      if (Number.isNaN(first)) throw failure(elf, section, 'a bitmap before any address', offset + at);
      // Bit n of a bitmap stands for the word n - 1 behind `first`.
      const bits = high === 0 ? 32 - Math.clz32(low) : 64 - Math.clz32(high);
      const words = bitmap ? bits - 1 : 1;
      if (words > 0 && (first < 0 || first + words * wordSize > span))
        throw failure(elf, section, 'an address or a bitmap leads out of all sections', offset + at);
      next = first + (bitmap ? wordSize * 8 - 1 : 1) * wordSize;
    }
  }
}
