import { CodedError } from '../errors.js';
import type { ByteSource } from './source.js';

/** `size` bytes of another source from `start` on: a module without the signature behind it, the payload of a boot image. */
export class PartSource implements ByteSource {
  readonly name: string;
  readonly size: number;
  readonly #whole: ByteSource;
  readonly #start: number;

  constructor(whole: ByteSource, size: number, start = 0) {
    this.name = whole.name;
    this.size = size;
    this.#whole = whole;
    this.#start = start;
  }

  read(offset: number, length: number, room?: Uint8Array): Uint8Array {
    if (length < 0 || offset < 0 || offset + length > this.size)
      throw new CodedError('file-truncated', `${length} bytes wanted, the file has ${this.size}`, {
        file: this.name,
        offset,
      });
    return this.#whole.read(this.#start + offset, length, room);
  }
}
