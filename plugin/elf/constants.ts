/** Numbers of the ELF specification (gABI), as far as this project reads or writes them. */

/** 32 or 64 bit (`EI_CLASS`). */
export type ElfClass = 32 | 64;

/** Bytes of the file header, a section header, a program header and a symbol, by class. */
export const ELF_SIZES = {
  32: { ehdr: 52, shdr: 40, phdr: 32, sym: 16 },
  64: { ehdr: 64, shdr: 64, phdr: 56, sym: 24 },
} as const;

export const ET_REL = 1;
export const ET_EXEC = 2;
export const ET_DYN = 3;

export const EM_386 = 3;
export const EM_MIPS = 8;
export const EM_PPC = 20;
export const EM_PPC64 = 21;
export const EM_S390 = 22;
export const EM_ARM = 40;
export const EM_X86_64 = 62;
export const EM_AARCH64 = 183;
export const EM_RISCV = 243;
export const EM_BPF = 247;
export const EM_LOONGARCH = 258;

export const SHT_NULL = 0;
export const SHT_PROGBITS = 1;
export const SHT_SYMTAB = 2;
export const SHT_STRTAB = 3;
export const SHT_RELA = 4;
export const SHT_NOBITS = 8;
export const SHT_REL = 9;
export const SHT_SYMTAB_SHNDX = 18;
export const SHT_RELR = 19;

export const SHF_WRITE = 1;
export const SHF_ALLOC = 2;
export const SHF_EXECINSTR = 4;
export const SHF_COMPRESSED = 0x800;

export const PT_LOAD = 1;

export const SHN_UNDEF = 0;
export const SHN_LORESERVE = 0xff00;
export const SHN_ABS = 0xfff1;
export const SHN_XINDEX = 0xffff;

export const PN_XNUM = 0xffff;

export const STB_LOCAL = 0;
export const STB_GLOBAL = 1;
export const STB_WEAK = 2;
export const STT_OBJECT = 1;
export const STT_FUNC = 2;

const MACHINE_NAMES: ReadonlyMap<number, string> = new Map([
  [EM_386, 'x86'],
  [EM_MIPS, 'mips'],
  [EM_PPC, 'powerpc'],
  [EM_PPC64, 'powerpc64'],
  [EM_S390, 's390'],
  [EM_ARM, 'arm'],
  [EM_X86_64, 'x86-64'],
  [EM_AARCH64, 'arm64'],
  [EM_RISCV, 'riscv'],
  [EM_BPF, 'bpf'],
  [EM_LOONGARCH, 'loongarch'],
]);

/** The kernel's name of an `e_machine`, or its number. */
export function machineName(machine: number): string {
  return MACHINE_NAMES.get(machine) ?? `e_machine ${machine}`;
}
