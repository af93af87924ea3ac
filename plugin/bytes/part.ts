import { CodedError } from '../errors.js';
import type { ByteSource } from './source.js';

/** The first `size` bytes of another source: a module without the signature behind it. */
export class PartSource implements ByteSource {
  readonly name: string;
  readonly size: number;
  readonly #whole: ByteSource;

  constructor(whole: ByteSource, size: number) {
    this.name = whole.name;
    this.size = size;
    this.#whole = whole;
  }

  read(offset: number, length: number, room?: Uint8Array): Uint8Array {
    if (length < 0 || offset < 0 || offset + length > this.size)
      throw new CodedError('file-truncated', `${length} bytes wanted, the file has ${this.size}`, {
        file: this.name,
        offset,
      });
    return this.#whole.read(offset, length, room);
  }
}
