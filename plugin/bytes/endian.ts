/** Byte order, as `EI_DATA` of ELF and the magic of BTF tell it. */
export type ByteOrder = 'little' | 'big';

/** Byte order of the machine this runs on. */
export const hostOrder: ByteOrder = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1 ? 'little' : 'big';

/** Reads numbers of one byte order from `bytes`; offsets in bytes. A range error means the caller did not check. */
export class EndianReader {
  readonly order: ByteOrder;
  readonly #view: DataView;
  readonly #little: boolean;

  constructor(bytes: Uint8Array, order: ByteOrder) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#little = order === 'little';
    this.order = order;
  }

  get length(): number {
    return this.#view.byteLength;
  }

  u8(offset: number): number {
    return this.#view.getUint8(offset);
  }

  u16(offset: number): number {
    return this.#view.getUint16(offset, this.#little);
  }

  u32(offset: number): number {
    return this.#view.getUint32(offset, this.#little);
  }

  u64(offset: number): bigint {
    return this.#view.getBigUint64(offset, this.#little);
  }
}

/**
 * `bytes` as 32-bit words in host order: everything after this call is free of byte order. Shares memory with `bytes`
 * where order and alignment allow, and copies where not: change neither afterwards. The length must be a multiple of
 * four.
 */
export function toWords(bytes: Uint8Array, order: ByteOrder): Uint32Array {
  if (order === hostOrder && bytes.byteOffset % 4 === 0)
    return new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  const words = new Uint32Array(bytes.length / 4);
  const copy = Buffer.from(words.buffer);
  copy.set(bytes);
  if (order !== hostOrder) copy.swap32();
  return words;
}

/** The way back of {@link toWords}. Copies. */
export function fromWords(words: Uint32Array, order: ByteOrder): Uint8Array {
  const bytes = Buffer.alloc(words.byteLength);
  bytes.set(new Uint8Array(words.buffer, words.byteOffset, words.byteLength));
  if (order !== hostOrder) bytes.swap32();
  return bytes;
}
