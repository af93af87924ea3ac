import { MemorySource } from '../../plugin/bytes/source.js';
import { ELF_SIZES, SHF_COMPRESSED, SHN_XINDEX } from '../../plugin/elf/constants.js';
import { ElfFile } from '../../plugin/elf/file.js';
import type { ErrorCode } from '../../plugin/errors.js';
import { sampleBytes, type Target } from './samples.js';

/** A writer of single fields into a valid file, by their names in the gABI. */
export class Patch {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly elf: ElfFile;
  readonly #view: DataView;
  readonly #little: boolean;
  readonly #wide: boolean;

  constructor(target: Target) {
    this.bytes = sampleBytes(target);
    this.elf = ElfFile.open(new MemorySource(this.bytes.slice(), 'good.o'));
    this.#view = new DataView(this.bytes.buffer);
    this.#little = target.order === 'little';
    this.#wide = target.class === 64;
  }

  /** A field of 16 bits of the file header, at its offset in the 32-bit and the 64-bit one. */
  half(at32: number, at64: number, value: number): this {
    this.#view.setUint16(this.#wide ? at64 : at32, value, this.#little);
    return this;
  }

  /** A field of the class's size of the file header. */
  word(at32: number, at64: number, value: bigint): this {
    this.#word(this.#wide ? at64 : at32, value);
    return this;
  }

  section(
    name: string,
    field: 'name' | 'type' | 'flags' | 'offset' | 'size' | 'link' | 'info' | 'entsize',
    value: bigint,
  ): this {
    const index = this.elf.sections.findIndex(section => section.name === name);
    const at = this.elf.header.shoff + index * this.elf.header.shentsize;
    const wide = { name: 0, type: 4, flags: 8, offset: 24, size: 32, link: 40, info: 44, entsize: 56 };
    const narrow = { name: 0, type: 4, flags: 8, offset: 16, size: 20, link: 24, info: 28, entsize: 36 };
    if (field === 'name' || field === 'type' || field === 'link' || field === 'info')
      this.#view.setUint32(at + (this.#wide ? wide : narrow)[field], Number(value), this.#little);
    else this.#word(at + (this.#wide ? wide : narrow)[field], value);
    return this;
  }

  /** A field of symbol 2. */
  symbol(field: 'name' | 'shndx', value: number): this {
    const at = this.elf.section('.symtab').offset + 2 * ELF_SIZES[this.#wide ? 64 : 32].sym;
    if (field === 'name') this.#view.setUint32(at, value, this.#little);
    else this.#view.setUint16(at + (this.#wide ? 6 : 14), value, this.#little);
    return this;
  }

  byte(at: number, value: number): this {
    this.bytes[at] = value;
    return this;
  }

  #word(at: number, value: bigint): void {
    if (this.#wide) this.#view.setBigUint64(at, value, this.#little);
    else this.#view.setUint32(at, Number(value & 0xffff_ffffn), this.#little);
  }
}

/** Offsets of fields of the file header, in 32-bit and 64-bit files. */
export const shoff = [32, 40] as const;
const phoff = [28, 32] as const;
const phentsize = [42, 54] as const;
const phnum = [44, 56] as const;
const shentsize = [46, 58] as const;
export const shnum = [48, 60] as const;
export const shstrndx = [50, 62] as const;
const far = 0xffff_fff0n;

/** One damage, and the error that it must give. */
interface Lie {
  readonly what: string;
  readonly tell: (patch: Patch) => Patch;
  readonly code: ErrorCode;
  readonly section?: string;
}

export const lies: readonly Lie[] = [
  { what: 'a class of 0', tell: p => p.byte(4, 0), code: 'elf-header' },
  { what: 'a class of 3', tell: p => p.byte(4, 3), code: 'elf-header' },
  { what: 'a byte order of 0', tell: p => p.byte(5, 0), code: 'elf-header' },
  { what: 'a byte order of 3', tell: p => p.byte(5, 3), code: 'elf-header' },
  { what: 'a version of 2', tell: p => p.byte(6, 2), code: 'elf-header' },
  { what: 'an e_shoff beyond the file', tell: p => p.word(...shoff, far), code: 'file-truncated' },
  {
    what: 'an e_shoff one byte too high',
    tell: p => p.word(...shoff, BigInt(p.elf.header.shoff + 1)),
    code: 'file-truncated',
  },
  { what: 'an e_shoff of 0 with sections', tell: p => p.word(...shoff, 0n), code: 'elf-sections' },
  { what: 'an e_shentsize of 1', tell: p => p.half(...shentsize, 1), code: 'elf-sections' },
  { what: 'an e_shnum beyond the file', tell: p => p.half(...shnum, 0xfeff), code: 'file-truncated' },
  { what: 'a reserved e_shnum', tell: p => p.half(...shnum, 0xff00), code: 'elf-sections' },
  { what: 'an e_shnum of 1', tell: p => p.half(...shnum, 1), code: 'elf-sections' },
  {
    what: 'an extended count beyond the file',
    tell: p => p.half(...shnum, 0).section('', 'size', far),
    code: 'file-truncated',
  },
  { what: 'an e_shstrndx out of range', tell: p => p.half(...shstrndx, 200), code: 'elf-sections' },
  { what: 'an e_shstrndx of no string table', tell: p => p.half(...shstrndx, 1), code: 'elf-sections' },
  { what: 'an e_shstrndx of 0', tell: p => p.half(...shstrndx, 0), code: 'elf-sections' },
  {
    what: 'an extended e_shstrndx out of range',
    tell: p => p.half(...shstrndx, SHN_XINDEX).section('', 'link', far),
    code: 'elf-sections',
  },
  { what: 'an e_phentsize of 1', tell: p => p.half(...phnum, 1).half(...phentsize, 1), code: 'elf-header' },
  {
    what: 'program headers beyond the file',
    tell: p =>
      p
        .word(...phoff, far)
        .half(...phnum, 9)
        .half(...phentsize, ELF_SIZES[p.elf.header.class].phdr),
    code: 'file-truncated',
  },
  {
    what: 'an extended e_phnum beyond the file',
    tell: p =>
      p
        .half(...phnum, 0xffff)
        .half(...phentsize, ELF_SIZES[p.elf.header.class].phdr)
        .section('', 'info', far),
    code: 'file-truncated',
  },
  {
    what: 'names beyond the file',
    tell: p => p.section('.shstrtab', 'offset', far),
    code: 'file-truncated',
    section: '.shstrtab',
  },
  {
    what: 'a name table too long',
    tell: p => p.section('.shstrtab', 'size', far),
    code: 'file-truncated',
    section: '.shstrtab',
  },
  {
    what: 'a name table that ends in a name',
    tell: p => p.section('.shstrtab', 'size', 5n),
    code: 'elf-sections',
    section: '.shstrtab',
  },
  {
    what: 'a name table of no bytes',
    tell: p => p.section('.shstrtab', 'size', 0n),
    code: 'elf-sections',
    section: '.shstrtab',
  },
  {
    what: 'a section name out of range',
    tell: p => p.section('.data', 'name', far),
    code: 'elf-sections',
    section: '.shstrtab',
  },
  {
    what: 'a section beyond the file',
    tell: p => p.section('.data', 'offset', far),
    code: 'file-truncated',
    section: '.data',
  },
  { what: 'a section too long', tell: p => p.section('.data', 'size', far), code: 'file-truncated', section: '.data' },
  {
    what: 'a compressed section',
    tell: p => p.section('.data', 'flags', BigInt(SHF_COMPRESSED)),
    code: 'elf-sections',
    section: '.data',
  },
  { what: 'a symbol table of another type', tell: p => p.section('.symtab', 'type', 1n), code: 'elf-symbols-missing' },
  { what: 'a symbol table of no bytes', tell: p => p.section('.symtab', 'size', 0n), code: 'elf-symbols-missing' },
  {
    what: 'a symbol table too long',
    tell: p => p.section('.symtab', 'size', far),
    code: 'file-truncated',
    section: '.symtab',
  },
  { what: 'half a symbol', tell: p => p.section('.symtab', 'size', 40n), code: 'elf-symbols', section: '.symtab' },
  {
    what: 'symbols of another size',
    tell: p => p.section('.symtab', 'entsize', 20n),
    code: 'elf-symbols',
    section: '.symtab',
  },
  {
    what: 'a symbol table linked to nothing',
    tell: p => p.section('.symtab', 'link', far),
    code: 'elf-symbols',
    section: '.symtab',
  },
  {
    what: 'a symbol table linked to code',
    tell: p => p.section('.symtab', 'link', 1n),
    code: 'elf-symbols',
    section: '.symtab',
  },
  {
    what: 'symbol names that end in a name',
    tell: p => p.section('.strtab', 'size', 4n),
    code: 'elf-symbols',
    section: '.strtab',
  },
  {
    what: 'symbol names of no bytes',
    tell: p => p.section('.strtab', 'size', 0n),
    code: 'elf-symbols',
    section: '.strtab',
  },
  { what: 'a symbol name out of range', tell: p => p.symbol('name', 10_000), code: 'elf-symbols', section: '.strtab' },
  {
    what: 'SHN_XINDEX without its table',
    tell: p => p.symbol('shndx', SHN_XINDEX),
    code: 'elf-symbols',
    section: '.symtab_shndx',
  },
];

/** What only 64-bit fields can claim. */
export const huge64: readonly Lie[] = [
  { what: 'an e_shoff beyond 2^53', tell: p => p.word(...shoff, 1n << 63n), code: 'elf-header' },
  { what: 'an e_phoff beyond 2^53', tell: p => p.word(...phoff, 1n << 63n), code: 'elf-header' },
  { what: 'a section size beyond 2^53', tell: p => p.section('.data', 'size', 1n << 63n), code: 'elf-sections' },
  { what: 'a section offset beyond 2^53', tell: p => p.section('.data', 'offset', 1n << 63n), code: 'elf-sections' },
  {
    what: 'a name table beyond 2^53',
    tell: p => p.section('.shstrtab', 'size', 1n << 63n),
    code: 'file-truncated',
    section: '.shstrtab',
  },
  {
    what: 'an extended count of 2^52',
    tell: p => p.half(...shnum, 0).section('', 'size', 1n << 52n),
    code: 'file-truncated',
  },
  {
    what: 'an extended count of 2^60',
    tell: p => p.half(...shnum, 0).section('', 'size', 1n << 60n),
    code: 'elf-sections',
  },
];
