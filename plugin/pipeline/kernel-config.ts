import { readFileSync, statSync } from 'node:fs';
import { CodedError } from '../errors.js';
import type { KernelConfig } from '../modules/kconfig.js';
import type { KernelInput } from './input.js';

/** A .config has some 200 kB. */
const MAX_BYTES = 16 << 20;

/**
 * The configuration of a kernel: of the file `kconfig`, or the one that vmlinux has in it; undefined when there is neither. Throws
 * `kconfig` for a file that is none.
 */
export async function readKernelConfig(
  kconfig: string | undefined,
  kernel: KernelInput | undefined,
): Promise<KernelConfig | undefined> {
  if (kconfig === undefined && kernel === undefined) return undefined;
  // Loaded when there is a kernel to look into: bare BTF has no configuration, and zlib takes its time.
  const { parseConfig, readIkconfig } = await import('../modules/kconfig.js');
  if (kconfig === undefined) return kernel === undefined ? undefined : readIkconfig(kernel.elf, kernel.symbols);
  const config = parseConfig(readText(kconfig));
  if (config.size === 0) throw new CodedError('kconfig', 'no line CONFIG_…=… in it', { file: kconfig });
  return config;
}

function readText(file: string): string {
  const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  if (size > MAX_BYTES) throw new CodedError('kconfig', `${size} bytes`, { file });
  try {
    return readFileSync(file, 'latin1');
  } catch (error) {
    throw new CodedError('kconfig', (error as NodeJS.ErrnoException).code ?? 'read failed', { file }, error);
  }
}
