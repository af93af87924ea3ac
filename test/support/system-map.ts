import { execFileSync } from 'node:child_process';
import type { ExecutionContext } from 'ava';
import { type KernelName, SAMPLE_KERNELS } from './kernels.js';
import { haveTool } from './tools.js';

/** What scripts/mksysmap of the kernel leaves out: by type, and by the start or the end of the name. */
const LEFT_OUT =
  / [aNUw] | (?:\$|\.L|__efistub_|__pi_\$|__kvm_nvhe_\$|__\w*Thunk_|__(?:kvm_nvhe_|pi_)?__kcfi_typeid_|__crc_|__kstrtab)|_(?:from_arm|from_thumb|veneer)$/;

export function haveBinutils(t: ExecutionContext, kernel: KernelName): boolean {
  return ['nm', 'strip'].every(tool =>
    haveTool(t, `${SAMPLE_KERNELS[kernel].tools}-${tool}`, `binutils-${SAMPLE_KERNELS[kernel].tools}`),
  );
}

/** The System.map that the kernel's build makes of a vmlinux (scripts/link-vmlinux.sh), from its own symbol table. */
export function systemMapOf(kernel: KernelName, vmlinux: string): string {
  const text = execFileSync(`${SAMPLE_KERNELS[kernel].tools}-nm`, ['-n', vmlinux], {
    encoding: 'latin1',
    maxBuffer: 2 ** 28,
  });
  return `${text
    .trimEnd()
    .split('\n')
    .filter(line => !LEFT_OUT.test(line))
    .join('\n')}\n`;
}

/** A copy of a vmlinux without its symbol table. */
export function stripTo(kernel: KernelName, vmlinux: string, path: string): void {
  execFileSync(`${SAMPLE_KERNELS[kernel].tools}-strip`, ['-s', '-o', path, vmlinux]);
}
