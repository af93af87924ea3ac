/**
 * The fence round the npm package elfy 1.0.0 (CommonJS, no types): nothing else in this project imports it.
 *
 * It is trusted with what it reads rightly: class, byte order, type and machine of any file. It misreads 64-bit
 * addresses (doubles), sh_addralign and sh_entsize of 64-bit sections (wrong offsets) and EI_OSABI (shifted by one
 * byte), cannot count more than 65,279 sections and has no symbols: those are read by `header.ts`, `sections.ts` and
 * `symbols.ts`. It wants one buffer of the whole file: it gets the header.
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

interface RawHeader {
  readonly class: string;
  readonly endian: string;
  readonly type: string | undefined;
  readonly machine: string | undefined;
}

interface ElfyPackage {
  readonly constants: Record<'type' | 'machine', Record<number, string>>;
  readonly Parser: new () => { parseHeader(bytes: Buffer): RawHeader };
}

interface Elfy {
  readonly package: ElfyPackage;
  readonly types: ReadonlyMap<string, number>;
  readonly machines: ReadonlyMap<string, number>;
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
    const { type, machine } = elfy.constants;
    loaded = { package: elfy, types: numbers(type), machines: numbers(machine) };
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
  const bytes = readHeaderBytes(source);
  let header: RawHeader;
  try {
    header = new elfy.Parser().parseHeader(bytes);
  } catch (error) {
    throw explain(error, bytes, { file: source.name });
  }
  return {
    class: header.class === '64' ? 64 : 32,
    order: header.endian === 'msb' ? 'big' : 'little',
    type: numberOf(types, header.type),
    machine: numberOf(machines, header.machine),
  };
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

/** elfy throws plain Errors for a class or byte order it does not know, and Node's RangeError at the buffer's end. */
function explain(error: unknown, bytes: Buffer, place: ErrorPlace): CodedError {
  if (error instanceof RangeError)
    return new CodedError('file-truncated', 'no room for an ELF header', { ...place, offset: 0 }, error);
  if (bytes[EI_CLASS] !== 1 && bytes[EI_CLASS] !== 2)
    return new CodedError('elf-header', `class ${bytes[EI_CLASS]}`, { ...place, offset: EI_CLASS }, error);
  return new CodedError('elf-header', `byte order ${bytes[EI_DATA]}`, { ...place, offset: EI_DATA }, error);
}
