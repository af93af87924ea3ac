import { type ByteOrder, EndianReader } from '../bytes/endian.js';
import type { ByteSource } from '../bytes/source.js';
import { CodedError } from '../errors.js';
import {
  PN_XNUM,
  PT_LOAD,
  SHF_ALLOC,
  SHF_COMPRESSED,
  SHN_LORESERVE,
  SHN_XINDEX,
  SHT_NOBITS,
  SHT_STRTAB,
} from './constants.js';

/** 32 or 64 bit (`EI_CLASS`). */
export type ElfClass = 32 | 64;

export interface ElfHeader {
  readonly class: ElfClass;
  readonly order: ByteOrder;
  readonly osabi: number;
  readonly type: number;
  readonly machine: number;
  readonly flags: number;
  readonly entry: bigint;
  /** File offsets in bytes, sizes of one entry in bytes, counts already resolved through section 0. */
  readonly shoff: number;
  readonly shentsize: number;
  readonly shnum: number;
  readonly shstrndx: number;
  readonly phoff: number;
  readonly phentsize: number;
  readonly phnum: number;
}

export interface ElfSection {
  readonly index: number;
  readonly name: string;
  readonly type: number;
  readonly flags: number;
  readonly addr: bigint;
  /** File offset and size in bytes; a NOBITS section has a size but no bytes in the file. */
  readonly offset: number;
  readonly size: number;
  readonly link: number;
  readonly info: number;
  readonly addralign: number;
  readonly entsize: number;
}

export interface ElfSegment {
  readonly type: number;
  readonly offset: number;
  readonly paddr: bigint;
  readonly vaddr: bigint;
  readonly filesz: number;
  readonly memsz: bigint;
}

const EI_CLASS = 4;
const EI_DATA = 5;
const EI_VERSION = 6;
const EI_OSABI = 7;

/** Entry sizes of the gABI, by class. */
const SIZES = { 32: { ehdr: 52, shdr: 40, phdr: 32 }, 64: { ehdr: 64, shdr: 64, phdr: 56 } } as const;

/** An ELF file, read by offset: headers at once, section data only when asked for. */
export class ElfFile {
  readonly source: ByteSource;
  readonly header: ElfHeader;
  readonly sections: readonly ElfSection[];

  private constructor(source: ByteSource, header: ElfHeader, sections: readonly ElfSection[]) {
    this.source = source;
    this.header = header;
    this.sections = sections;
  }

  /** True when the first four bytes are the ELF magic. */
  static isElf(source: ByteSource): boolean {
    return source.size >= 4 && new EndianReader(source.read(0, 4), 'big').u32(0) === 0x7f454c46;
  }

  /** Throws `elf-not`, `elf-header`, `elf-sections` or `file-truncated`. */
  static open(source: ByteSource): ElfFile {
    const header = readHeader(source);
    return new ElfFile(source, header, readSections(source, header));
  }

  get is64(): boolean {
    return this.header.class === 64;
  }

  /** Bytes of a pointer. */
  get wordSize(): 4 | 8 {
    return this.is64 ? 8 : 4;
  }

  /** The one section of this name, or undefined. Throws `elf-section-twice`: what would be patched must be unambiguous. */
  find(name: string): ElfSection | undefined {
    const found = this.sections.filter(section => section.name === name);
    if (found.length > 1) throw new CodedError('elf-section-twice', `${found.length} sections`, this.#at(name));
    return found[0];
  }

  /** The one section of this name with bytes in the file. Throws `elf-section-missing`. */
  section(name: string): ElfSection {
    const section = this.find(name);
    if (section === undefined || section.type === SHT_NOBITS)
      throw new CodedError('elf-section-missing', name, this.#at());
    return section;
  }

  /** All bytes of a section; a copy. Throws `file-truncated`, or `elf-sections` for compressed or NOBITS sections. */
  data(section: ElfSection): Uint8Array {
    if (section.type === SHT_NOBITS)
      throw new CodedError('elf-sections', 'the section has no bytes in the file', this.#at(section.name));
    if ((section.flags & SHF_COMPRESSED) !== 0)
      throw new CodedError('elf-sections', 'the section is compressed (SHF_COMPRESSED)', this.#at(section.name));
    try {
      return this.source.read(section.offset, section.size);
    } catch (error) {
      throw error instanceof CodedError && error.code === 'file-truncated'
        ? new CodedError('file-truncated', error.detail, { ...this.#at(section.name), offset: section.offset })
        : error;
    }
  }

  reader(section: ElfSection): EndianReader {
    return new EndianReader(this.data(section), this.header.order);
  }

  /**
   * `length` bytes at a virtual address, from the allocated section that holds it. Throws `elf-address` when none
   * does, or when the range leaves the section.
   */
  readAddress(address: bigint, length: number): Uint8Array {
    const { section, offset } = this.#locate(address);
    if (offset + length > section.size) throw this.#noAddress(address);
    return this.source.read(section.offset + offset, length);
  }

  /** The NUL-terminated bytes at a virtual address, as text of at most `limit` bytes. Throws `elf-address`. */
  readCString(address: bigint, limit: number): string {
    const { section, offset } = this.#locate(address);
    const bytes = this.source.read(section.offset + offset, Math.min(limit, section.size - offset));
    const end = bytes.indexOf(0);
    if (end < 0)
      throw new CodedError(
        'elf-address',
        `no string ends within ${limit} bytes of 0x${address.toString(16)}`,
        this.#at(section.name),
      );
    return Buffer.from(bytes.buffer, bytes.byteOffset, end).toString('utf8');
  }

  /** A pointer-sized word of the file's class at a virtual address. Throws `elf-address`. */
  readPointer(address: bigint): bigint {
    const reader = new EndianReader(this.readAddress(address, this.wordSize), this.header.order);
    return this.is64 ? reader.u64(0) : BigInt(reader.u32(0));
  }

  /** Program headers; empty for relocatable objects. Throws `file-truncated`. */
  segments(): readonly ElfSegment[] {
    const { phoff, phnum, phentsize, order } = this.header;
    if (phnum === 0) return [];
    const reader = new EndianReader(this.source.read(phoff, phnum * phentsize), order);
    return Array.from({ length: phnum }, (_, i) => readSegment(reader, i * phentsize, this.is64));
  }

  /** Loadable segments with bytes in the file, in order of load address. */
  loadSegments(): readonly ElfSegment[] {
    return this.segments()
      .filter(segment => segment.type === PT_LOAD && segment.filesz > 0)
      .sort((a, b) => (a.paddr < b.paddr ? -1 : a.paddr > b.paddr ? 1 : 0));
  }

  #locate(address: bigint): { section: ElfSection; offset: number } {
    for (const section of this.sections) {
      if ((section.flags & SHF_ALLOC) === 0 || section.type === SHT_NOBITS) continue;
      const offset = address - section.addr;
      if (offset >= 0n && offset < BigInt(section.size)) return { section, offset: Number(offset) };
    }
    throw this.#noAddress(address);
  }

  #noAddress(address: bigint): CodedError {
    return new CodedError('elf-address', `address 0x${address.toString(16)}`, this.#at());
  }

  #at(section?: string): { file: string; section?: string } {
    return section === undefined ? { file: this.source.name } : { file: this.source.name, section };
  }
}

function safeOffset(value: bigint, source: ByteSource, what: string): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw new CodedError('elf-header', `${what} is 0x${value.toString(16)}`, { file: source.name });
  }
  return Number(value);
}

function readHeader(source: ByteSource): ElfHeader {
  if (!ElfFile.isElf(source)) throw new CodedError('elf-not', 'no ELF magic', { file: source.name, offset: 0 });
  if (source.size < SIZES[32].ehdr)
    throw new CodedError('file-truncated', 'no room for an ELF header', { file: source.name, offset: 0 });
  const ident = source.read(0, 16);
  const elfClass = ident[EI_CLASS] === 1 ? 32 : ident[EI_CLASS] === 2 ? 64 : undefined;
  if (elfClass === undefined)
    throw new CodedError('elf-header', `class ${ident[EI_CLASS]}`, { file: source.name, offset: EI_CLASS });
  const order = ident[EI_DATA] === 1 ? 'little' : ident[EI_DATA] === 2 ? 'big' : undefined;
  if (order === undefined)
    throw new CodedError('elf-header', `byte order ${ident[EI_DATA]}`, { file: source.name, offset: EI_DATA });
  if (ident[EI_VERSION] !== 1)
    throw new CodedError('elf-header', `version ${ident[EI_VERSION]}`, { file: source.name, offset: EI_VERSION });

  const wide = elfClass === 64;
  const reader = new EndianReader(source.read(0, SIZES[elfClass].ehdr), order);
  const word = (narrow: number, offset64: number): bigint => (wide ? reader.u64(offset64) : BigInt(reader.u32(narrow)));
  const phoff = safeOffset(word(28, 32), source, 'e_phoff');
  const shoff = safeOffset(word(32, 40), source, 'e_shoff');
  const tail = wide ? 52 : 40;
  const header = {
    class: elfClass,
    order,
    osabi: ident[EI_OSABI] ?? 0,
    type: reader.u16(16),
    machine: reader.u16(18),
    flags: reader.u32(wide ? 48 : 36),
    entry: word(24, 24),
    phoff,
    shoff,
    phentsize: reader.u16(tail + 2),
    phnum: reader.u16(tail + 4),
    shentsize: reader.u16(tail + 6),
    shnum: reader.u16(tail + 8),
    shstrndx: reader.u16(tail + 10),
  } satisfies ElfHeader;
  return resolveExtendedNumbering(source, header);
}

/** Counts that do not fit into 16 bits stand in section 0 (gABI: sh_size, sh_link, sh_info). */
function resolveExtendedNumbering(source: ByteSource, header: ElfHeader): ElfHeader {
  const place = { file: source.name, offset: header.shoff };
  const size = SIZES[header.class];
  if (header.phnum > 0 && header.phentsize !== size.phdr)
    throw new CodedError('elf-header', `e_phentsize ${header.phentsize}`, { file: source.name });
  if (header.shoff === 0) {
    if (header.shnum > 0) throw new CodedError('elf-sections', `${header.shnum} sections at offset 0`, place);
    return header;
  }
  if (header.shentsize !== size.shdr) throw new CodedError('elf-sections', `e_shentsize ${header.shentsize}`, place);
  if (header.shnum >= SHN_LORESERVE) throw new CodedError('elf-sections', `e_shnum ${header.shnum}`, place);
  const reader = new EndianReader(source.read(header.shoff, size.shdr), header.order);
  const wide = header.class === 64;
  const realCount = wide ? safeOffset(reader.u64(32), source, 'sh_size of section 0') : reader.u32(20);
  return {
    ...header,
    shnum: header.shnum === 0 ? realCount : header.shnum,
    shstrndx: header.shstrndx === SHN_XINDEX ? reader.u32(wide ? 40 : 24) : header.shstrndx,
    phnum: header.phnum === PN_XNUM ? reader.u32(wide ? 44 : 28) : header.phnum,
  };
}

function readSections(source: ByteSource, header: ElfHeader): readonly ElfSection[] {
  const { shoff, shnum, shentsize, shstrndx, order } = header;
  if (shoff === 0 || shnum === 0) return [];
  const reader = new EndianReader(source.read(shoff, shnum * shentsize), order);
  const wide = header.class === 64;
  const raw = Array.from({ length: shnum }, (_, index) =>
    readSectionHeader(reader, index, index * shentsize, wide, source),
  );
  const names = readNameTable(source, raw, shstrndx, shoff);
  return raw.map(({ nameOffset, ...section }) => ({ ...section, name: sectionName(names, nameOffset, source) }));
}

type RawSection = Omit<ElfSection, 'name'> & { readonly nameOffset: number };

function readSectionHeader(
  reader: EndianReader,
  index: number,
  at: number,
  wide: boolean,
  source: ByteSource,
): RawSection {
  const word = (narrow: number, offset64: number): bigint =>
    wide ? reader.u64(at + offset64) : BigInt(reader.u32(at + narrow));
  return {
    index,
    nameOffset: reader.u32(at),
    type: reader.u32(at + 4),
    flags: Number(BigInt.asUintN(32, word(8, 8))),
    addr: word(12, 16),
    offset: safeOffset(word(16, 24), source, `sh_offset of section ${index}`),
    size: safeOffset(word(20, 32), source, `sh_size of section ${index}`),
    link: reader.u32(at + (wide ? 40 : 24)),
    info: reader.u32(at + (wide ? 44 : 28)),
    addralign: Number(word(32, 48)),
    entsize: Number(word(36, 56)),
  };
}

function readNameTable(
  source: ByteSource,
  sections: readonly RawSection[],
  shstrndx: number,
  shoff: number,
): Uint8Array {
  const table = sections[shstrndx];
  if (table === undefined || table.type !== SHT_STRTAB) {
    throw new CodedError('elf-sections', `e_shstrndx ${shstrndx} names no string table`, {
      file: source.name,
      offset: shoff,
    });
  }
  return source.read(table.offset, table.size);
}

function sectionName(names: Uint8Array, offset: number, source: ByteSource): string {
  const end = names.indexOf(0, offset);
  if (offset >= names.length || end < 0) {
    throw new CodedError('elf-sections', `a section name at ${offset} of ${names.length}`, {
      file: source.name,
      section: '.shstrtab',
      offset,
    });
  }
  return Buffer.from(names.buffer, names.byteOffset + offset, end - offset).toString('latin1');
}

function readSegment(reader: EndianReader, at: number, wide: boolean): ElfSegment {
  const word = (narrow: number, offset64: number): bigint =>
    wide ? reader.u64(at + offset64) : BigInt(reader.u32(at + narrow));
  return {
    type: reader.u32(at),
    offset: Number(word(4, 8)),
    vaddr: word(8, 16),
    paddr: word(12, 24),
    filesz: Number(word(16, 32)),
    memsz: word(20, 40),
  };
}
