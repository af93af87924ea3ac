import { EndianReader } from '../bytes/endian.js';
import type { ByteSource } from '../bytes/source.js';
import { CodedError } from '../errors.js';
import { SHT_STRTAB } from './constants.js';
import { type ElfHeader, safeNumber } from './header.js';

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

/**
 * Bytes of names beyond the size of their table. Names may share their tails, so that 100,000 sections could each be
 * named by the same megabyte: a small file must not cost 100 GB.
 */
const SHARED_NAMES_LIMIT = 16 * 1024 * 1024;

/** All section headers, the null section too. Throws `elf-sections` or `file-truncated`. */
export function readSections(source: ByteSource, header: ElfHeader): readonly ElfSection[] {
  const { shoff, shnum, shentsize, order } = header;
  if (shoff === 0 || shnum === 0) return [];
  // A lying count fails here, in the source's range check, before anything is allocated.
  const reader = new EndianReader(source.read(shoff, shnum * shentsize), order);
  const names = readNames(source, header, reader);
  return Array.from({ length: shnum }, (_, index) => readSection(reader, index, names, source.name, header));
}

function readSection(
  reader: EndianReader,
  index: number,
  names: SectionNames,
  file: string,
  header: ElfHeader,
): ElfSection {
  const wide = header.class === 64;
  const at = index * header.shentsize;
  const word = (narrow: number, offset64: number): bigint =>
    wide ? reader.u64(at + offset64) : BigInt(reader.u32(at + narrow));
  const safe = (value: bigint, what: string): number =>
    safeNumber(value, `${what} of section ${index}`, 'elf-sections', file, header.shoff + at);
  return {
    index,
    name: names.at(reader.u32(at)),
    type: reader.u32(at + 4),
    flags: Number(BigInt.asUintN(32, word(8, 8))),
    addr: word(12, 16),
    offset: safe(word(16, 24), 'sh_offset'),
    size: safe(word(20, 32), 'sh_size'),
    link: reader.u32(at + (wide ? 40 : 24)),
    info: reader.u32(at + (wide ? 44 : 28)),
    addralign: Number(word(32, 48)),
    entsize: Number(word(36, 56)),
  };
}

class SectionNames {
  readonly #bytes: Buffer;
  readonly #file: string;
  #budget: number;

  constructor(bytes: Buffer, file: string) {
    this.#bytes = bytes;
    this.#file = file;
    this.#budget = bytes.length + SHARED_NAMES_LIMIT;
  }

  at(offset: number): string {
    const end = this.#bytes.indexOf(0, offset);
    if (offset >= this.#bytes.length || end < 0)
      throw this.#error(`a section name at ${offset} of ${this.#bytes.length}`, offset);
    this.#budget -= end - offset;
    if (this.#budget < 0) throw this.#error('the section names are too long', offset);
    return this.#bytes.toString('latin1', offset, end);
  }

  #error(detail: string, offset: number): CodedError {
    return new CodedError('elf-sections', detail, { file: this.#file, section: '.shstrtab', offset });
  }
}

function readNames(source: ByteSource, header: ElfHeader, reader: EndianReader): SectionNames {
  const { shstrndx, shnum, shoff, shentsize } = header;
  const file = source.name;
  const at = shstrndx * shentsize;
  if (shstrndx >= shnum || reader.u32(at + 4) !== SHT_STRTAB)
    throw new CodedError('elf-sections', `e_shstrndx ${shstrndx} names no string table`, { file, offset: shoff });
  const wide = header.class === 64;
  const [offset, size] = wide ? [reader.u64(at + 24), reader.u64(at + 32)] : [reader.u32(at + 16), reader.u32(at + 20)];
  try {
    const bytes = source.read(Number(offset), Number(size));
    return new SectionNames(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length), file);
  } catch (error) {
    throw error instanceof CodedError && error.code === 'file-truncated'
      ? new CodedError('file-truncated', error.detail, { file, section: '.shstrtab', offset: Number(offset) })
      : error;
  }
}
