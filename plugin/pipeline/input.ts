import { readBootImage } from '../boot/formats.js';
import { packingAt } from '../boot/packings.js';
import { Btf } from '../btf/btf.js';
import type { NameIndex } from '../btf/names.js';
import { type ByteSource, FileSource } from '../bytes/source.js';
import { readLayoutCrc } from '../carrier/symvers.js';
import { ET_REL } from '../elf/constants.js';
import { ElfFile, type ElfSection } from '../elf/file.js';
import { type Symbols, SymbolTable } from '../elf/symbols.js';
import { SystemMap } from '../elf/system-map.js';
import { CodedError } from '../errors.js';
import { BTF_SECTION, type Found, ImageSearch, isPlainElf, looksLikeBtf, MAX_RAW_BTF } from './image-search.js';

export { BTF_SECTION } from './image-search.js';

/** What a file was that was not itself a vmlinux, a module or BTF. */
export interface PackedIn {
  /** From the outside in: `['uImage', 'zImage', 'xz']`, `['xz']`. */
  readonly layers: readonly string[];
  /** Of the BTF in what was unpacked, or in the file: of an ELF file in its section, else in bytes from the start. */
  readonly place: { readonly section: string } | { readonly offset: number; readonly others: number };
}

/** A file with BTF in it: a vmlinux, a module, the bare BTF, or a boot image whose kernel is no ELF file. */
export interface BtfInput {
  readonly kind: 'vmlinux' | 'module' | 'btf' | 'image';
  readonly file: string;
  /** The file as it is on the disk, compressed or not. */
  readonly source: FileSource;
  readonly btf: Btf;
  /** The BTF as it stands in the file, where it is in no section: of bare BTF the whole file. */
  readonly raw: Uint8Array | undefined;
  /** Undefined for bare BTF and for an image without one. */
  readonly elf: ElfFile | undefined;
  readonly section: ElfSection | undefined;
  /** Undefined for what is neither compressed nor a boot image. */
  readonly packed: PackedIn | undefined;
}

/**
 * Opens a file, runs `use` on it, closes it; every coded error gets the file's name. Compressed files and boot images are unpacked:
 * docs/images.md. `modules`: whether a relocatable object is refused before its BTF is read, which means nothing without a base,
 * and so is what is packed. Throws `elf-kind` and `image-packed` then.
 */
export async function withInput<T>(
  file: string,
  base: Btf | undefined,
  use: (input: BtfInput) => T | Promise<T>,
  modules: 'allowed' | 'refused' = 'allowed',
): Promise<T> {
  const source = FileSource.open(file);
  const search = new ImageSearch(file);
  try {
    return await use(modules === 'allowed' ? await readAny(source, base, search) : readKernelOrBtf(source, base));
  } catch (error) {
    throw source.explain(error);
  } finally {
    search.close();
    source.close();
  }
}

/** Only the BTF of a file, for `-B`. */
export function readBtf(file: string): Promise<Btf> {
  return withInput(file, undefined, input => input.btf);
}

async function readAny(source: FileSource, base: Btf | undefined, search: ImageSearch): Promise<BtfInput> {
  if (ElfFile.isElf(source)) {
    const elf = ElfFile.open(source);
    if (isPlainElf(elf)) return readElf(source, elf, base);
  } else if (looksLikeBtf(source)) return readBare(source, source, base);
  const found = await search.find(source);
  return found === undefined ? readPlain(source, base) : { ...readFound(source, found, base), packed: packedIn(found) };
}

function readKernelOrBtf(source: FileSource, base: Btf | undefined): BtfInput {
  if (ElfFile.isElf(source)) {
    const elf = ElfFile.open(source);
    if (elf.header.type === ET_REL && elf.find(BTF_SECTION) !== undefined)
      throw new CodedError('elf-kind', 'a relocatable object, such as a module', { file: source.name });
    return readElf(source, elf, base);
  }
  if (!looksLikeBtf(source)) {
    const what = packingAt(source, 0) ?? readBootImage(source)?.format;
    if (what !== undefined) throw new CodedError('image-packed', what, { file: source.name });
  }
  return readPlain(source, base);
}

/** Throws `elf-not`, `btf-missing`, `btf-limit`, and what reading ELF files and BTF throws. */
function readPlain(source: FileSource, base: Btf | undefined): BtfInput {
  if (ElfFile.isElf(source)) return readElf(source, ElfFile.open(source), base);
  if (!looksLikeBtf(source))
    throw new CodedError('elf-not', 'neither ELF nor BTF magic, nor a boot image that is known', {
      file: source.name,
      offset: 0,
    });
  return readBare(source, source, base);
}

function readFound(source: FileSource, { content }: Found, base: Btf | undefined): BtfInput {
  if (content.kind === 'elf') return readElf(source, content.elf, base);
  if (content.kind === 'btf') return readBare(source, content.source, base);
  const { btf, bytes } = content.found;
  return { ...ofNoElf(source, btf, bytes), kind: 'image' };
}

function packedIn({ layers, content }: Found): PackedIn {
  if (content.kind === 'elf') return { layers, place: { section: BTF_SECTION } };
  const { offset, others } = content.kind === 'btf' ? { offset: 0, others: 0 } : content.found;
  return { layers, place: { offset, others } };
}

/** `bytes`: the file, or what was unpacked of it. */
function readBare(source: FileSource, bytes: ByteSource, base: Btf | undefined): BtfInput {
  if (bytes.size > MAX_RAW_BTF) throw new CodedError('btf-limit', `${bytes.size} bytes`, { file: source.name });
  const raw = bytes.read(0, bytes.size);
  return ofNoElf(source, Btf.decode(raw, base), raw);
}

function ofNoElf(source: FileSource, btf: Btf, raw: Uint8Array): BtfInput {
  return { kind: 'btf', file: source.name, source, btf, raw, elf: undefined, section: undefined, packed: undefined };
}

function readElf(source: FileSource, elf: ElfFile, base: Btf | undefined): BtfInput {
  const file = source.name;
  const section = elf.find(BTF_SECTION);
  if (section === undefined || section.size === 0)
    throw new CodedError('btf-missing', section === undefined ? 'no .BTF section' : 'the .BTF section is empty', {
      file,
    });
  if (section.size > MAX_RAW_BTF)
    throw new CodedError('btf-limit', `${section.size} bytes`, { file, section: BTF_SECTION });
  const btf = Btf.decode(elf.data(section), base);
  if (btf.order !== elf.header.order) {
    throw new CodedError('btf-header', `${btf.order}-endian BTF in a ${elf.header.order}-endian file`, {
      file,
      section: BTF_SECTION,
      offset: 0,
    });
  }
  const kind = elf.header.type === ET_REL ? 'module' : 'vmlinux';
  return { kind, file, source, btf, raw: undefined, elf, section, packed: undefined };
}

/** What only a linked kernel has. */
export interface KernelInput extends BtfInput {
  readonly kind: 'vmlinux';
  readonly elf: ElfFile;
  readonly section: ElfSection;
  readonly symbols: Symbols;
  readonly names: NameIndex;
}

/**
 * `systemMap`: path of the System.map, which is read where the file has no symbol table. Throws `elf-kind` for a module or
 * bare BTF, `image-packed` for a kernel out of a boot image without a map or that is no ELF file, `elf-symbols-missing` for a stripped vmlinux without a map, `system-map`.
 */
export function asKernel(input: BtfInput, names: NameIndex, systemMap?: string): KernelInput {
  const { elf, section } = input;
  // With a System.map the ELF file inside a boot image of x86 has all that is read of a kernel.
  if (input.packed !== undefined && (elf === undefined || systemMap === undefined))
    throw new CodedError('image-packed', input.packed.layers.join(', '), { file: input.file });
  if (elf === undefined || section === undefined || input.kind !== 'vmlinux') {
    throw new CodedError(
      'elf-kind',
      input.kind === 'btf'
        ? 'bare BTF has no .BTF_ids to take roots from; pass --roots'
        : 'a relocatable object, such as a module',
      { file: input.file },
    );
  }
  return { ...input, kind: 'vmlinux', elf, section, symbols: readSymbols(elf, systemMap), names };
}

/** Symbols of a vmlinux, or of its System.map where it has none. Throws `elf-symbols-missing`, `elf-symbols`, `system-map`. */
export function readSymbols(elf: ElfFile, systemMap: string | undefined): Symbols {
  if (systemMap === undefined || SymbolTable.isIn(elf)) return SymbolTable.read(elf);
  return withSource(systemMap, source => SystemMap.read(source, elf));
}

/** CRC of module_layout in the Module.symvers at `path`, for kernels without `__crc_*` symbols. Throws `module-symvers`. */
export function layoutCrcOf(path: string | undefined): number | undefined {
  return path === undefined ? undefined : withSource(path, readLayoutCrc);
}

function withSource<T>(path: string, use: (source: FileSource) => T): T {
  const source = FileSource.open(path);
  try {
    return use(source);
  } finally {
    source.close();
  }
}
