import { EM_ARM, EM_MIPS, machineName, SHF_ALLOC, SHF_EXECINSTR, SHT_PROGBITS } from '../elf/constants.js';
import type { ElfHeader } from '../elf/file.js';
import type { ObjectSection } from '../elf/write-object.js';
import { CodedError } from '../errors.js';

/** How a data-only module of an architecture differs from the plain ELF object. */
export interface CarrierArchitecture {
  /** e_flags of the module, from those of vmlinux. */
  readonly flags: (vmlinuxFlags: number) => number;
  /** Sections that the architecture's module loader insists on, without content. */
  readonly sections: readonly string[];
}

/** EF_ARM_EABIMASK: the float-ABI bits below it are for executables only. */
const ARM_EABI_MASK = 0xff000000;

const ARM: CarrierArchitecture = {
  flags: flags => (flags & ARM_EABI_MASK) >>> 0,
  // arch/arm/kernel/module-plts.c: "module PLT section(s) missing" and -ENOEXEC without them.
  sections: ['.plt', '.init.plt'],
};

const MIPS32: CarrierArchitecture = { flags: flags => flags, sections: [] };

/** Throws `arch-unsupported`. */
export function carrierArchitecture(header: ElfHeader, file: string): CarrierArchitecture {
  if (header.class === 32 && header.machine === EM_ARM) return ARM;
  if (header.class === 32 && header.machine === EM_MIPS) return MIPS32;
  throw new CodedError(
    'arch-unsupported',
    `${machineName(header.machine)}, ${header.class} bit, ${header.order}-endian`,
    { file, offset: 18 },
  );
}

/** The empty sections of an architecture, as its module linker script declares them. */
export function architectureSections(architecture: CarrierArchitecture): ObjectSection[] {
  return architecture.sections.map(name => ({
    name,
    type: SHT_PROGBITS,
    flags: SHF_ALLOC | SHF_EXECINSTR,
    align: 4,
    // The kernel's own module linker scripts give them one byte as well, so that they are not dropped.
    data: new Uint8Array(1),
  }));
}
