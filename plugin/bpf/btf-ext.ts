import type { Btf } from '../btf/btf.js';
import { BTF_VERSION, magicOrder } from '../btf/header.js';
import { type ByteOrder, EndianReader } from '../bytes/endian.js';
import { CodedError } from '../errors.js';
import { shortString } from './text.js';

export const BTF_EXT_SECTION = '.BTF.ext';

/** `struct btf_ext_header` up to line_info_len, and with core_relo_off and core_relo_len. Bytes. */
const HEADER_BYTES = 24;
const HEADER_BYTES_CORE = 32;
/** `struct btf_ext_info_sec`: section name and number of records. Bytes. */
const GROUP_BYTES = 8;
/** Words of `struct bpf_core_relo` that are read. */
const RELOCATION_WORDS = 4;
const MIN_RECORD_BYTES = { func_info: 8, line_info: 16, core_relo: RELOCATION_WORDS * 4 } as const;

/** The CO-RE relocations of one section of an object. */
export interface RelocationGroup {
  /** The ELF section whose instructions they patch. */
  readonly section: string;
  /** Four words a relocation: byte offset of the instruction, local type id, string offset of the access, kind. */
  readonly words: Uint32Array;
}

export interface CoreRelocation {
  readonly typeId: number;
  /** `0:1:2`; see bpf_core_parse_spec of libbpf. */
  readonly access: string;
  /** BPF_CORE_* of include/uapi/linux/bpf.h. */
  readonly kind: number;
}

/**
 * Reads `.BTF.ext` as libbpf does (btf_ext__new): func_info and line_info are only checked. Records may be longer than
 * what is known of them. Throws `btf-ext` for what libbpf refuses, and for type ids and names outside of `btf`.
 */
export function readBtfExt(bytes: Uint8Array, btf: Btf, order: ByteOrder): RelocationGroup[] {
  if (bytes.length < 8) throw damaged(`${bytes.length} bytes are too few for a header`, 0);
  if (magicOrder(bytes) !== order) throw damaged(`no ${order}-endian magic`, 0);
  const reader = new EndianReader(bytes, order);
  if (reader.u8(2) !== BTF_VERSION) throw damaged(`version ${reader.u8(2)}`, 2);
  if (reader.u8(3) !== 0) throw damaged(`flags ${reader.u8(3)}`, 3);
  const length = reader.u32(4);
  if (length < HEADER_BYTES || length > bytes.length) throw damaged(`hdr_len ${length}`, 4);
  readInfo(reader, length, 8, 'func_info', () => {});
  readInfo(reader, length, 16, 'line_info', () => {});
  const groups: RelocationGroup[] = [];
  if (length >= HEADER_BYTES_CORE)
    readInfo(reader, length, 24, 'core_relo', (nameOffset, at, count, recordBytes) => {
      groups.push({
        section: nameAt(btf, nameOffset, at),
        words: readRelocations(reader, btf, at, count, recordBytes),
      });
    });
  return groups;
}

export function relocationsOf(group: RelocationGroup, btf: Btf): CoreRelocation[] {
  const { words } = group;
  return Array.from({ length: words.length / RELOCATION_WORDS }, (_, i) => ({
    typeId: words[i * RELOCATION_WORDS + 1],
    access: shortString(btf, words[i * RELOCATION_WORDS + 2]),
    kind: words[i * RELOCATION_WORDS + 3],
  }));
}

/**
 * Walks one subsection: the size of its records, then a group of records a section of the object. `field`: offset in
 * the header of the subsection's offset and length. `use` is told where the records of a group start.
 */
function readInfo(
  reader: EndianReader,
  header: number,
  field: number,
  what: keyof typeof MIN_RECORD_BYTES,
  use: (nameOffset: number, at: number, count: number, recordBytes: number) => void,
): void {
  const offset = reader.u32(field);
  const length = reader.u32(field + 4);
  if (length === 0) return;
  const start = header + offset;
  const end = start + length;
  if (offset % 4 !== 0) throw damaged(`${what}_off ${offset} is not a multiple of 4`, field);
  if (end > reader.length) throw damaged(`${what} ends at ${end} of ${reader.length}`, field);
  if (length < 4) throw damaged(`${what} of ${length} bytes`, start);
  const recordBytes = reader.u32(start);
  if (recordBytes < MIN_RECORD_BYTES[what] || recordBytes % 4 !== 0)
    throw damaged(`${what} records of ${recordBytes} bytes`, start);
  let at = start + 4;
  if (at === end) throw damaged(`${what} has no records`, start);
  while (at < end) {
    if (end - at < GROUP_BYTES) throw damaged(`${what}: ${end - at} bytes after the last record`, at);
    const count = reader.u32(at + 4);
    const next = at + GROUP_BYTES + count * recordBytes;
    if (count === 0 || next > end) throw damaged(`${what}: a group of ${count} records`, at + 4);
    use(reader.u32(at), at + GROUP_BYTES, count, recordBytes);
    at = next;
  }
}

function readRelocations(reader: EndianReader, btf: Btf, at: number, count: number, recordBytes: number): Uint32Array {
  const words = new Uint32Array(count * RELOCATION_WORDS);
  for (let i = 0; i < count; i++) {
    const record = at + i * recordBytes;
    for (let word = 0; word < RELOCATION_WORDS; word++)
      words[i * RELOCATION_WORDS + word] = reader.u32(record + word * 4);
    const typeId = words[i * RELOCATION_WORDS + 1];
    if (typeId === 0 || typeId >= btf.endId) throw damaged(`a relocation of type id ${typeId}`, record + 4);
    nameAt(btf, words[i * RELOCATION_WORDS + 2], record + 8);
  }
  return words;
}

function nameAt(btf: Btf, offset: number, at: number): string {
  if (offset >= btf.stringEnd) throw damaged(`string offset ${offset}, the strings end at ${btf.stringEnd}`, at);
  return shortString(btf, offset);
}

function damaged(detail: string, offset: number): CodedError {
  return new CodedError('btf-ext', detail, { section: BTF_EXT_SECTION, offset });
}
