import { EndianReader } from '../bytes/endian.js';
import type { ByteSource } from '../bytes/source.js';
import { CodedError } from '../errors.js';
import { AddressMap } from './address-map.js';
import { PT_LOAD, SHF_ALLOC, SHF_COMPRESSED, SHT_NOBITS } from './constants.js';
import { hasMagic } from './elfy.js';
import { type ElfHeader, readHeader } from './header.js';
import { type ElfSection, readSections } from './sections.js';

export type { ElfClass } from './constants.js';
export type { ElfHeader } from './header.js';
export type { ElfSection } from './sections.js';

export interface ElfSegment {
  readonly type: number;
  readonly offset: number;
  readonly paddr: bigint;
  readonly vaddr: bigint;
  readonly filesz: number;
  readonly memsz: bigint;
}

/** An ELF file, read by offset: headers at once, section data only when asked for. */
export class ElfFile {
  readonly source: ByteSource;
  readonly header: ElfHeader;
  readonly sections: readonly ElfSection[];
  readonly #unplaced: string | undefined;
  #addresses: AddressMap | undefined;

  private constructor(
    source: ByteSource,
    header: ElfHeader,
    sections: readonly ElfSection[],
    unplaced: string | undefined,
  ) {
    this.source = source;
    this.header = header;
    this.sections = sections;
    this.#unplaced = unplaced;
  }

  /** True when the first four bytes are the ELF magic. */
  static isElf(source: ByteSource): boolean {
    return hasMagic(source);
  }

  /**
   * `unplaced`: name of a section that is not where its address says, and is read at no address. Throws `elf-not`, `elf-header`,
   * `elf-sections` or `file-truncated`.
   */
  static open(source: ByteSource, unplaced?: string): ElfFile {
    const header = readHeader(source);
    return new ElfFile(source, header, readSections(source, header), unplaced);
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

  /**
   * The NUL-terminated bytes at a virtual address, at most `limit` of them, as text: a character each (latin1), like the names
   * of BTF. Throws `elf-address`.
   */
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
    return Buffer.from(bytes.buffer, bytes.byteOffset, end).toString('latin1');
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

  /**
   * Loadable segments with bytes in the file, in order of load address. Throws `elf-header` when they have more bytes than
   * the file: 65,000 of them could each be all of it.
   */
  loadSegments(): readonly ElfSegment[] {
    const loaded = this.segments().filter(segment => segment.type === PT_LOAD && segment.filesz > 0);
    const bytes = loaded.reduce((sum, segment) => sum + segment.filesz, 0);
    if (bytes > this.source.size)
      throw new CodedError('elf-header', `loadable segments of ${bytes} bytes in a file of ${this.source.size}`, {
        ...this.#at(),
        offset: this.header.phoff,
      });
    return loaded.sort((a, b) => (a.paddr < b.paddr ? -1 : a.paddr > b.paddr ? 1 : 0));
  }

  #locate(address: bigint): { section: ElfSection; offset: number } {
    this.#addresses ??= new AddressMap(
      this.sections.filter(
        ({ flags, type, name }) => (flags & SHF_ALLOC) !== 0 && type !== SHT_NOBITS && name !== this.#unplaced,
      ),
    );
    const section = this.#addresses.find(address);
    if (section === undefined) throw this.#noAddress(address);
    return { section, offset: Number(address - section.addr) };
  }

  #noAddress(address: bigint): CodedError {
    return new CodedError('elf-address', `address 0x${address.toString(16)}`, this.#at());
  }

  #at(section?: string): { file: string; section?: string } {
    return section === undefined ? { file: this.source.name } : { file: this.source.name, section };
  }
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
