/**
 * Writes relocatable objects (ET_REL) of either class and byte order, without a compiler. Two phases share one layout:
 * the first reserves (string tables, offsets, sizes), the second writes and holds itself to what was reserved.
 * Source of the format: the gABI, chapters 4 "Object Files" and 5 "Sections".
 */
import type { ByteOrder } from '../bytes/endian.js';
import { ByteWriter } from '../bytes/writer.js';
import {
  ELF_SIZES,
  type ElfClass,
  ET_REL,
  SHN_LORESERVE,
  SHN_UNDEF,
  SHT_NOBITS,
  SHT_NULL,
  SHT_STRTAB,
  SHT_SYMTAB,
  STB_LOCAL,
} from './constants.js';

export interface ObjectSection {
  /** Latin-1; unique in the object. `.symtab`, `.strtab` and `.shstrtab` are the writer's own. */
  readonly name: string;
  /** SHT_* */
  readonly type: number;
  /** SHF_* */
  readonly flags: number;
  /** Bytes, a power of two. */
  readonly align: number;
  /** Bytes of one entry, 0 when there are none. */
  readonly entsize?: number | undefined;
  /** The bytes themselves; for SHT_NOBITS only their number. */
  readonly data: Uint8Array | number;
}

export interface ObjectSymbol {
  /** Latin-1; empty for section symbols. */
  readonly name: string;
  /** Name of the section that defines it; absent for an undefined symbol. */
  readonly section?: string | undefined;
  /** Offset from the start of the section, in bytes. */
  readonly value: bigint;
  /** Bytes. */
  readonly size: number;
  /** STT_* */
  readonly type: number;
  /** STB_* */
  readonly bind: number;
}

export interface ObjectFile {
  readonly class: ElfClass;
  readonly order: ByteOrder;
  /** EM_* and the machine's own e_flags. */
  readonly machine: number;
  readonly flags: number;
  readonly sections: readonly ObjectSection[];
  readonly symbols: readonly ObjectSymbol[];
}

/**
 * The bytes of the object: header, sections in the order given, .symtab, .strtab, .shstrtab, section headers. The same
 * input gives the same bytes. Throws a RangeError for input that the format cannot hold: names with NUL or beyond
 * Latin-1, numbers too large for the class, an alignment that is no power of two, a name given twice, a symbol of an
 * unknown section, 65,280 sections and more.
 */
export function writeObject(object: ObjectFile): Uint8Array<ArrayBuffer> {
  return write(reserve(object));
}

interface PlacedSection {
  readonly name: number;
  readonly type: number;
  readonly flags: number;
  readonly offset: number;
  readonly size: number;
  readonly link: number;
  readonly info: number;
  readonly align: number;
  readonly entsize: number;
  /** Writes exactly `size` bytes; absent where the file has none. */
  readonly body?: (out: ByteWriter) => void;
}

interface PlacedSymbol extends ObjectSymbol {
  readonly nameOffset: number;
  readonly shndx: number;
}

interface Layout {
  readonly object: ObjectFile;
  readonly sections: readonly PlacedSection[];
  /** Bytes from the start of the file, and of the whole file. */
  readonly shoff: number;
  readonly size: number;
}

/** A string table: one entry a string, in the order of their coming. */
class Strings {
  readonly #offsets = new Map<string, number>([['', 0]]);
  #size = 1;

  get size(): number {
    return this.#size;
  }

  add(text: string): number {
    const known = this.#offsets.get(text);
    if (known !== undefined) return known;
    // biome-ignore lint/suspicious/noControlCharactersInRegex: NUL ends a string
    if (!/^[\x01-\xff]*$/.test(text)) throw new RangeError(`not a name in Latin-1: ${JSON.stringify(text)}`);
    const offset = this.#size;
    this.#offsets.set(text, offset);
    this.#size += text.length + 1;
    return offset;
  }

  write(out: ByteWriter): void {
    for (const text of this.#offsets.keys()) out.bytes(Buffer.from(`${text}\0`, 'latin1'));
  }
}

const NULL_SECTION: PlacedSection = {
  name: 0,
  type: SHT_NULL,
  flags: 0,
  offset: 0,
  size: 0,
  link: 0,
  info: 0,
  align: 0,
  entsize: 0,
};

const NULL_SYMBOL: PlacedSymbol = { name: '', value: 0n, size: 0, type: 0, bind: 0, nameOffset: 0, shndx: SHN_UNDEF };

/** Phase one: every check, every offset; not a byte is written. */
function reserve(object: ObjectFile): Layout {
  const { ehdr, shdr, sym } = ELF_SIZES[object.class];
  const wordSize = object.class / 8;
  const count = object.sections.length + 4;
  if (count >= SHN_LORESERVE) throw new RangeError(`${count} sections, at most ${SHN_LORESERVE - 1} fit`);
  checkUnsigned(object.machine, 16, 'e_machine');
  checkUnsigned(object.flags, 32, 'e_flags');

  const names = new Strings();
  const strings = new Strings();
  const symbols = placeSymbols(object, strings);
  const symtab = {
    entsize: sym,
    link: count - 2,
    info: 1 + symbols.findLastIndex(symbol => symbol.bind === STB_LOCAL),
    body: (out: ByteWriter) => {
      for (const symbol of symbols) writeSymbol(out, symbol, object.class);
    },
  };

  const sections: PlacedSection[] = [NULL_SECTION];
  let end: number = ehdr;
  type Extra = Partial<Pick<PlacedSection, 'entsize' | 'link' | 'info' | 'body'>>;
  const place = (name: string, type: number, flags: number, align: number, size: number, extra: Extra): void => {
    const offset = type === SHT_NOBITS ? end : alignUp(end, align);
    sections.push({ name: names.add(name), type, flags, offset, size, link: 0, info: 0, align, entsize: 0, ...extra });
    end = type === SHT_NOBITS ? end : offset + size;
  };
  for (const section of object.sections) {
    const { name, type, flags, align, data } = checkSection(section, object.class);
    const entsize = section.entsize ?? 0;
    if (typeof data === 'number') place(name, type, flags, align, data, { entsize });
    else place(name, type, flags, align, data.length, { entsize, body: out => out.bytes(data) });
  }
  place('.symtab', SHT_SYMTAB, 0, wordSize, symbols.length * sym, symtab);
  place('.strtab', SHT_STRTAB, 0, 1, strings.size, { body: out => strings.write(out) });
  names.add('.shstrtab');
  place('.shstrtab', SHT_STRTAB, 0, 1, names.size, { body: out => names.write(out) });
  const shoff = alignUp(end, wordSize);
  return { object, sections, shoff, size: shoff + sections.length * shdr };
}

/** The null symbol, local symbols, then the others, each in the order given (gABI: sh_info is the first non-local). */
function placeSymbols(object: ObjectFile, strings: Strings): readonly PlacedSymbol[] {
  const own = ['.symtab', '.strtab', '.shstrtab'];
  const indices = new Map<string, number>();
  for (const [index, { name }] of object.sections.entries()) {
    if (indices.has(name) || own.includes(name)) throw new RangeError(`two sections are named ${name}`);
    indices.set(name, index + 1);
  }
  const locals = object.symbols.filter(symbol => symbol.bind === STB_LOCAL);
  const others = object.symbols.filter(symbol => symbol.bind !== STB_LOCAL);
  const placed = [...locals, ...others].map(symbol => {
    const shndx = symbol.section === undefined ? SHN_UNDEF : indices.get(symbol.section);
    if (shndx === undefined) throw new RangeError(`${symbol.name}: no section ${symbol.section}`);
    checkUnsigned(symbol.value, object.class, `value of ${symbol.name}`);
    checkUnsigned(symbol.size, object.class, `size of ${symbol.name}`);
    checkUnsigned(symbol.type, 4, `type of ${symbol.name}`);
    checkUnsigned(symbol.bind, 4, `bind of ${symbol.name}`);
    return { ...symbol, nameOffset: strings.add(symbol.name), shndx };
  });
  return [NULL_SYMBOL, ...placed];
}

function checkSection(section: ObjectSection, elfClass: ElfClass): ObjectSection {
  const { name, type, flags, align, data } = section;
  checkUnsigned(type, 32, `type of ${name}`);
  checkUnsigned(flags, 32, `flags of ${name}`);
  checkUnsigned(section.entsize ?? 0, 32, `entsize of ${name}`);
  if (!Number.isInteger(Math.log2(align)) || align < 1 || align > 0x8000_0000)
    throw new RangeError(`alignment ${align} of ${name} is no power of two`);
  if ((typeof data === 'number') !== (type === SHT_NOBITS))
    throw new RangeError(`${name}: a size is for SHT_NOBITS, bytes are for every other type`);
  checkUnsigned(typeof data === 'number' ? data : data.length, elfClass, `size of ${name}`);
  return section;
}

function checkUnsigned(value: number | bigint, bits: number, what: string): void {
  const fits = typeof value === 'bigint' || Number.isSafeInteger(value);
  if (!fits || value < 0 || BigInt(value) >> BigInt(bits) !== 0n)
    throw new RangeError(`${what} is ${value}, which is no unsigned number of ${bits} bits`);
}

function alignUp(offset: number, align: number): number {
  return Math.ceil(offset / align) * align;
}

/** Phase two: the layout's bytes, each written once into a buffer of the right size. */
function write(layout: Layout): Uint8Array<ArrayBuffer> {
  const { object, sections, shoff, size } = layout;
  const out = new ByteWriter(object.order, size);
  writeHeader(out, layout);
  for (const section of sections) {
    if (section.body === undefined) continue;
    out.align(section.align);
    expectAt(out, section.offset);
    section.body(out);
    expectAt(out, section.offset + section.size);
  }
  out.align(object.class / 8);
  expectAt(out, shoff);
  for (const section of sections) writeSectionHeader(out, section, object.class);
  expectAt(out, size);
  return out.done();
}

function expectAt(out: ByteWriter, offset: number): void {
  if (out.length !== offset) throw new Error(`the layout says ${offset}, the writer is at ${out.length}`);
}

function word(out: ByteWriter, value: number | bigint, elfClass: ElfClass): void {
  if (elfClass === 64) out.u64(BigInt(value));
  else out.u32(Number(value));
}

function writeHeader(out: ByteWriter, { object, sections, shoff }: Layout): void {
  const { ehdr, shdr } = ELF_SIZES[object.class];
  out.bytes(Uint8Array.of(0x7f, 0x45, 0x4c, 0x46, object.class / 32, object.order === 'little' ? 1 : 2, 1));
  out.bytes(new Uint8Array(9)); // EI_OSABI: System V, EI_ABIVERSION, padding
  out.u16(ET_REL).u16(object.machine).u32(1); // e_version
  word(out, 0, object.class); // e_entry
  word(out, 0, object.class); // e_phoff
  word(out, shoff, object.class);
  out.u32(object.flags).u16(ehdr).u16(0).u16(0); // e_phentsize, e_phnum
  out.u16(shdr).u16(sections.length);
  out.u16(sections.length - 1); // e_shstrndx: .shstrtab comes last
}

function writeSectionHeader(out: ByteWriter, section: PlacedSection, elfClass: ElfClass): void {
  out.u32(section.name).u32(section.type);
  word(out, section.flags, elfClass);
  word(out, 0, elfClass); // sh_addr
  word(out, section.offset, elfClass);
  word(out, section.size, elfClass);
  out.u32(section.link).u32(section.info);
  word(out, section.align, elfClass);
  word(out, section.entsize, elfClass);
}

function writeSymbol(out: ByteWriter, symbol: PlacedSymbol, elfClass: ElfClass): void {
  const info = (symbol.bind << 4) | symbol.type;
  out.u32(symbol.nameOffset);
  if (elfClass === 64) out.u8(info).u8(0).u16(symbol.shndx).u64(symbol.value).u64(BigInt(symbol.size));
  else out.u32(Number(symbol.value)).u32(symbol.size).u8(info).u8(0).u16(symbol.shndx);
}
