import type { ByteSource } from '../bytes/source.js';
import { pieces } from '../bytes/source.js';
import { CodedError, type ErrorCode } from '../errors.js';
import { ELF_SIZES, ET_REL, SHT_NOBITS, SHT_NULL } from './constants.js';
import type { ElfFile, ElfSection } from './file.js';

/** New bytes of a section, longer or shorter than the old ones. */
export interface SectionChange {
  readonly section: ElfSection;
  readonly bytes: Uint8Array;
}

/** No section of a module is aligned to more than a page; one that says so must not make a file of gigabytes. Bytes. */
const MAX_GAP = 1 << 20;

/** What stands in the file at a place: a section, or the table of section headers. */
interface Item {
  readonly section: ElfSection | undefined;
  readonly offset: number;
  /** Bytes in the file, before and after. */
  readonly oldLength: number;
  readonly newLength: number;
  readonly align: number;
  readonly bytes: Uint8Array | undefined;
}

interface Placed extends Item {
  readonly newOffset: number;
}

/**
 * A relocatable object with the bytes of some sections replaced, piece by piece: sections keep their order in the file,
 * their alignment, their index and every other field of their headers; what stands before the first change does not move.
 * Bytes behind the last section or header are kept. Throws `elf-kind` for a file that is no ET_REL, `elf-sections` when
 * sections overlap or bytes other than NUL belong to none, `file-truncated`.
 */
export function* resizeSections(elf: ElfFile, changes: readonly SectionChange[]): Generator<Uint8Array> {
  if (elf.header.type !== ET_REL || elf.header.phnum > 0)
    throw new CodedError('elf-kind', 'sections of relocatable objects only can be moved', { file: elf.source.name });
  const placed = place(elf, changes);
  const table = placed.find(item => item.section === undefined);
  yield fileHeader(elf, table?.newOffset ?? 0);
  let end: number = ELF_SIZES[elf.header.class].ehdr;
  for (const item of placed) {
    if (item.newOffset > end) yield new Uint8Array(item.newOffset - end);
    end = item.newOffset + item.newLength;
    if (item.section === undefined) yield sectionHeaders(elf, placed);
    else if (item.bytes !== undefined) yield item.bytes;
    else for (const { bytes } of pieces(elf.source, item.offset, item.oldLength)) yield bytes;
  }
  const tail = oldEnd(placed, elf);
  for (const { bytes } of pieces(elf.source, tail, elf.source.size - tail)) yield bytes;
}

/** Sections with bytes and the table of headers, in the order of the file. */
function place(elf: ElfFile, changes: readonly SectionChange[]): Placed[] {
  const { header, source } = elf;
  const sizes = ELF_SIZES[header.class];
  const items: Item[] = elf.sections.filter(hasBytes).map(section => {
    const change = changes.find(wanted => wanted.section.index === section.index);
    return {
      section,
      offset: section.offset,
      oldLength: section.size,
      newLength: change?.bytes.length ?? section.size,
      align: section.addralign,
      bytes: change?.bytes,
    };
  });
  const tableBytes = header.shnum * sizes.shdr;
  items.push({
    section: undefined,
    offset: header.shoff,
    oldLength: tableBytes,
    newLength: tableBytes,
    align: header.class / 8,
    bytes: undefined,
  });
  items.sort((a, b) => a.offset - b.offset || a.oldLength - b.oldLength);

  const placed: Placed[] = [];
  let oldCursor: number = sizes.ehdr;
  let cursor: number = sizes.ehdr;
  let moved = false;
  for (const item of items) {
    if (item.offset < oldCursor || item.offset + item.oldLength > source.size)
      throw new CodedError('elf-sections', `${item.section?.name ?? 'the section headers'} overlap others`, {
        file: source.name,
        offset: item.offset,
      });
    checkGap(source, oldCursor, item.offset);
    const newOffset = moved ? congruent(cursor, item.offset, item.align) : item.offset;
    if (newOffset - cursor >= MAX_GAP)
      throw new CodedError('elf-sections', `${item.section?.name ?? 'the section headers'} aligned to ${item.align}`, {
        file: source.name,
        offset: item.offset,
      });
    placed.push({ ...item, newOffset });
    oldCursor = item.offset + item.oldLength;
    cursor = newOffset + item.newLength;
    moved ||= item.newLength !== item.oldLength;
  }
  return placed;
}

function hasBytes(section: ElfSection): boolean {
  return section.type !== SHT_NULL && section.type !== SHT_NOBITS && section.size > 0;
}

/** The first offset from `from` on that is as aligned as the old one was. */
function congruent(from: number, old: number, align: number): number {
  const step = align > 1 ? align : 1;
  return from + ((((old - from) % step) + step) % step);
}

function checkGap(source: ByteSource, from: number, to: number): void {
  for (const { offset, bytes } of pieces(source, from, to - from)) {
    const at = bytes.findIndex(byte => byte !== 0);
    if (at >= 0)
      throw new CodedError('elf-sections', 'a byte that belongs to no section', {
        file: source.name,
        offset: offset + at,
      });
  }
}

function oldEnd(placed: readonly Placed[], elf: ElfFile): number {
  const last = placed.at(-1);
  return last === undefined ? ELF_SIZES[elf.header.class].ehdr : last.offset + last.oldLength;
}

function fileHeader(elf: ElfFile, shoff: number): Uint8Array {
  const { header } = elf;
  const bytes = elf.source.read(0, ELF_SIZES[header.class].ehdr);
  setWord(elf, bytes, header.class === 64 ? 40 : 32, shoff);
  return bytes;
}

function sectionHeaders(elf: ElfFile, placed: readonly Placed[]): Uint8Array {
  const { header, sections } = elf;
  const wide = header.class === 64;
  const bytes = elf.source.read(header.shoff, header.shnum * header.shentsize);
  const byIndex = new Map(placed.map(item => [item.section?.index, item]));
  for (const section of sections) {
    const item = byIndex.get(section.index);
    const at = section.index * header.shentsize;
    if (item !== undefined) {
      setWord(elf, bytes, at + (wide ? 24 : 16), item.newOffset);
      setWord(elf, bytes, at + (wide ? 32 : 20), item.newLength);
    } else if (section.type !== SHT_NULL) {
      setWord(elf, bytes, at + (wide ? 24 : 16), movedOffset(section, placed));
    }
  }
  return bytes;
}

/** A section without bytes stays behind what it stood behind. */
function movedOffset(section: ElfSection, placed: readonly Placed[]): number {
  // Sections do not overlap, so their ends ascend.
  let low = 0;
  let high = placed.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (placed[middle].offset + placed[middle].oldLength <= section.offset) low = middle + 1;
    else high = middle;
  }
  if (low === 0) return section.offset;
  const before = placed[low - 1];
  const delta = before.newOffset + before.newLength - (before.offset + before.oldLength);
  return delta === 0
    ? section.offset
    : congruent(before.newOffset + before.newLength, section.offset, section.addralign);
}

function setWord(elf: ElfFile, bytes: Uint8Array, at: number, value: number): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const little = elf.header.order === 'little';
  if (elf.header.class === 64) view.setBigUint64(at, BigInt(value), little);
  else if (value > 0xffff_ffff)
    throw new CodedError('elf-sections', 'the file would exceed 4 GiB', { file: elf.source.name });
  else view.setUint32(at, value, little);
}

/**
 * Compares two files section by section: the same header and sections in the same order, the same bytes in each that was
 * not to change, the new bytes in those that were, the same alignment, the same bytes behind all. Throws `code`.
 */
export function proveResized(
  before: ElfFile,
  after: ElfFile,
  changes: readonly SectionChange[],
  code: ErrorCode = 'invariant',
): void {
  const fail = (detail: string): never => {
    throw new CodedError(code, detail, { file: after.source.name });
  };
  if (Buffer.compare(bareHeader(before), bareHeader(after)) !== 0) fail('its ELF header changed');
  if (before.sections.length !== after.sections.length) fail(`it has ${after.sections.length} sections`);
  for (const [index, was] of before.sections.entries()) {
    const is = after.sections[index];
    const change = changes.find(wanted => wanted.section.index === index);
    const size = change?.bytes.length ?? was.size;
    const sameHeader = Buffer.compare(bareSectionHeader(before, index), bareSectionHeader(after, index)) === 0;
    if (!sameHeader || is.name !== was.name || is.size !== size) fail(`the header of its section ${was.name} changed`);
    if (was.addralign > 1 && is.offset % was.addralign !== was.offset % was.addralign)
      fail(`its section ${was.name} lost its alignment`);
    if (change !== undefined) {
      if (Buffer.compare(after.data(is), change.bytes) !== 0)
        fail(`its section ${was.name} has other bytes than were due`);
    } else if (hasBytes(was) && !sameBytes(before.source, was.offset, after.source, is.offset, was.size))
      fail(`its section ${was.name} changed`);
  }
  const [oldTail, newTail] = [endOf(before), endOf(after)];
  const length = before.source.size - oldTail;
  if (after.source.size - newTail !== length || !sameBytes(before.source, oldTail, after.source, newTail, length))
    fail('the bytes behind its sections changed');
}

/** The ELF header without e_shoff. */
function bareHeader(elf: ElfFile): Uint8Array {
  return fileHeader(elf, 0);
}

/** A section header without sh_offset and sh_size. */
function bareSectionHeader(elf: ElfFile, index: number): Uint8Array {
  const { shoff, shentsize } = elf.header;
  const bytes = elf.source.read(shoff + index * shentsize, shentsize);
  const wide = elf.header.class === 64;
  return bytes.fill(0, wide ? 24 : 16, wide ? 40 : 24);
}

/** Where the last section or the table of headers ends. */
function endOf(elf: ElfFile): number {
  const { header } = elf;
  return elf.sections
    .filter(hasBytes)
    .reduce((end, { offset, size }) => Math.max(end, offset + size), header.shoff + header.shnum * header.shentsize);
}

function sameBytes(a: ByteSource, aOffset: number, b: ByteSource, bOffset: number, length: number): boolean {
  for (const { offset, bytes } of pieces(a, aOffset, length))
    if (Buffer.compare(bytes, b.read(bOffset + offset - aOffset, bytes.length)) !== 0) return false;
  return true;
}
