/** What is known of a kernel among the fixtures without our own code. */
export interface SampleKernel {
  /** e_machine. */
  readonly machine: number;
  /** Prefix of the GNU tools of its architecture. */
  readonly tools: string;
  /** Sections that its linker script for modules adds (arch/…/include/asm/module.lds.h). */
  readonly loaderSections: readonly string[];
  /** Built from scripts/kernels/lean.config: as little as still has kfuncs, iterators and a struct_ops; trimmed. */
  readonly lean: boolean;
}

const ARM = { machine: 40, tools: 'arm-linux-gnueabihf', loaderSections: ['.plt', '.init.plt'] } as const;

/** The kernels among the fixtures, by folder; each has `vmlinux`, `tcp_bbr.ko` and `dummy.ko`. */
export const SAMPLE_KERNELS = {
  'arm64-virt': {
    machine: 183,
    tools: 'aarch64-linux-gnu',
    loaderSections: ['.plt', '.init.plt', '.text.ftrace_trampoline', '.init.text.ftrace_trampoline'],
    lean: false,
  },
  'armv7-virt': { ...ARM, lean: false },
  'armv7-virt-7.2': { ...ARM, lean: true },
  'mips32-malta-be': { machine: 8, tools: 'mips-linux-gnu', loaderSections: [], lean: false },
  'mips64-malta-be': { machine: 8, tools: 'mips-linux-gnu', loaderSections: [], lean: true },
  'riscv64-virt': {
    machine: 243,
    tools: 'riscv64-linux-gnu',
    loaderSections: ['.plt', '.got', '.got.plt'],
    lean: true,
  },
  'x86_64-pc': { machine: 62, tools: 'x86_64-linux-gnu', loaderSections: [], lean: true },
} as const satisfies Readonly<Record<string, SampleKernel>>;

/**
 * Without names and functions is the BTF of the modules of MIPS64: elfutils 0.188 does not apply that architecture's
 * relocations to DWARF, so pahole takes wrong names from it. Their other sections are as good as any.
 */
export const WITHOUT_MODULE_BTF: KernelName = 'mips64-malta-be';

export type KernelName = keyof typeof SAMPLE_KERNELS;

export const KERNELS = Object.keys(SAMPLE_KERNELS) as KernelName[];
/** Those as a distribution's build leaves them, symbol tables included. */
export const WHOLE_KERNELS = KERNELS.filter(name => !SAMPLE_KERNELS[name].lean);
