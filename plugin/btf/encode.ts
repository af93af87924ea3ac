import { type ByteOrder, fromWords } from '../bytes/endian.js';
import type { Btf } from './btf.js';
import { type BtfHeader, encodeHeader, layOut } from './header.js';

/** The parts of a BTF that is about to be written. */
export interface BtfParts {
  readonly order: ByteOrder;
  readonly flags?: number;
  /** hdr_len in bytes; when left out, 24, or 32 with a layout section. */
  readonly headerLength?: number;
  /** Type section, in host order. */
  readonly words: Uint32Array;
  readonly strings: Uint8Array;
  readonly layout?: Uint8Array;
}

/** Header, types, layout, strings: the order that libbpf asks for. */
export function encodeBtf(parts: BtfParts): Uint8Array {
  const layout = parts.layout ?? new Uint8Array(0);
  const laidOut = layOut(parts.order, parts.flags ?? 0, parts.words.byteLength, layout.length, parts.strings.length);
  const header = { ...laidOut, length: parts.headerLength ?? laidOut.length };
  return place(header, parts.words, layout, parts.strings);
}

/** The bytes that `btf` was decoded from: decode and encode are inverse, wherever the sections stood. */
export function reencodeBtf(btf: Btf): Uint8Array {
  return place(btf.header, btf.words, btf.layout, btf.strings);
}

function place(header: BtfHeader, words: Uint32Array, layout: Uint8Array, strings: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(header.length + header.types.length + header.layout.length + header.strings.length);
  bytes.set(encodeHeader(header));
  bytes.set(fromWords(words, header.order), header.length + header.types.offset);
  bytes.set(layout, header.length + header.layout.offset);
  bytes.set(strings, header.length + header.strings.offset);
  return bytes;
}
