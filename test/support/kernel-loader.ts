/**
 * Holds a .ko against what Linux 6.12 asks before it runs anything of it: each check of kernel/module/main.c up to
 * find_module_sections, of kernel/module/strict_rwx.c and version.c, and what the architectures add. Two checks are newer
 * (6.13: elf_validity_cache_strtab). Written from those files and the gABI; nothing of the plugin takes part.
 */

/** What a running kernel compares a module with. */
export interface LoaderKernel {
  readonly class: 32 | 64;
  readonly order: 'little' | 'big';
  /** e_machine. */
  readonly machine: number;
  /** sizeof(struct module), and where its name and its init stand, in bytes. */
  readonly moduleBytes: number;
  readonly nameOffset: number;
  readonly vermagic: string;
  /** Of module_layout; undefined without MODVERSIONS. */
  readonly layoutCrc?: number | undefined;
}

interface Section {
  readonly index: number;
  readonly name: string;
  readonly nameOffset: number;
  readonly type: number;
  readonly flags: number;
  readonly offset: number;
  readonly size: number;
  readonly link: number;
  readonly info: number;
  readonly align: number;
}

const SHT = { NULL: 0, PROGBITS: 1, SYMTAB: 2, STRTAB: 3, RELA: 4, NOBITS: 8, REL: 9 };
const SHF = { WRITE: 1, ALLOC: 2, EXEC: 4 };
const SHN = { UNDEF: 0, LORESERVE: 0xff00, ABS: 0xfff1, COMMON: 0xfff2 };
const MODULE_NAME_BYTES: Readonly<Record<number, number>> = { 32: 60, 64: 56 };
const EM = { MIPS: 8, ARM: 40, X86_64: 62, AARCH64: 183, RISCV: 243 };

/** license_is_gpl_compatible (include/linux/license.h). */
const GPL_COMPATIBLE = ['GPL', 'GPL v2', 'GPL and additional rights', 'Dual BSD/GPL', 'Dual MIT/GPL', 'Dual MPL/GPL'];
/** module_frob_arch_sections and module_finalize of an architecture: sections without which they return -ENOEXEC. */
const WANTED_SECTIONS: Readonly<Record<number, readonly string[]>> = {
  [EM.ARM]: ['.plt', '.init.plt'],
  [EM.AARCH64]: ['.plt', '.init.plt', '.text.ftrace_trampoline', '.init.text.ftrace_trampoline'],
  [EM.RISCV]: ['.plt', '.got', '.got.plt'],
  [EM.MIPS]: [],
  [EM.X86_64]: [],
};

/** What the kernel would say, in its words where it has some; empty for a module that it takes. */
export function refusals(bytes: Uint8Array, kernel: LoaderKernel): string[] {
  try {
    return new Loader(bytes, kernel).check();
  } catch (error) {
    if (error instanceof Refused) return [error.message];
    throw error;
  }
}

class Refused extends Error {}

function insist(holds: boolean, message: string): asserts holds {
  if (!holds) throw new Refused(message);
}

class Loader {
  readonly #bytes: Buffer;
  readonly #view: DataView;
  readonly #kernel: LoaderKernel;
  readonly #little: boolean;
  readonly #wide: boolean;
  #sections: readonly Section[] = [];

  constructor(bytes: Uint8Array, kernel: LoaderKernel) {
    this.#bytes = Buffer.from(bytes);
    this.#view = new DataView(this.#bytes.buffer, this.#bytes.byteOffset, this.#bytes.length);
    this.#kernel = kernel;
    this.#little = kernel.order === 'little';
    this.#wide = kernel.class === 64;
  }

  check(): string[] {
    this.#header();
    this.#sectionHeaders();
    this.#sectionNames();
    const symbols = this.#symbolTable();
    const said: string[] = [];
    const say = (holds: boolean, message: string): void => {
      if (!holds) said.push(message);
    };
    this.#thisModule(say);
    this.#modinfo(say);
    this.#layoutCrc(say);
    this.#architecture(say);
    this.#layout(say);
    this.#symbols(symbols, say);
    return said;
  }

  #u16(at: number): number {
    return this.#view.getUint16(at, this.#little);
  }

  #u32(at: number): number {
    return this.#view.getUint32(at, this.#little);
  }

  /** Elf32_Addr, Elf64_Xword and their like. */
  #word(at: number): number {
    return this.#wide ? Number(this.#view.getBigUint64(at, this.#little)) : this.#u32(at);
  }

  /** elf_validity_ehdr, elf_check_arch. */
  #header(): void {
    const { class: elfClass, machine } = this.#kernel;
    insist(this.#bytes.length >= (this.#wide ? 64 : 52), 'Invalid ELF header len');
    insist(this.#bytes.toString('latin1', 0, 4) === '\x7fELF', 'Invalid ELF header magic');
    // The kernel reads everything as its own structures: another class or order is another file.
    insist(this.#bytes[4] === elfClass / 32, 'another EI_CLASS');
    insist(this.#bytes[5] === (this.#little ? 1 : 2), 'another EI_DATA');
    insist(this.#u16(16) === 1, 'Invalid ELF header type');
    insist(this.#u16(18) === machine, 'Invalid architecture in ELF header');
    const flags = this.#u32(this.#wide ? 48 : 36);
    const entry = this.#word(24);
    if (machine === EM.ARM) insist(entry % 4 === 0 && flags >>> 24 !== 0, 'Invalid architecture: entry or EABI of ARM');
    if (machine === EM.MIPS && !this.#wide)
      insist((flags & 0x20) === 0 && [0, 0x1000].includes(flags & 0xf000), 'Invalid architecture: not O32');
    insist(this.#u16(this.#wide ? 58 : 46) === (this.#wide ? 64 : 40), 'Invalid ELF section header size');
  }

  /** elf_validity_cache_sechdrs, validate_section_offset. */
  #sectionHeaders(): void {
    const shoff = this.#word(this.#wide ? 40 : 32);
    const count = this.#u16(this.#wide ? 60 : 48);
    const bytes = this.#wide ? 64 : 40;
    insist(shoff < this.#bytes.length && count * bytes <= this.#bytes.length - shoff, 'section header overflow');
    insist(shoff % (this.#kernel.class / 8) === 0, 'section headers that a strict CPU cannot read');
    this.#sections = Array.from({ length: count }, (_, index) => {
      const at = shoff + index * bytes;
      const [flags, offset, size, link, info, align] = this.#wide ? [8, 24, 32, 40, 44, 48] : [8, 16, 20, 24, 28, 32];
      return {
        index,
        name: '',
        nameOffset: this.#u32(at),
        type: this.#u32(at + 4),
        flags: this.#word(at + flags),
        offset: this.#word(at + offset),
        size: this.#word(at + size),
        link: this.#u32(at + link),
        info: this.#u32(at + info),
        align: this.#word(at + align),
      };
    });
    const [first] = this.#sections;
    const address = this.#word(shoff + (this.#wide ? 16 : 12));
    insist(
      first !== undefined && first.type === SHT.NULL && first.size === 0 && address === 0,
      'section 0 is not null',
    );
    for (const { index, type, offset, size } of this.#sections.slice(1))
      if (type !== SHT.NULL && type !== SHT.NOBITS)
        insist(offset + size <= this.#bytes.length, `Invalid ELF section in module (section ${index})`);
  }

  /** elf_validity_cache_secstrings. */
  #sectionNames(): void {
    const index = this.#u16(this.#wide ? 62 : 50);
    insist(index !== SHN.UNDEF && index < this.#sections.length, 'Invalid ELF section name index');
    const table = this.#sections[index];
    insist(table.type === SHT.STRTAB, 'Invalid ELF section name table type');
    insist(table.size > 0, 'empty section name table');
    insist(this.#bytes[table.offset + table.size - 1] === 0, "section name table isn't null terminated");
    this.#sections = this.#sections.map(section => {
      if (section.type === SHT.NULL) return section;
      insist(section.nameOffset < table.size, 'Invalid ELF section name in module');
      return { ...section, name: this.#string(table.offset + section.nameOffset) };
    });
  }

  #string(at: number): string {
    return this.#bytes.toString('latin1', at, this.#bytes.indexOf(0, at));
  }

  /** find_any_unique_sec: the section, undefined for none. */
  #unique(name: string): Section | undefined {
    const found = this.#sections.slice(1).filter(section => section.name === name);
    insist(found.length <= 1, `Only one ${name} section must exist.`);
    return found[0];
  }

  /** find_sec: by name, only what is allocated. */
  #find(name: string): Section | undefined {
    return this.#sections.find(section => (section.flags & SHF.ALLOC) !== 0 && section.name === name);
  }

  /** elf_validity_cache_index_sym and _str, elf_validity_cache_strtab. */
  #symbolTable(): { readonly symbols: Section; readonly strings: Section } {
    const tables = this.#sections.filter(section => section.type === SHT.SYMTAB);
    insist(tables.length === 1, 'module has no symbols (stripped?)');
    const [symbols] = tables;
    insist(symbols.link !== SHN.UNDEF && symbols.link < this.#sections.length, 'Invalid ELF sh_link');
    const strings = this.#sections[symbols.link];
    insist(strings.type === SHT.STRTAB, 'Invalid ELF symbol string table type');
    insist(strings.size > 0 && this.#bytes[strings.offset] === 0, 'symbol strings do not start with NUL');
    insist(this.#bytes[strings.offset + strings.size - 1] === 0, 'symbol strings do not end with NUL');
    return { symbols, strings };
  }

  /** elf_validity_cache_index_mod; the temporary copy of struct module is read where it stands in the file. */
  #thisModule(say: Say): void {
    const section = this.#unique('.gnu.linkonce.this_module');
    insist(section !== undefined, 'Exactly one .gnu.linkonce.this_module section must exist.');
    say(section.type !== SHT.NOBITS, '.gnu.linkonce.this_module section must have a size set');
    say((section.flags & SHF.ALLOC) !== 0, '.gnu.linkonce.this_module must occupy memory during process execution');
    say(section.size === this.#kernel.moduleBytes, '.gnu.linkonce.this_module section size must match');
    say(section.offset % (this.#kernel.class / 8) === 0, 'struct module stands where a strict CPU cannot read it');
    say((section.flags & SHF.WRITE) !== 0, 'struct module would be read-only');
    const name = this.#string(section.offset + this.#kernel.nameOffset);
    say(name !== '' && name.length < (MODULE_NAME_BYTES[this.#kernel.class] ?? 0), 'no name in struct module');
    say(!name.includes('/') && name === this.#modinfoField('name'), `struct module is called ${name}, .modinfo is not`);
  }

  #modinfoField(key: string): string | undefined {
    const section = this.#unique('.modinfo');
    if (section === undefined) return undefined;
    const text = this.#bytes.toString('latin1', section.offset, section.offset + section.size);
    const prefix = `${key}=`;
    return text
      .split('\0')
      .find(entry => entry.startsWith(prefix))
      ?.slice(prefix.length);
  }

  /** check_modinfo, same_magic, module_license_taint_check, check_modinfo_retpoline. */
  #modinfo(say: Say): void {
    const withCrcs = this.#find('__versions') !== undefined;
    const magic = this.#modinfoField('vermagic') ?? '';
    const own = this.#kernel.vermagic;
    const tail = (text: string): string => text.slice(text.includes(' ') ? text.indexOf(' ') : text.length);
    say(withCrcs ? tail(magic) === tail(own) : magic === own, `version magic '${magic}' should be '${own}'`);
    say(GPL_COMPATIBLE.includes(this.#modinfoField('license') ?? ''), 'module license taints kernel');
    say(this.#modinfoField('livepatch') === undefined, 'a livepatch');
    if (this.#kernel.machine === EM.X86_64)
      say(this.#modinfoField('retpoline') !== undefined, 'loading module not compiled with retpoline compiler');
  }

  /** check_modstruct_version, check_version. */
  #layoutCrc(say: Say): void {
    const { layoutCrc } = this.#kernel;
    if (layoutCrc === undefined) return;
    const section = this.#find('__versions');
    say(section !== undefined, 'no section __versions');
    if (section === undefined) return;
    const crcBytes = this.#kernel.class / 8;
    say(section.offset % crcBytes === 0, 'versions that a strict CPU cannot read');
    const crcs = Array.from({ length: Math.floor(section.size / 64) }, (_, i) => section.offset + i * 64);
    const own = crcs.find(at => this.#string(at + crcBytes) === 'module_layout');
    if (own === undefined) say(false, 'no symbol version for module_layout');
    else say(this.#word(own) === layoutCrc, 'disagrees about version of symbol module_layout');
  }

  #architecture(say: Say): void {
    for (const name of WANTED_SECTIONS[this.#kernel.machine] ?? [])
      say(
        this.#sections.some(section => section.name === name),
        `module section ${name} missing`,
      );
  }

  /** module_enforce_rwx_sections, layout_sections, find_module_sections. */
  #layout(say: Say): void {
    for (const { name, flags, align, type, info } of this.#sections) {
      say((flags & SHF.WRITE) === 0 || (flags & SHF.EXEC) === 0, `section ${name} has invalid WRITE|EXEC flags`);
      say(align === 0 || Number.isInteger(Math.log2(align)), `section ${name} is aligned to ${align}`);
      if (type === SHT.REL || type === SHT.RELA)
        say(info < this.#sections.length, `section ${name} relocates section ${info}`);
    }
    const btf = this.#unique('.BTF');
    say(btf !== undefined && btf.size > 0 && btf.type === SHT.PROGBITS, 'no .BTF to register');
  }

  /** simplify_symbols: what is undefined has to be resolved by the kernel, and the tests' kernels export nothing. */
  #symbols({ symbols, strings }: { symbols: Section; strings: Section }, say: Say): void {
    const bytes = this.#wide ? 24 : 16;
    say(symbols.offset % (this.#kernel.class / 8) === 0, 'symbols that a strict CPU cannot read');
    for (let at = symbols.offset + bytes; at < symbols.offset + symbols.size; at += bytes) {
      const nameOffset = this.#u32(at);
      const section = this.#u16(at + (this.#wide ? 6 : 14));
      insist(nameOffset < strings.size, 'a symbol name beyond its table');
      const name = this.#string(strings.offset + nameOffset);
      say(section !== SHN.COMMON, `${name}: please compile with -fno-common`);
      say(section !== SHN.UNDEF, `Unknown symbol ${name}`);
      say(section < this.#sections.length || section === SHN.ABS, `Symbol ${name} has an invalid section index`);
    }
  }
}

type Say = (holds: boolean, message: string) => void;
