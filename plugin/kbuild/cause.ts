import type { KernelConfig } from '../modules/kconfig.js';

/**
 * Why CONFIG_DEBUG_INFO_BTF is not set, from what it depends on (lib/Kconfig.debug of 6.12 and 7.2), the first that holds; and what to
 * do about it. Undefined when it is set.
 */
export function missingBtf(config: KernelConfig): string | undefined {
  const on = (name: string): boolean => config.get(name) === 'y';
  if (on('DEBUG_INFO_BTF')) return undefined;
  const pahole = Number(config.get('PAHOLE_VERSION') ?? 0);
  if (pahole === 0) return 'pahole did not tell its version when the kernel was configured: CONFIG_PAHOLE_VERSION is 0';
  if (pahole < 116) return `pahole 1.${pahole - 100} is too old: CONFIG_PAHOLE_VERSION=${pahole}`;
  if (!on('BPF_SYSCALL')) return 'it needs CONFIG_BPF_SYSCALL=y';
  if (!on('DEBUG_INFO')) return 'it needs debug information: CONFIG_DEBUG_INFO_DWARF_TOOLCHAIN_DEFAULT=y';
  for (const name of ['DEBUG_INFO_SPLIT', 'DEBUG_INFO_REDUCED', 'GCC_PLUGIN_RANDSTRUCT'])
    if (on(name)) return `it cannot be with CONFIG_${name}=y`;
  if (pahole < 121 && !on('DEBUG_INFO_DWARF4')) return `pahole 1.${pahole - 100} needs CONFIG_DEBUG_INFO_DWARF4=y`;
  if (pahole < 122) return `pahole 1.${pahole - 100} may be too old: Linux 7.2 needs 1.22`;
  return 'nothing else is in its way: set CONFIG_DEBUG_INFO_BTF=y';
}
