import { type ByteOrder, EndianReader } from '../bytes/endian.js';
import type { ByteSource } from '../bytes/source.js';
import { CodedError, type ErrorCode } from '../errors.js';
import { ELF_SIZES, type ElfClass, PN_XNUM, SHN_LORESERVE, SHN_XINDEX } from './constants.js';
import { readIdentity } from './elfy.js';

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

const EI_VERSION = 6;
const EI_OSABI = 7;

/** A 64-bit offset, size or count as a number. Throws `code` above 2^53-1, where a number would be another one. */
export function safeNumber(value: bigint, what: string, code: ErrorCode, file: string, offset: number): number {
  if (value <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(value);
  throw new CodedError(code, `${what} is 0x${value.toString(16)}`, { file, offset });
}

/** Throws `elf-not`, `elf-header`, `elf-sections` or `file-truncated`. */
export function readHeader(source: ByteSource): ElfHeader {
  const file = source.name;
  const identity = readIdentity(source);
  const { order } = identity;
  const wide = identity.class === 64;
  const reader = new EndianReader(source.read(0, ELF_SIZES[identity.class].ehdr), order);
  const version = reader.u8(EI_VERSION);
  if (version !== 1) throw new CodedError('elf-header', `version ${version}`, { file, offset: EI_VERSION });

  const word = (narrow: number, offset64: number): bigint => (wide ? reader.u64(offset64) : BigInt(reader.u32(narrow)));
  const tail = wide ? 52 : 40;
  const header: ElfHeader = {
    class: identity.class,
    order,
    osabi: reader.u8(EI_OSABI),
    type: reader.u16(16),
    machine: reader.u16(18),
    flags: reader.u32(wide ? 48 : 36),
    entry: word(24, 24),
    phoff: safeNumber(word(28, 32), 'e_phoff', 'elf-header', file, wide ? 32 : 28),
    shoff: safeNumber(word(32, 40), 'e_shoff', 'elf-header', file, wide ? 40 : 32),
    phentsize: reader.u16(tail + 2),
    phnum: reader.u16(tail + 4),
    shentsize: reader.u16(tail + 6),
    shnum: reader.u16(tail + 8),
    shstrndx: reader.u16(tail + 10),
  };
  if ((identity.type ?? header.type) !== header.type || (identity.machine ?? header.machine) !== header.machine)
    throw new CodedError('elf-header', 'two readers disagree on its type or machine', { file, offset: 16 });
  return resolveExtendedNumbering(source, header);
}

/** Counts that do not fit into 16 bits stand in section 0 (gABI: sh_size, sh_link, sh_info). */
function resolveExtendedNumbering(source: ByteSource, header: ElfHeader): ElfHeader {
  const file = source.name;
  const place = { file, offset: header.shoff };
  const size = ELF_SIZES[header.class];
  const wide = header.class === 64;
  if (header.phnum > 0 && header.phentsize !== size.phdr)
    throw new CodedError('elf-header', `e_phentsize ${header.phentsize}`, { file, offset: wide ? 54 : 42 });
  if (header.shoff === 0) {
    if (header.shnum > 0) throw new CodedError('elf-sections', `${header.shnum} sections at offset 0`, place);
    return header;
  }
  if (header.shentsize !== size.shdr) throw new CodedError('elf-sections', `e_shentsize ${header.shentsize}`, place);
  if (header.shnum >= SHN_LORESERVE) throw new CodedError('elf-sections', `e_shnum ${header.shnum}`, place);
  const first = new EndianReader(source.read(header.shoff, size.shdr), header.order);
  return {
    ...header,
    shnum: header.shnum === 0 ? realCount(first, wide, file, header.shoff) : header.shnum,
    shstrndx: header.shstrndx === SHN_XINDEX ? first.u32(wide ? 40 : 24) : header.shstrndx,
    phnum: header.phnum === PN_XNUM ? first.u32(wide ? 44 : 28) : header.phnum,
  };
}

function realCount(first: EndianReader, wide: boolean, file: string, shoff: number): number {
  return wide ? safeNumber(first.u64(32), 'sh_size of section 0', 'elf-sections', file, shoff) : first.u32(20);
}
