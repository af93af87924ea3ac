import {
  type ElfClass,
  EM_AARCH64,
  EM_ARM,
  EM_MIPS,
  EM_RISCV,
  EM_X86_64,
  machineName,
  SHF_ALLOC,
  SHF_EXECINSTR,
  SHT_PROGBITS,
} from '../elf/constants.js';
import type { ElfHeader } from '../elf/file.js';
import type { ObjectSection } from '../elf/write-object.js';
import { CodedError } from '../errors.js';

/** How a data-only module of an architecture differs from the plain ELF object. */
export interface CarrierArchitecture {
  readonly machine: number;
  readonly classes: readonly ElfClass[];
  /** e_flags of the module, from those of vmlinux. */
  readonly flags: (vmlinuxFlags: number) => number;
  /** Sections that the architecture's module loader insists on, without content. */
  readonly sections: readonly string[];
  /** Fields of `.modinfo` beyond those of every module. */
  readonly modinfo: Readonly<Record<string, string>>;
}

/** EF_ARM_EABIMASK: the float-ABI bits below it are for executables only. */
const ARM_EABI_MASK = 0xff000000;

const PLAIN: Pick<CarrierArchitecture, 'flags' | 'sections' | 'modinfo'> = {
  flags: flags => flags,
  sections: [],
  modinfo: {},
};

const ARCHITECTURES: readonly CarrierArchitecture[] = [
  {
    ...PLAIN,
    machine: EM_ARM,
    classes: [32],
    flags: flags => (flags & ARM_EABI_MASK) >>> 0,
    // arch/arm/kernel/module-plts.c: "module PLT section(s) missing" and -ENOEXEC without them.
    sections: ['.plt', '.init.plt'],
  },
  {
    ...PLAIN,
    machine: EM_AARCH64,
    classes: [64],
    // arch/arm64/kernel/module-plts.c wants the first two; under DYNAMIC_FTRACE module_init_ftrace_plt (module.c) wants the
    // third, newer kernels the fourth as well. -ENOEXEC without them; a kernel that does not know one leaves it alone.
    sections: ['.plt', '.init.plt', '.text.ftrace_trampoline', '.init.text.ftrace_trampoline'],
  },
  { ...PLAIN, machine: EM_MIPS, classes: [32, 64] },
  // arch/riscv/kernel/module-sections.c: "module PLT section(s) missing", and so on, and -ENOEXEC without them.
  { ...PLAIN, machine: EM_RISCV, classes: [32, 64], sections: ['.plt', '.got', '.got.plt'] },
  {
    ...PLAIN,
    machine: EM_X86_64,
    classes: [64],
    // check_modinfo_retpoline (kernel/module/main.c): a module without it marks the kernel as vulnerable to Spectre v2.
    // A module without code has no indirect branch.
    modinfo: { retpoline: 'Y' },
  },
];

/** Throws `arch-unsupported`. */
export function carrierArchitecture(header: ElfHeader, file: string): CarrierArchitecture {
  const found = ARCHITECTURES.find(
    ({ machine, classes }) => machine === header.machine && classes.includes(header.class),
  );
  if (found !== undefined) return found;
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
