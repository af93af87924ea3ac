import type { EndianReader } from '../bytes/endian.js';
import { CodedError } from '../errors.js';
import { ELF_SIZES, SHN_LORESERVE, SHN_XINDEX, SHT_STRTAB, SHT_SYMTAB, SHT_SYMTAB_SHNDX } from './constants.js';
import type { ElfFile, ElfSection } from './file.js';

export interface ElfSymbol {
  readonly index: number;
  readonly name: string;
  readonly value: bigint;
  /** Bytes; 0 when unknown. */
  readonly size: number;
  /** STT_* */
  readonly type: number;
  /** STB_* */
  readonly bind: number;
  /** Section index, SHN_XINDEX resolved; SHN_ABS and SHN_COMMON stay as they are. */
  readonly section: number;
}

/** The symbols of a linked kernel: its symbol table, or its System.map. Symbol 0 is none. */
export interface Symbols {
  readonly count: number;
  /** Whether sizes are known; without, a size is the distance to the next address, and so an upper bound. */
  readonly sized: boolean;
  name(index: number): string;
  /** Compares without making a string. `prefix` is ASCII. */
  nameStartsWith(index: number, prefix: Uint8Array): boolean;
  value(index: number): bigint;
  size(index: number): number;
  /** STT_* */
  type(index: number): number;
  /** Every symbol that is defined in one section. */
  inSection(section: ElfSection): Iterable<ElfSymbol>;
  /** The first symbol of exactly this name, or undefined. */
  find(name: string): ElfSymbol | undefined;
}
/** The kernel takes 512 (KSYM_NAME_LEN). Names may share their ends: 100,000 could each have the same megabyte. */
const MAX_NAME_BYTES = 4096;

/**
 * A symbol table over its own bytes: no object a symbol until one is asked for, for a kernel has 100,000 and more.
 */
export class SymbolTable implements Symbols {
  readonly count: number;
  readonly sized = true;
  readonly #entries: EndianReader;
  readonly #strings: Buffer;
  readonly #extended: EndianReader | undefined;
  readonly #wide: boolean;
  readonly #entrySize: number;
  readonly #file: string;

  private constructor(
    entries: EndianReader,
    strings: Buffer,
    extended: EndianReader | undefined,
    wide: boolean,
    file: string,
  ) {
    this.#entrySize = ELF_SIZES[wide ? 64 : 32].sym;
    this.count = Math.floor(entries.length / this.#entrySize);
    this.#entries = entries;
    this.#strings = strings;
    this.#extended = extended;
    this.#wide = wide;
    this.#file = file;
  }

  /** False for a file that was stripped of its symbols. */
  static isIn(elf: ElfFile): boolean {
    return (tableOf(elf)?.size ?? 0) > 0;
  }

  /** Reads `.symtab`. Throws `elf-symbols-missing`, `elf-symbols`, `file-truncated`. */
  static read(elf: ElfFile): SymbolTable {
    const table = tableOf(elf);
    if (table === undefined || table.size === 0)
      throw new CodedError('elf-symbols-missing', 'no .symtab', { file: elf.source.name });
    const place = { file: elf.source.name, section: table.name };
    const entrySize = ELF_SIZES[elf.header.class].sym;
    if (table.entsize !== 0 && table.entsize !== entrySize)
      throw new CodedError('elf-symbols', `sh_entsize ${table.entsize}`, place);
    if (table.size % entrySize !== 0)
      throw new CodedError('elf-symbols', `${table.size} bytes are no whole number of symbols`, place);
    const strings = elf.sections[table.link];
    if (strings === undefined || strings.type !== SHT_STRTAB)
      throw new CodedError('elf-symbols', `sh_link ${table.link} names no string table`, place);
    const extended = elf.sections.find(section => section.type === SHT_SYMTAB_SHNDX && section.link === table.index);
    const names = elf.data(strings);
    if (names.at(-1) !== 0)
      throw new CodedError('elf-symbols', 'the string table does not end with NUL', {
        ...place,
        section: strings.name,
      });
    return new SymbolTable(
      elf.reader(table),
      Buffer.from(names.buffer, names.byteOffset, names.length),
      extended === undefined ? undefined : elf.reader(extended),
      elf.is64,
      elf.source.name,
    );
  }

  /** Throws `elf-symbols` when the name lies outside the string table, or has more than 4,096 bytes. */
  name(index: number): string {
    const start = this.#nameOffset(index);
    const end = this.#strings.indexOf(0, start);
    if (end - start > MAX_NAME_BYTES) throw this.#badName(index, `has a name of ${end - start} bytes`, start);
    return this.#strings.toString('latin1', start, end);
  }

  /** Compares without making a string. `prefix` is ASCII. */
  nameStartsWith(index: number, prefix: Uint8Array): boolean {
    const start = this.#nameOffset(index);
    if (start + prefix.length > this.#strings.length) return false;
    for (let i = 0; i < prefix.length; i++) if (this.#strings[start + i] !== prefix[i]) return false;
    return true;
  }

  value(index: number): bigint {
    const at = index * this.#entrySize;
    return this.#wide ? this.#entries.u64(at + 8) : BigInt(this.#entries.u32(at + 4));
  }

  /** In bytes, clamped to 2^53-1. */
  size(index: number): number {
    const at = index * this.#entrySize;
    return this.#wide
      ? Math.min(Number(this.#entries.u64(at + 16)), Number.MAX_SAFE_INTEGER)
      : this.#entries.u32(at + 8);
  }

  type(index: number): number {
    return this.#info(index) & 0xf;
  }

  bind(index: number): number {
    return this.#info(index) >>> 4;
  }

  section(index: number): number {
    const shndx = this.#shndx(index);
    if (shndx !== SHN_XINDEX) return shndx;
    if (this.#extended === undefined || index * 4 + 4 > this.#extended.length) {
      throw new CodedError('elf-symbols', `symbol ${index} has no extended section index`, {
        file: this.#file,
        section: '.symtab_shndx',
      });
    }
    return this.#extended.u32(index * 4);
  }

  /**
   * True for SHN_ABS, SHN_COMMON and their like, which name no section. Only a file of more than 65,279 sections has
   * sections of the same numbers.
   */
  isReserved(index: number): boolean {
    const shndx = this.#shndx(index);
    return shndx >= SHN_LORESERVE && shndx !== SHN_XINDEX;
  }

  at(index: number): ElfSymbol {
    return {
      index,
      name: this.name(index),
      value: this.value(index),
      size: this.size(index),
      type: this.type(index),
      bind: this.bind(index),
      section: this.section(index),
    };
  }

  /** Every symbol that is defined in one section, in table order. */
  *inSection(section: ElfSection): Generator<ElfSymbol> {
    for (let index = 1; index < this.count; index++)
      if (this.section(index) === section.index && !this.isReserved(index)) yield this.at(index);
  }

  /** The first symbol of exactly this name, or undefined. */
  find(name: string): ElfSymbol | undefined {
    const wanted = Buffer.from(`${name}\0`, 'latin1');
    for (let index = 1; index < this.count; index++) if (this.nameStartsWith(index, wanted)) return this.at(index);
    return undefined;
  }

  #shndx(index: number): number {
    return this.#entries.u16(index * this.#entrySize + (this.#wide ? 6 : 14));
  }

  #info(index: number): number {
    return this.#entries.u8(index * this.#entrySize + (this.#wide ? 4 : 12));
  }

  #nameOffset(index: number): number {
    const offset = this.#entries.u32(index * this.#entrySize);
    if (offset >= this.#strings.length) {
      throw this.#badName(index, `has its name at ${offset} of ${this.#strings.length}`, offset);
    }
    return offset;
  }

  #badName(index: number, what: string, offset: number): CodedError {
    return new CodedError('elf-symbols', `symbol ${index} ${what}`, { file: this.#file, section: '.strtab', offset });
  }
}

function tableOf(elf: ElfFile): ElfSection | undefined {
  return elf.sections.find(section => section.type === SHT_SYMTAB);
}
