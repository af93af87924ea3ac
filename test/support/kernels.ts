/** The kernels among the fixtures, as folders; each has `vmlinux`, `tcp_bbr.ko` and `dummy.ko`. */
export const KERNELS = ['arm64-virt', 'armv7-virt', 'mips32-malta-be'] as const;
