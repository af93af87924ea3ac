export type Order = 'little' | 'big';
export type Width = 1 | 2 | 4 | 8;

/** A number in a seed that a mutation may lie about. */
export interface Field {
  /** What kind of number it is: a mutation chooses a group first, so that 5,000 words of types do not hide one e_shnum. */
  readonly group: string;
  /** Offset in bytes. */
  readonly at: number;
  readonly width: Width;
  readonly order: Order;
  /** Of a type id: the id of the type that it belongs to, which makes the shortest cycle. */
  readonly self?: number;
}

/** Numbers of one byte order at offsets of a file. */
export class Numbers {
  readonly order: Order;
  readonly #view: DataView;

  constructor(bytes: Uint8Array, order: Order) {
    this.order = order;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  /** Up to 2^53. */
  at(offset: number, width: Width): number {
    const little = this.order === 'little';
    if (width === 1) return this.#view.getUint8(offset);
    if (width === 2) return this.#view.getUint16(offset, little);
    return width === 4 ? this.#view.getUint32(offset, little) : Number(this.#view.getBigUint64(offset, little));
  }
}
