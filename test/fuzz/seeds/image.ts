import { SHF_ALLOC, SHT_NOBITS } from '../../../plugin/elf/constants.js';
import { type ObjectFile, type ObjectSection, writeObject } from '../../../plugin/elf/write-object.js';

/** A section of an executable; not loaded without an address. */
export interface ImageSection extends ObjectSection {
  readonly addr?: bigint;
  readonly link?: number;
  readonly info?: number;
}

export interface Image extends Omit<ObjectFile, 'sections'> {
  /** ET_* */
  readonly type: number;
  readonly sections: readonly ImageSection[];
}

/**
 * What writeObject writes, as a linked file: e_type, the addresses, links and infos of the sections, and one PT_LOAD for
 * each loaded section behind everything else.
 */
export function writeImage(image: Image): Uint8Array {
  const object = writeObject(image);
  const wide = image.class === 64;
  const little = image.order === 'little';
  const loaded = image.sections.filter(
    ({ addr, flags, type }) => addr !== undefined && (flags & SHF_ALLOC) !== 0 && type !== SHT_NOBITS,
  );
  const [phentsize, shentsize] = wide ? [56, 64] : [32, 40];
  const bytes = new Uint8Array(object.length + loaded.length * phentsize);
  bytes.set(object);
  const view = new DataView(bytes.buffer);
  const word = (at: number, value: bigint | number): void =>
    wide
      ? view.setBigUint64(at, BigInt(value), little)
      : view.setUint32(at, Number(BigInt(value) & 0xffff_ffffn), little);
  const getWord = (at: number): number => (wide ? Number(view.getBigUint64(at, little)) : view.getUint32(at, little));
  view.setUint16(16, image.type, little);
  const shoff = getWord(wide ? 40 : 32);
  const headers = new Map(image.sections.map((section, i) => [section, shoff + (i + 1) * shentsize]));
  for (const [{ addr = 0n, link = 0, info = 0 }, at] of headers) {
    word(at + (wide ? 16 : 12), addr);
    view.setUint32(at + (wide ? 40 : 24), link, little);
    view.setUint32(at + (wide ? 44 : 28), info, little);
  }
  if (loaded.length === 0) return bytes;
  word(wide ? 32 : 28, object.length);
  view.setUint16(wide ? 54 : 42, phentsize, little);
  view.setUint16(wide ? 56 : 44, loaded.length, little);
  for (const [i, section] of loaded.entries()) {
    const at = object.length + i * phentsize;
    const offset = getWord((headers.get(section) ?? 0) + (wide ? 24 : 16));
    const size = typeof section.data === 'number' ? section.data : section.data.length;
    view.setUint32(at, 1, little); // PT_LOAD
    const [toOffset, toVaddr, toPaddr, toFilesz, toMemsz] = wide ? [8, 16, 24, 32, 40] : [4, 8, 12, 16, 20];
    word(at + toOffset, offset);
    word(at + toVaddr, section.addr ?? 0n);
    word(at + toPaddr, section.addr ?? 0n);
    word(at + toFilesz, size);
    word(at + toMemsz, size);
  }
  return bytes;
}
