import { decodeHeader } from '../../../plugin/btf/header.js';

/** Numbers that depend on the seed alone (mulberry32). */
export function randomNumbers(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return below => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

/**
 * A copy of a BTF with one to three words of its types changed, or a byte of its strings: a neighbour, a small number, one bit, or a
 * word from elsewhere in the types, so that ids stay ids more often than not.
 */
export function mutate(original: Uint8Array, random: (below: number) => number): Uint8Array {
  const bytes = Uint8Array.from(original);
  const { order, length, types, strings } = decodeHeader(original);
  const view = new DataView(bytes.buffer);
  const little = order === 'little';
  const anyWord = (): number => length + types.offset + random(types.length / 4) * 4;
  for (let left = 1 + random(3); left > 0; left--) {
    if (random(8) === 0) {
      // Not the first byte and not the last one, which every reader looks at.
      bytes[length + strings.offset + 1 + random(strings.length - 2)] = random(4) === 0 ? 0 : random(256);
      continue;
    }
    const at = anyWord();
    const word = view.getUint32(at, little);
    const changed = [
      () => word + 1,
      () => word - 1,
      () => random(64),
      () => 0,
      () => word ^ (1 << random(32)),
      () => view.getUint32(anyWord(), little),
    ][random(6)]();
    view.setUint32(at, changed >>> 0, little);
  }
  return bytes;
}
