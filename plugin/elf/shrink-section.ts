import { writeSync } from 'node:fs';
import { CodedError } from '../errors.js';
import { PT_LOAD, SHF_ALLOC } from './constants.js';
import type { ElfFile, ElfSection } from './file.js';
import { overwriteSection } from './overwrite.js';

/** Offset of sh_size in a section header. */
const SIZE_OFFSET = { 32: 20, 64: 32 } as const;

/**
 * Gives a section that no segment loads other data, in place: `bytes` at its offset, and their number as its size. Everything else
 * stays where it is; the bytes behind the new data belong to no section any more. `fd` is open for writing. Throws
 * `write-failed`; `elf-sections` for a section that is loaded or too small.
 */
export function shrinkSection(fd: number, elf: ElfFile, section: ElfSection, bytes: Uint8Array): void {
  const file = elf.source.name;
  const place = { file, section: section.name };
  if (isLoaded(elf, section)) throw new CodedError('elf-sections', 'the section is loaded', place);
  if (bytes.length > section.size)
    throw new CodedError('elf-sections', `${bytes.length} bytes for a section of ${section.size}`, place);
  overwriteSection(fd, file, { ...section, size: bytes.length }, bytes);
  const { shoff, shentsize, order, class: elfClass } = elf.header;
  const word = new DataView(new ArrayBuffer(elfClass / 8));
  if (elfClass === 64) word.setBigUint64(0, BigInt(bytes.length), order === 'little');
  else word.setUint32(0, bytes.length, order === 'little');
  const at = shoff + section.index * shentsize + SIZE_OFFSET[elfClass];
  try {
    writeSync(fd, new Uint8Array(word.buffer), 0, word.byteLength, at);
  } catch (error) {
    throw new CodedError('write-failed', (error as NodeJS.ErrnoException).code ?? 'write failed', place, error);
  }
}

function isLoaded(elf: ElfFile, { flags, offset, size }: ElfSection): boolean {
  if ((flags & SHF_ALLOC) === 0) return false;
  return elf
    .segments()
    .some(({ type, offset: at, filesz }) => type === PT_LOAD && at <= offset && offset + size <= at + filesz);
}
