import { Btf } from '../btf/btf.js';
import { magicOrder } from '../btf/header.js';
import type { NameIndex } from '../btf/names.js';
import { FileSource } from '../bytes/source.js';
import { readLayoutCrc } from '../carrier/symvers.js';
import { ET_REL } from '../elf/constants.js';
import { ElfFile, type ElfSection } from '../elf/file.js';
import { type Symbols, SymbolTable } from '../elf/symbols.js';
import { SystemMap } from '../elf/system-map.js';
import { CodedError } from '../errors.js';

export const BTF_SECTION = '.BTF';
/** The kernel and libbpf take offsets up to 2^31; more than this is no BTF and is never read into memory. */
const MAX_RAW_BTF = 256 << 20;

/** A file with BTF in it: a vmlinux, a module, or the bare BTF. */
export interface BtfInput {
  readonly kind: 'vmlinux' | 'module' | 'btf';
  readonly file: string;
  readonly source: FileSource;
  readonly btf: Btf;
  /** The whole file, where it is bare BTF and so was read at once. */
  readonly raw: Uint8Array | undefined;
  /** Undefined for bare BTF. */
  readonly elf: ElfFile | undefined;
  readonly section: ElfSection | undefined;
}

/**
 * Opens a file, runs `use` on it, closes it; every coded error gets the file's name. `modules`: whether a relocatable
 * object is refused before its BTF is read, which means nothing without a base. Throws `elf-kind` then.
 */
export async function withInput<T>(
  file: string,
  base: Btf | undefined,
  use: (input: BtfInput) => T | Promise<T>,
  modules: 'allowed' | 'refused' = 'allowed',
): Promise<T> {
  const source = FileSource.open(file);
  try {
    return await use(readInput(source, base, modules));
  } catch (error) {
    throw source.explain(error);
  } finally {
    source.close();
  }
}

/** Only the BTF of a file, for `-B`. */
export function readBtf(file: string): Promise<Btf> {
  return withInput(file, undefined, input => input.btf);
}

function readInput(source: FileSource, base: Btf | undefined, modules: 'allowed' | 'refused'): BtfInput {
  const file = source.name;
  if (!ElfFile.isElf(source)) {
    if (!looksLikeBtf(source)) throw new CodedError('elf-not', 'neither ELF nor BTF magic', { file, offset: 0 });
    if (source.size > MAX_RAW_BTF) throw new CodedError('btf-limit', `${source.size} bytes`, { file });
    const raw = source.read(0, source.size);
    return {
      kind: 'btf',
      file,
      source,
      btf: Btf.decode(raw, base),
      raw,
      elf: undefined,
      section: undefined,
    };
  }
  const elf = ElfFile.open(source);
  if (elf.header.type === ET_REL && modules === 'refused' && elf.find(BTF_SECTION) !== undefined)
    throw new CodedError('elf-kind', 'a relocatable object, such as a module', { file });
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
  return { kind: elf.header.type === ET_REL ? 'module' : 'vmlinux', file, source, btf, raw: undefined, elf, section };
}

function looksLikeBtf(source: FileSource): boolean {
  return source.size >= 4 && magicOrder(source.read(0, 2)) !== undefined;
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
 * bare BTF, `elf-symbols-missing` for a stripped vmlinux without a map, `system-map`.
 */
export function asKernel(input: BtfInput, names: NameIndex, systemMap?: string): KernelInput {
  const { elf, section } = input;
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
