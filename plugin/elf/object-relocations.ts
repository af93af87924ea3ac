import { EndianReader } from '../bytes/endian.js';
import { CodedError } from '../errors.js';
import { EM_MIPS, ET_REL, SHN_UNDEF, SHT_NOBITS, SHT_REL, SHT_RELA } from './constants.js';
import type { ElfFile, ElfSection } from './file.js';
import type { SymbolTable } from './symbols.js';

/** A byte of a relocatable object: what a pointer in its data will point to. */
export interface ObjectPlace {
  readonly section: ElfSection;
  /** Bytes from the start of the section. */
  readonly offset: number;
}

/** A relocation of a pointer-sized word. */
interface Pointer {
  readonly symbol: number;
  /** Undefined for SHT_REL: the addend is the word itself. */
  readonly addend: bigint | undefined;
}

/**
 * The pointers in the data of a relocatable object (ET_REL), where words hold nothing, or an addend, until somebody links
 * or loads it. Absolute relocations of a whole word are the only ones that data has; their type is not looked at.
 */
export class ObjectPointers {
  readonly #elf: ElfFile;
  readonly #symbols: SymbolTable;
  /** By index of the section, then by offset in it. */
  readonly #tables = new Map<number, ReadonlyMap<number, Pointer>>();
  /** Sections of relocations, by the index of the section that they apply to. */
  readonly #sources = new Map<number, ElfSection[]>();

  /** Throws `elf-sections` when the relocations have more bytes than the file. */
  constructor(elf: ElfFile, symbols: SymbolTable) {
    if (elf.header.type !== ET_REL) throw new RangeError('only relocatable objects have relocations by section');
    this.#elf = elf;
    this.#symbols = symbols;
    let bytes = 0;
    for (const section of elf.sections) {
      if (section.type !== SHT_REL && section.type !== SHT_RELA) continue;
      bytes += section.size;
      const others = this.#sources.get(section.info);
      if (others === undefined) this.#sources.set(section.info, [section]);
      else others.push(section);
    }
    // 60,000 of them could each be most of the file.
    if (bytes > elf.source.size)
      throw new CodedError('elf-sections', `${bytes} bytes of relocations in a file of ${elf.source.size}`, {
        file: elf.source.name,
      });
  }

  /**
   * What the word at a place points to; undefined for a word without relocation, and for a symbol that this object does not
   * define. Throws `elf-symbols` for a relocation of a symbol that is not there.
   */
  at({ section, offset }: ObjectPlace): ObjectPlace | undefined {
    const pointer = this.#table(section).get(offset);
    if (pointer === undefined) return undefined;
    const { symbol } = pointer;
    if (symbol >= this.#symbols.count)
      throw new CodedError('elf-symbols', `a relocation names symbol ${symbol} of ${this.#symbols.count}`, {
        file: this.#elf.source.name,
        section: section.name,
        offset,
      });
    const index = this.#symbols.section(symbol);
    const target = this.#elf.sections[index];
    if (index === SHN_UNDEF || this.#symbols.isReserved(symbol) || target === undefined) return undefined;
    const addend = pointer.addend ?? this.#word(section, offset);
    return { section: target, offset: Number(BigInt.asIntN(53, this.#symbols.value(symbol) + addend)) };
  }

  /** The NUL-terminated text at a place, of at most `limit` bytes; undefined when none ends there. */
  text({ section, offset }: ObjectPlace, limit: number): string | undefined {
    if (section.type === SHT_NOBITS || offset < 0 || offset >= section.size) return undefined;
    const bytes = this.#elf.source.read(section.offset + offset, Math.min(limit, section.size - offset));
    const end = bytes.indexOf(0);
    return end < 0 ? undefined : Buffer.from(bytes.buffer, bytes.byteOffset, end).toString('latin1');
  }

  #word(section: ElfSection, offset: number): bigint {
    const { wordSize, source, header } = this.#elf;
    if (section.type === SHT_NOBITS || offset + wordSize > section.size) return 0n;
    const reader = new EndianReader(source.read(section.offset + offset, wordSize), header.order);
    return wordSize === 8 ? BigInt.asIntN(64, reader.u64(0)) : BigInt(reader.u32(0) | 0);
  }

  #table(section: ElfSection): ReadonlyMap<number, Pointer> {
    const known = this.#tables.get(section.index);
    if (known !== undefined) return known;
    const table = new Map<number, Pointer>();
    for (const relocations of this.#sources.get(section.index) ?? []) readTable(this.#elf, relocations, table);
    this.#tables.set(section.index, table);
    return table;
  }
}

function readTable(elf: ElfFile, section: ElfSection, table: Map<number, Pointer>): void {
  const { header } = elf;
  const wide = header.class === 64;
  const withAddend = section.type === SHT_RELA;
  const entry = (wide ? 16 : 8) + (withAddend ? (wide ? 8 : 4) : 0);
  if (section.entsize !== entry || section.size % entry !== 0)
    throw new CodedError('elf-sections', `${section.size} bytes of relocations, ${section.entsize} each`, {
      file: elf.source.name,
      section: section.name,
    });
  const reader = elf.reader(section);
  // MIPS64 keeps the symbol as a word of its own in front of four bytes of types, in either byte order.
  const symbolFirst = header.order === 'big' || header.machine === EM_MIPS;
  for (let at = 0; at < section.size; at += entry) {
    const offset = wide ? Number(reader.u64(at)) : reader.u32(at);
    const symbol = wide ? reader.u32(at + (symbolFirst ? 8 : 12)) : reader.u32(at + 4) >>> 8;
    const addend = !withAddend
      ? undefined
      : wide
        ? BigInt.asIntN(64, reader.u64(at + 16))
        : BigInt(reader.u32(at + 8) | 0);
    table.set(offset, { symbol, addend });
  }
}
