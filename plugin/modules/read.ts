import { Btf } from '../btf/btf.js';
import {
  infoKind,
  KIND_DATASEC,
  KIND_DECL_TAG,
  KIND_FUNC,
  KIND_FUNC_PROTO,
  KIND_VAR,
  kindName,
  ROLE_TYPE,
} from '../btf/kinds.js';
import { checkLengths } from '../btf/names.js';
import type { ByteSource } from '../bytes/source.js';
import { BASE_HASH_KEY, MODINFO_SECTION, readModinfo } from '../carrier/modinfo.js';
import { ET_REL, machineName, SHT_NOBITS } from '../elf/constants.js';
import { ElfFile, type ElfSection } from '../elf/file.js';
import { SymbolTable } from '../elf/symbols.js';
import { CodedError } from '../errors.js';
import { type BtfIds, readBtfIds } from '../roots/btf-ids.js';

/** No module has more; a lying header never allocates. Bytes. */
const MAX_BTF = 256 << 20;

/** A kernel module, opened; its BTF, if it has any, decoded on the vmlinux that it was built against. */
export interface KernelModule {
  readonly elf: ElfFile;
  readonly symbols: SymbolTable;
  /** The carrier of some split: its BTF counts on from a base of its own, and is not read. */
  readonly isCarrier: boolean;
  /** Split on the BTF of vmlinux, or on `distilled`. Undefined for a module without types. */
  readonly btf: Btf | undefined;
  readonly section: ElfSection | undefined;
  /** `.BTF.base`: names and sizes of the types of vmlinux that `btf` refers to; the kernel looks them up. */
  readonly distilled: Btf | undefined;
  readonly distilledSection: ElfSection | undefined;
  /** Undefined without the section or without BTF. */
  readonly ids: BtfIds | undefined;
}

/** What a module must agree with. */
export interface BuiltAgainst {
  /** BTF of the vmlinux. */
  readonly original: Btf;
  /** Header of the vmlinux; undefined where only its BTF is known. */
  readonly machine: ElfFile['header'] | undefined;
  /** Undefined where it is not known. */
  readonly vermagic: string | undefined;
}

/**
 * Opens a module, its signature taken off. Throws `elf-kind` for what is none, `module-foreign` for one of another kernel,
 * and what the readers of ELF, BTF and `.BTF_ids` throw.
 */
export function readModule(source: ByteSource, kernel: BuiltAgainst): KernelModule {
  const elf = ElfFile.open(source);
  const file = source.name;
  if (elf.header.type !== ET_REL || elf.find(MODINFO_SECTION) === undefined)
    throw new CodedError('elf-kind', 'not a kernel module', { file });
  const modinfo = readModinfo(elf);
  checkKernel(elf, modinfo, kernel);
  const symbols = SymbolTable.read(elf);
  const isCarrier = modinfo.has(BASE_HASH_KEY);
  const section = isCarrier ? undefined : sectionWithBytes(elf, '.BTF');
  const distilledSection = section === undefined ? undefined : sectionWithBytes(elf, '.BTF.base');
  const distilled = distilledSection === undefined ? undefined : Btf.decode(btfBytes(elf, distilledSection));
  const btf = section === undefined ? undefined : Btf.decode(btfBytes(elf, section), distilled ?? kernel.original);
  for (const part of [distilled, btf]) if (part !== undefined) checkLengths(part);
  if (btf !== undefined) checkReferences(btf, file);
  const ids = btf === undefined ? undefined : readBtfIds(elf, symbols, btf);
  return { elf, symbols, isCarrier, btf, section, distilled, distilledSection, ids };
}

function sectionWithBytes(elf: ElfFile, name: string): ElfSection | undefined {
  const section = elf.find(name);
  return section === undefined || section.size === 0 || section.type === SHT_NOBITS ? undefined : section;
}

function btfBytes(elf: ElfFile, section: ElfSection): Uint8Array {
  if (section.size > MAX_BTF)
    throw new CodedError('btf-limit', `${section.size} bytes`, { file: elf.source.name, section: section.name });
  return elf.data(section);
}

function checkKernel(elf: ElfFile, modinfo: ReadonlyMap<string, string>, kernel: BuiltAgainst): void {
  const { header } = elf;
  const place = { file: elf.source.name };
  const { machine } = kernel;
  if (
    machine !== undefined &&
    (machine.machine !== header.machine || machine.class !== header.class || machine.order !== header.order)
  )
    throw new CodedError(
      'module-foreign',
      `it is for ${machineName(header.machine)}, ${header.class} bit, ${header.order}-endian`,
      place,
    );
  const vermagic = modinfo.get('vermagic')?.trim();
  if (kernel.vermagic !== undefined && vermagic !== undefined && vermagic !== kernel.vermagic.trim())
    throw new CodedError(
      'module-foreign',
      `its vermagic is ${vermagic}, the kernel's ${kernel.vermagic.trim()}`,
      place,
    );
}

/**
 * A module that was built against another vmlinux decodes as long as its ids are not too large, but points at types that
 * make no sense: a FUNC that is no FUNC_PROTO, a member that is a FUNC. Throws `btf-base`.
 */
function checkReferences(btf: Btf, file: string): void {
  const { words, roles, starts, count, firstId } = btf;
  for (let i = 0; i < count; i++) {
    const kind = infoKind(words[starts[i] + 1]);
    if (kind === KIND_DECL_TAG || kind === KIND_DATASEC) continue;
    for (let at = starts[i] + 2; at < starts[i + 1]; at++) {
      const id = words[at];
      if (roles[at] !== ROLE_TYPE || id === 0) continue;
      const target = btf.kind(id);
      const wrong =
        kind === KIND_FUNC
          ? target !== KIND_FUNC_PROTO
          : target === KIND_FUNC || target === KIND_VAR || target === KIND_DATASEC || target === KIND_DECL_TAG;
      if (wrong)
        throw new CodedError(
          'btf-base',
          `its ${kindName(kind)} ${firstId + i} refers to a ${kindName(target)}: it was built against another vmlinux`,
          { file, section: '.BTF' },
        );
    }
  }
}
