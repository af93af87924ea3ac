import { MemorySource } from '../plugin/bytes/source.js';
import { ELF_SIZES, SHF_ALLOC, SHT_NOBITS, SHT_REL, SHT_RELA, SHT_RELR, STT_OBJECT } from '../plugin/elf/constants.js';
import { ElfFile, type ElfSection } from '../plugin/elf/file.js';
import { type ElfSymbol, SymbolTable } from '../plugin/elf/symbols.js';

/** Sections that stay whole; so do allocated relocations (`.rela.dyn`, `.relr.dyn`). */
const SECTIONS = ['.BTF', '.BTF_ids', '.symtab', '.symtab_shndx', '.strtab', '.shstrtab', '.notes'];
/**
 * What struct_ops are registered with and their cfi stubs, as net/ipv4/bpf_tcp_ca.c, kernel/sched/ext and io_uring/bpf-ops.c
 * call them.
 */
const STRUCT_OPS = /^(__|io_)?bpf_\w*ops(_cid|_stubs)?$/;
const STRINGS = ['vermagic', 'linux_banner'];
const VALUE_STRUCT = /\0bpf_struct_ops_(\w+_(?:ops|ctrl))(?=\0)/g;
/** `IKCFG_ST` before the data and `IKCFG_ED` behind it (kernel/configs.c). */
const CONFIG_MARK_BYTES = 8;
const CRC_BYTES = 4;

/**
 * A copy of a vmlinux, as long as before, whose bytes are zero but for: the ELF, program and section headers; the sections
 * above; the objects that symbols called `vermagic`, `linux_banner`, `__crc_*`, or as `STRUCT_OPS` says, name;
 * `kernel_config_data` with its marks; and, wherever it stands, the name of each ops struct that the BTF has a
 * `bpf_struct_ops_<name>` for. Packed, the zeros cost nothing. Throws what reading an ELF throws.
 */
export function trimKernel(vmlinux: Uint8Array): Uint8Array {
  const elf = ElfFile.open(new MemorySource(vmlinux, 'vmlinux'));
  const trimmed = new Uint8Array(vmlinux.length);
  const keep = (start: number, end: number): void => {
    if (start < 0 || end > vmlinux.length) throw new Error(`no bytes ${start} to ${end} in this vmlinux`);
    trimmed.set(vmlinux.subarray(start, end), start);
  };
  const { header, sections } = elf;
  keep(0, ELF_SIZES[header.class].ehdr);
  keep(header.phoff, header.phoff + header.phnum * header.phentsize);
  keep(header.shoff, header.shoff + sections.length * header.shentsize);
  for (const section of sections)
    if (section.type !== SHT_NOBITS && (SECTIONS.includes(section.name) || relocates(section)))
      keep(section.offset, section.offset + section.size);

  const symbols = SymbolTable.read(elf);
  for (const symbol of objects(symbols, sections)) {
    const start = fileOffset(sections, symbol);
    const size = symbol.name.startsWith('__crc_') ? CRC_BYTES : symbol.size;
    if (start !== undefined) keep(start, start + size);
  }
  const [from, to] = ['kernel_config_data', 'kernel_config_data_end'].map(name => symbols.find(name));
  if (from !== undefined && to !== undefined) {
    const start = fileOffset(sections, from);
    if (start !== undefined) keep(start - CONFIG_MARK_BYTES, start + Number(to.value - from.value) + CONFIG_MARK_BYTES);
  }
  for (const [start, end] of opsNames(elf, vmlinux)) keep(start, end);
  return trimmed;
}

function relocates({ type, flags }: ElfSection): boolean {
  return (flags & SHF_ALLOC) !== 0 && (type === SHT_REL || type === SHT_RELA || type === SHT_RELR);
}

function* objects(symbols: SymbolTable, sections: readonly ElfSection[]): Generator<ElfSymbol> {
  for (let index = 1; index < symbols.count; index++) {
    if (symbols.section(index) >= sections.length) continue;
    const name = symbols.name(index);
    const object = symbols.type(index) === STT_OBJECT && (STRUCT_OPS.test(name) || STRINGS.includes(name));
    if (object || name.startsWith('__crc_')) yield symbols.at(index);
  }
}

/** Undefined for what has no bytes in the file. */
function fileOffset(sections: readonly ElfSection[], symbol: ElfSymbol): number | undefined {
  const section = sections[symbol.section];
  if (section === undefined || section.type === SHT_NOBITS || (section.flags & SHF_ALLOC) === 0) return undefined;
  return section.offset + Number(symbol.value - section.addr);
}

/** The linker lets a string be the tail of another, so the NUL in front does not count. */
function* opsNames(elf: ElfFile, vmlinux: Uint8Array): Generator<[number, number]> {
  const btf = Buffer.from(elf.data(elf.section('.BTF'))).toString('latin1');
  const names = [...btf.matchAll(VALUE_STRUCT)].map(([, name]) => Buffer.from(`${name}\0`, 'latin1'));
  const bytes = Buffer.from(vmlinux.buffer, vmlinux.byteOffset, vmlinux.length);
  const places = elf.sections.filter(({ type, flags }) => (flags & SHF_ALLOC) !== 0 && type !== SHT_NOBITS);
  for (const name of names)
    for (const { offset, size } of places)
      for (let at = bytes.indexOf(name, offset); at >= 0 && at < offset + size; at = bytes.indexOf(name, at + 1))
        yield [at, at + name.length];
}
