import { type ByteOrder, EndianReader } from '../bytes/endian.js';
import { ByteWriter } from '../bytes/writer.js';
import { CodedError } from '../errors.js';

const BTF_MAGIC = 0xeb9f;
export const BTF_VERSION = 1;
/** `struct btf_header` up to str_len, and with layout_off and layout_len (Linux 7.1, pahole 1.31). Bytes. */
export const HEADER_BYTES = 24;
export const HEADER_BYTES_LAYOUT = 32;

/** A section of a BTF; `offset` in bytes from the end of the header. */
export interface BtfSection {
  readonly offset: number;
  readonly length: number;
}

export interface BtfHeader {
  readonly order: ByteOrder;
  readonly flags: number;
  /** hdr_len, in bytes. */
  readonly length: number;
  readonly types: BtfSection;
  readonly strings: BtfSection;
  /** Length 0 when there is none. */
  readonly layout: BtfSection;
}

/** The byte order that the first two bytes tell; undefined when they are no BTF magic. */
export function magicOrder(bytes: Uint8Array): ByteOrder | undefined {
  if (bytes[0] === 0x9f && bytes[1] === 0xeb) return 'little';
  return bytes[0] === 0xeb && bytes[1] === 0x9f ? 'big' : undefined;
}

/**
 * The header of a BTF that is about to be written: types, layout, strings, the order that libbpf asks for, and a header
 * no longer than they need. Lengths in bytes.
 */
export function layOut(order: ByteOrder, flags: number, types: number, layout: number, strings: number): BtfHeader {
  return {
    order,
    flags,
    length: layout > 0 ? HEADER_BYTES_LAYOUT : HEADER_BYTES,
    types: { offset: 0, length: types },
    layout: { offset: layout > 0 ? types : 0, length: layout },
    strings: { offset: types + layout, length: strings },
  };
}

/**
 * Reads and checks a header by the kernel's rules (btf_parse_hdr, btf_check_sec_info): unknown header bytes are zero;
 * the sections follow each other without gap or overlap and end where the data ends. Throws `btf-header`.
 */
export function decodeHeader(bytes: Uint8Array): BtfHeader {
  const fail = (detail: string, offset: number): CodedError =>
    new CodedError('btf-header', detail, { section: '.BTF', offset });
  if (bytes.length < HEADER_BYTES) throw fail(`${bytes.length} bytes are too few for a header`, 0);
  const order = magicOrder(bytes);
  if (order === undefined) throw fail('no BTF magic', 0);
  const reader = new EndianReader(bytes, order);
  if (reader.u8(2) !== BTF_VERSION) throw fail(`version ${reader.u8(2)}`, 2);
  const length = reader.u32(4);
  if (length < HEADER_BYTES || length > bytes.length) throw fail(`hdr_len ${length}`, 4);
  const hasLayout = length >= HEADER_BYTES_LAYOUT;
  const unknown = bytes.subarray(hasLayout ? HEADER_BYTES_LAYOUT : HEADER_BYTES, length);
  if (unknown.some(byte => byte !== 0))
    throw fail('header bytes that this version does not know', hasLayout ? HEADER_BYTES_LAYOUT : HEADER_BYTES);
  const header: BtfHeader = {
    order,
    flags: reader.u8(3),
    length,
    types: { offset: reader.u32(8), length: reader.u32(12) },
    strings: { offset: reader.u32(16), length: reader.u32(20) },
    layout: hasLayout ? { offset: reader.u32(24), length: reader.u32(28) } : { offset: 0, length: 0 },
  };
  checkSections(header, bytes.length, fail);
  return header;
}

function checkSections(header: BtfHeader, size: number, fail: (detail: string, offset: number) => CodedError): void {
  if (header.types.offset % 4 !== 0) throw fail(`type_off ${header.types.offset} is not a multiple of 4`, 8);
  if (header.types.length % 4 !== 0) throw fail(`type_len ${header.types.length} is not a multiple of 4`, 12);
  const all = [header.types, header.layout, header.strings];
  const outside = all.find(section => section.offset > size - header.length);
  if (outside !== undefined) throw fail(`a section at ${outside.offset}, the data ends at ${size}`, header.length);
  const sections = all.filter(section => section.length > 0).sort((a, b) => a.offset - b.offset);
  let end = 0;
  for (const section of sections) {
    if (section.offset !== end)
      throw fail(
        `a ${section.offset > end ? 'gap' : 'overlap'} before the section at ${section.offset}`,
        header.length + end,
      );
    end = section.offset + section.length;
  }
  const rest = size - header.length - end;
  if (rest < 0) throw fail(`the sections end at ${header.length + end}, the data at ${size}`, header.length);
  if (rest > 0) throw fail(`${rest} bytes after the last section`, header.length + end);
}

/** Header bytes for sections that stand where `header` says. */
export function encodeHeader(header: BtfHeader): Uint8Array {
  const writer = new ByteWriter(header.order, header.length)
    .u16(BTF_MAGIC)
    .u8(BTF_VERSION)
    .u8(header.flags)
    .u32(header.length)
    .u32(header.types.offset)
    .u32(header.types.length)
    .u32(header.strings.offset)
    .u32(header.strings.length);
  if (header.length >= HEADER_BYTES_LAYOUT) writer.u32(header.layout.offset).u32(header.layout.length);
  while (writer.length < header.length) writer.u8(0);
  return writer.done();
}
