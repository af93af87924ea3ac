import type { ByteOrder } from '../bytes/endian.js';
import { ByteWriter } from '../bytes/writer.js';
import type { ElfFile } from '../elf/file.js';
import { CodedError } from '../errors.js';

export const MODINFO_SECTION = '.modinfo';
/** Hex SHA-256 of the vmlinux `.BTF` that a carrier's BTF is split on; only carriers have it. */
export const BASE_HASH_KEY = 'btf_base_sha256';

/** `key=value` strings, each ended by NUL, as modinfo(8) and the kernel read them. */
export function encodeModinfo(entries: Readonly<Record<string, string>>, order: ByteOrder): Uint8Array {
  const writer = new ByteWriter(order);
  for (const [key, value] of Object.entries(entries)) writer.cstring(`${key}=${value}`);
  return writer.done();
}

/** Some drivers list thousands of aliases, in 100 KB. */
const MAX_BYTES = 4 << 20;

/** The first value of each key. Throws `elf-section-missing`, and `elf-sections` when there are more than 4 MiB. */
export function readModinfo(elf: ElfFile): Map<string, string> {
  const section = elf.section(MODINFO_SECTION);
  if (section.size > MAX_BYTES)
    throw new CodedError('elf-sections', `${section.size} bytes`, { file: elf.source.name, section: MODINFO_SECTION });
  const found = new Map<string, string>();
  for (const entry of Buffer.from(elf.data(section)).toString('latin1').split('\0')) {
    const equals = entry.indexOf('=');
    if (equals > 0 && !found.has(entry.slice(0, equals))) found.set(entry.slice(0, equals), entry.slice(equals + 1));
  }
  return found;
}
