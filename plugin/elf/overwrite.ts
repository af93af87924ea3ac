import { writeSync } from 'node:fs';
import { CodedError } from '../errors.js';
import { SHT_NOBITS } from './constants.js';
import type { ElfSection } from './sections.js';

/**
 * Writes `bytes` over the data of a section, in place; nothing else in the file moves or changes. `fd` is open for
 * writing, not for appending; `file` is its name in errors. Throws `write-failed`; a RangeError when `bytes` is not
 * exactly as long as the section, or the section has no bytes in the file.
 */
export function overwriteSection(fd: number, file: string, section: ElfSection, bytes: Uint8Array): void {
  if (section.type === SHT_NOBITS) throw new RangeError(`${section.name} has no bytes in the file`);
  if (bytes.length !== section.size)
    throw new RangeError(`${bytes.length} bytes for ${section.name} of ${section.size} bytes`);
  let done = 0;
  while (done < bytes.length) {
    const place = { file, section: section.name, offset: section.offset + done };
    let wrote: number;
    try {
      wrote = writeSync(fd, bytes, done, bytes.length - done, place.offset);
    } catch (error) {
      throw new CodedError('write-failed', (error as NodeJS.ErrnoException).code ?? 'write failed', place, error);
    }
    if (wrote === 0) throw new CodedError('write-failed', 'no byte was taken', place);
    done += wrote;
  }
}
