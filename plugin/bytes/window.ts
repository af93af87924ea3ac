import type { ByteSource } from './source.js';

/** Bytes that a search looks at in one go. */
const WINDOW_BYTES = 1 << 20;

export interface Window {
  /** Of the file, in bytes. */
  readonly offset: number;
  /** Valid until the next window. */
  readonly bytes: Buffer;
  /** A match that starts here or later belongs to the next window. */
  readonly fresh: number;
}

/**
 * All of a source in windows that overlap by `margin` bytes, for a search: what is found in `bytes` before `fresh` has `margin` bytes
 * behind it, unless the source ends.
 */
export function* windows(source: ByteSource, margin: number): Generator<Window> {
  const room = new Uint8Array(Math.min(WINDOW_BYTES + margin, source.size));
  for (let offset = 0; offset < source.size; offset += WINDOW_BYTES) {
    const bytes = source.read(offset, Math.min(WINDOW_BYTES + margin, source.size - offset), room);
    yield {
      offset,
      bytes: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length),
      fresh: Math.min(WINDOW_BYTES, bytes.length),
    };
  }
}

/** Where `pattern` starts in a window, in order. */
export function* matches({ bytes, fresh }: Window, pattern: Buffer): Generator<number> {
  for (let at = bytes.indexOf(pattern); at >= 0 && at < fresh; at = bytes.indexOf(pattern, at + 1)) yield at;
}
