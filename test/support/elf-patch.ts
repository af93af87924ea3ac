import { MemorySource } from '../../plugin/bytes/source.js';
import { ElfFile, type ElfSection } from '../../plugin/elf/file.js';
import { type ElfSymbol, SymbolTable } from '../../plugin/elf/symbols.js';

const SECTION_FIELDS = { name: 0, type: 4, flags: 8, addr: 12, offset: 16, size: 20, link: 24, entsize: 36 } as const;
const SYMBOL_FIELDS = { name: 0, value: 4, size: 8 } as const;

/** A copy of a 32-bit ELF file to damage, one field at a time. Offsets in bytes; every method returns the patch. */
export class ElfPatch {
  readonly bytes: Buffer;
  readonly elf: ElfFile;
  readonly #view: DataView;
  readonly #little: boolean;
  #symbols: SymbolTable | undefined;

  constructor(original: Uint8Array) {
    this.bytes = Buffer.from(original);
    this.elf = ElfFile.open(new MemorySource(original, 'original'));
    this.#view = new DataView(this.bytes.buffer, this.bytes.byteOffset, this.bytes.length);
    this.#little = this.elf.header.order === 'little';
  }

  u8(offset: number, value: number): this {
    this.#view.setUint8(offset, value);
    return this;
  }

  u16(offset: number, value: number): this {
    this.#view.setUint16(offset, value, this.#little);
    return this;
  }

  u32(offset: number, value: number): this {
    this.#view.setUint32(offset, value, this.#little);
    return this;
  }

  /** The word at an offset, as it stands now. */
  word(offset: number): number {
    return this.#view.getUint32(offset, this.#little);
  }

  section(name: string): ElfSection {
    return this.elf.section(name);
  }

  /** A field of the header of a section. */
  header(name: string, field: keyof typeof SECTION_FIELDS, value: number): this {
    const { shoff, shentsize } = this.elf.header;
    return this.u32(shoff + this.section(name).index * shentsize + SECTION_FIELDS[field], value);
  }

  /** The field of a section's header as it is in the original. */
  headerField(name: string, field: keyof typeof SECTION_FIELDS): number {
    const { shoff, shentsize } = this.elf.header;
    return this.word(shoff + this.section(name).index * shentsize + SECTION_FIELDS[field]);
  }

  /** A word in the data of a section; a negative offset counts from its end. */
  data(name: string, offset: number, value: number): this {
    const section = this.section(name);
    return this.u32(section.offset + (offset < 0 ? section.size + offset : offset), value);
  }

  symbol(name: string): ElfSymbol {
    this.#symbols ??= SymbolTable.read(this.elf);
    const symbol = this.#symbols.find(name);
    if (symbol === undefined) throw new Error(`no symbol ${name}`);
    return symbol;
  }

  /** The first symbol whose name matches. */
  symbolLike(pattern: RegExp): ElfSymbol {
    this.#symbols ??= SymbolTable.read(this.elf);
    for (let i = 1; i < this.#symbols.count; i++) if (pattern.test(this.#symbols.name(i))) return this.#symbols.at(i);
    throw new Error(`no symbol like ${pattern}`);
  }

  symbolField(symbol: ElfSymbol, field: keyof typeof SYMBOL_FIELDS, value: number): this {
    return this.u32(this.section('.symtab').offset + symbol.index * 16 + SYMBOL_FIELDS[field], value);
  }

  /** Overwrites characters of a symbol's name, for every symbol that shares them. */
  symbolName(symbol: ElfSymbol, text: string): this {
    const start = this.section('.strtab').offset + this.word(this.section('.symtab').offset + symbol.index * 16);
    this.bytes.write(text, start, 'latin1');
    return this;
  }

  /** Where the byte of a virtual address stands in the file. */
  offsetOf(address: bigint): number {
    const holder = this.elf.sections.find(
      ({ addr, size, type }) => addr > 0n && type !== 8 && address >= addr && address < addr + BigInt(size),
    );
    if (holder === undefined) throw new Error(`no section holds 0x${address.toString(16)}`);
    return holder.offset + Number(address - holder.addr);
  }
}
