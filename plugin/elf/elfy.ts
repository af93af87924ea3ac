/**
 * The fence round the npm package elfy 1.0.0 (CommonJS, no types): nothing else in this project imports it.
 *
 * It is trusted with what it reads rightly: class, byte order, type and machine of any file, and the section list of
 * 32-bit files. It misreads 64-bit addresses (doubles), sh_addralign and sh_entsize of 64-bit sections (wrong
 * offsets) and EI_OSABI (shifted by one byte), cannot count more than 65,279 sections and has no symbols: those are
 * read by `header.ts`, `sections.ts` and `symbols.ts`. It wants one buffer of the whole file: it gets small ones.
 */
import { createRequire } from 'node:module';
import type { ByteOrder } from '../bytes/endian.js';
import type { ByteSource } from '../bytes/source.js';
import { CodedError, type ErrorPlace } from '../errors.js';
import { ELF_SIZES, type ElfClass } from './constants.js';

/** What elfy says about a file. `type` and `machine` are undefined where elfy has no name for the number. */
export interface ElfIdentity {
  readonly class: ElfClass;
  readonly order: ByteOrder;
  /** ET_* */
  readonly type: number | undefined;
  /** EM_* */
  readonly machine: number | undefined;
}

/** One section of a 32-bit file; `offset` and `size` in bytes, as the header gives them and not yet checked. */
export interface ElfySection {
  readonly name: string;
  /** SHT_* */
  readonly type: number;
  readonly addr: bigint;
  readonly offset: number;
  readonly size: number;
}

interface RawHeader {
  readonly class: string;
  readonly endian: string;
  readonly type: string | undefined;
  readonly machine: string | undefined;
  readonly shoff: number;
  readonly shentsize: number;
  readonly shnum: number;
  readonly shstrndx: number;
}

interface RawSection {
  readonly name: string;
  /** elfy's name of the type, or the number where it has none. */
  readonly type: string | number;
  readonly addr: number;
  readonly off: number;
  readonly size: number;
}

interface ElfyParser {
  parseHeader(bytes: Buffer): RawHeader;
  parseSection(entry: Buffer, header: RawHeader, file: Buffer): Omit<RawSection, 'name'>;
}

interface ElfyPackage {
  readonly constants: Record<'type' | 'machine' | 'sectType', Record<number, string>>;
  readonly Parser: new () => ElfyParser;
  parse(bytes: Buffer): { readonly body: { readonly sections: readonly RawSection[] } };
}

interface Elfy {
  readonly package: ElfyPackage;
  readonly types: ReadonlyMap<string, number>;
  readonly machines: ReadonlyMap<string, number>;
  readonly sectionTypes: ReadonlyMap<string, number>;
}

const EI_CLASS = 4;
const EI_DATA = 5;

let loaded: Elfy | undefined;

/** elfy pulls in `node:assert`, about 8 ms in all: loaded with the first ELF file, so that start-up never pays. */
function load(): Elfy {
  if (loaded === undefined) {
    const elfy: ElfyPackage = createRequire(import.meta.url)('elfy');
    const numbers = (names: Record<number, string>): ReadonlyMap<string, number> =>
      new Map(Object.entries(names).map(([number, name]) => [name, Number(number)]));
    const { type, machine, sectType } = elfy.constants;
    loaded = { package: elfy, types: numbers(type), machines: numbers(machine), sectionTypes: numbers(sectType) };
  }
  return loaded;
}

/** True when the first four bytes are the ELF magic. */
export function hasMagic(source: ByteSource): boolean {
  return source.size >= 4 && asBuffer(source.read(0, 4)).toString('latin1') === '\x7fELF';
}

/** Class, byte order, type and machine, from the first 64 bytes. Throws `elf-not`, `elf-header`, `file-truncated`. */
export function readIdentity(source: ByteSource): ElfIdentity {
  const { package: elfy, types, machines } = load();
  const header = parseHeader(new elfy.Parser(), readHeaderBytes(source), source.name);
  return {
    class: header.class === '64' ? 64 : 32,
    order: header.endian === 'msb' ? 'big' : 'little',
    type: numberOf(types, header.type),
    machine: numberOf(machines, header.machine),
  };
}

/**
 * The section list of a 32-bit file: its header, section headers and section names are read, nothing else. A name
 * that lies outside the name table is an empty string. Throws `elf-not`, `elf-header`, `elf-sections` (also for more than
 * 65,279 sections, which elfy cannot count), `file-truncated`; a RangeError for a 64-bit file.
 */
export function readSectionList32(source: ByteSource): readonly ElfySection[] {
  const { package: elfy, sectionTypes } = load();
  const parser = new elfy.Parser();
  const bytes = readHeaderBytes(source);
  const header = parseHeader(parser, bytes, source.name);
  if (header.class !== '32') throw new RangeError('elfy misreads the sections of 64-bit files');
  if (header.shoff === 0 && header.shnum === 0) return [];
  const place = { file: source.name, offset: header.shoff };
  if (header.shoff === 0 || header.shnum === 0 || header.shentsize !== ELF_SIZES[32].shdr)
    throw new CodedError('elf-sections', `${header.shnum} sections of ${header.shentsize} bytes`, place);
  if (header.shstrndx >= header.shnum)
    throw new CodedError('elf-sections', `e_shstrndx ${header.shstrndx} of ${header.shnum}`, place);

  const table = asBuffer(source.read(header.shoff, header.shnum * header.shentsize));
  const namesAt = header.shstrndx * header.shentsize;
  const names = parser.parseSection(table.subarray(namesAt), header, Buffer.alloc(0));
  const small = assemble(
    bytes.subarray(0, ELF_SIZES[32].ehdr),
    table,
    namesAt,
    source.read(names.off, names.size),
    header.endian === 'lsb',
  );
  try {
    return elfy.parse(small).body.sections.map((section, index) => ({
      name: section.name,
      type: typeof section.type === 'number' ? section.type : (sectionTypes.get(section.type) ?? 0),
      addr: BigInt(section.addr),
      offset: index === header.shstrndx ? names.off : section.off,
      size: section.size,
    }));
  } catch (error) {
    throw new CodedError('elf-sections', `e_shstrndx ${header.shstrndx} names no string table`, place, error);
  }
}

function numberOf(numbers: ReadonlyMap<string, number>, name: string | undefined): number | undefined {
  return name === undefined ? undefined : numbers.get(name);
}

/** elfy reads with Buffer's methods. A view, not a copy. */
function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

function readHeaderBytes(source: ByteSource): Buffer {
  const place = { file: source.name, offset: 0 };
  if (!hasMagic(source)) throw new CodedError('elf-not', 'no ELF magic', place);
  if (source.size < ELF_SIZES[32].ehdr) throw new CodedError('file-truncated', 'no room for an ELF header', place);
  return asBuffer(source.read(0, Math.min(source.size, ELF_SIZES[64].ehdr)));
}

/** `parser` keeps the byte order for what it parses next. */
function parseHeader(parser: ElfyParser, bytes: Buffer, file: string): RawHeader {
  try {
    return parser.parseHeader(bytes);
  } catch (error) {
    throw explain(error, bytes, { file });
  }
}

/** elfy throws plain Errors for a class or byte order it does not know, and Node's RangeError at the buffer's end. */
function explain(error: unknown, bytes: Buffer, place: ErrorPlace): CodedError {
  if (error instanceof RangeError)
    return new CodedError('file-truncated', 'no room for an ELF header', { ...place, offset: 0 }, error);
  if (bytes[EI_CLASS] !== 1 && bytes[EI_CLASS] !== 2)
    return new CodedError('elf-header', `class ${bytes[EI_CLASS]}`, { ...place, offset: EI_CLASS }, error);
  return new CodedError('elf-header', `byte order ${bytes[EI_DATA]}`, { ...place, offset: EI_DATA }, error);
}

/**
 * A file of header, section headers and section names, which elfy takes for a whole one. It slices a section's `data`
 * from it by the section's own offset: views of the wrong bytes or of none, never copies, and never used.
 */
function assemble(header: Buffer, table: Buffer, namesAt: number, names: Uint8Array, little: boolean): Buffer {
  const small = Buffer.concat([header, table, names]);
  const view = new DataView(small.buffer, small.byteOffset, small.length);
  const e = { phnum: 44, shoff: 32 };
  const shOffset = 16;
  view.setUint16(e.phnum, 0, little);
  view.setUint32(e.shoff, header.length, little);
  view.setUint32(header.length + namesAt + shOffset, header.length + table.length, little);
  return small;
}
