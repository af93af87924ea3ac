import type { ByteOrder } from './endian.js';

/** A growable buffer of one byte order; offsets and lengths in bytes. */
export class ByteWriter {
  #bytes: Uint8Array<ArrayBuffer>;
  #view: DataView;
  #length = 0;
  readonly #little: boolean;

  constructor(order: ByteOrder, capacity = 1024) {
    this.#bytes = new Uint8Array(capacity);
    this.#view = new DataView(this.#bytes.buffer);
    this.#little = order === 'little';
  }

  get length(): number {
    return this.#length;
  }

  #reserve(length: number): number {
    const at = this.#length;
    const need = at + length;
    if (need > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(need, this.#bytes.length * 2));
      grown.set(this.#bytes.subarray(0, at));
      this.#bytes = grown;
      this.#view = new DataView(grown.buffer);
    }
    this.#length = need;
    return at;
  }

  u8(value: number): this {
    const at = this.#reserve(1);
    this.#view.setUint8(at, value);
    return this;
  }

  u16(value: number): this {
    const at = this.#reserve(2);
    this.#view.setUint16(at, value, this.#little);
    return this;
  }

  u32(value: number): this {
    const at = this.#reserve(4);
    this.#view.setUint32(at, value, this.#little);
    return this;
  }

  u64(value: bigint): this {
    const at = this.#reserve(8);
    this.#view.setBigUint64(at, value, this.#little);
    return this;
  }

  bytes(bytes: Uint8Array): this {
    const at = this.#reserve(bytes.length);
    this.#bytes.set(bytes, at);
    return this;
  }

  /** A byte a character (latin1), followed by a NUL. */
  cstring(text: string): this {
    return this.bytes(Buffer.from(text, 'latin1')).u8(0);
  }

  /** NULs up to the next multiple of `alignment` bytes. */
  align(alignment: number): this {
    const over = this.#length % alignment;
    if (over > 0) this.#reserve(alignment - over);
    return this;
  }

  /** A view of what was written, not a copy: write no more after it. */
  done(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#length);
  }
}
