import type { KernelConfig } from '../modules/kconfig.js';

/** A program, looked for on PATH, and its options. */
export type CommandLine = readonly [program: string, ...options: string[]];

/** By CONFIG_KERNEL_*: scripts/Makefile.lib of Linux 6.12 and 7.2, reading stdin and writing stdout. */
const COMMANDS: Readonly<Record<string, CommandLine>> = {
  KERNEL_GZIP: ['gzip', '-n', '-f', '-9'],
  KERNEL_BZIP2: ['bzip2', '-9'],
  KERNEL_LZMA: ['lzma', '-9'],
  KERNEL_LZO: ['lzop', '-9'],
  KERNEL_LZ4: ['lz4', '-l', '-9', '-', '-'],
  KERNEL_ZSTD: ['zstd', '-22', '--ultra'],
};

/**
 * How the build of a kernel compresses its image, best first: a host whose xz does not know the filter of an architecture takes the
 * next. `bytes`: of the image. Empty for a configuration that names no compressor (arm64 without EFI_ZBOOT, whose Makefile has gzip) or
 * CONFIG_KERNEL_UNCOMPRESSED.
 */
export function kernelCommands(config: KernelConfig | undefined, bytes: number): CommandLine[] {
  if (config === undefined) return [];
  const is = (option: string): boolean => config.get(option) === 'y';
  if (is('KERNEL_XZ')) return xzCommands(is, bytes);
  const option = Object.keys(COMMANDS).find(is);
  return option === undefined ? [] : [COMMANDS[option]];
}

/**
 * scripts/xz_wrap.sh of Linux 6.12 and 7.2: a filter for the instructions, and literals that follow their alignment. A dictionary beyond
 * the image changes nothing but memory, of which 128 MiB, as the script has it, take 1.4 GB.
 */
function xzCommands(is: (option: string) => boolean, bytes: number): CommandLine[] {
  const { filter, align } = instructions(is);
  const options = { 1: '', 2: 'lp=1,', 4: 'lp=2,lc=2,' }[align];
  const dictionary = [1, 2, 4, 8, 16, 32, 64].find(mebibytes => bytes <= mebibytes << 20) ?? 128;
  const command = (...filters: string[]): CommandLine => [
    'xz',
    '--check=crc32',
    '--threads=1',
    ...filters,
    `--lzma2=${options}dict=${dictionary}MiB`,
  ];
  if (filter === undefined) return [command()];
  return LATE_FILTERS.includes(filter) ? [command(filter), command()] : [command(filter)];
}

/** Of xz 5.4 and 5.6; the kernel does without them where xz is older. */
const LATE_FILTERS = ['--arm64', '--riscv'];

function instructions(is: (option: string) => boolean): { filter?: string; align: 1 | 2 | 4 } {
  if (is('X86')) return { filter: '--x86', align: 1 };
  if (is('ARM')) return is('THUMB2_KERNEL') ? { filter: '--armthumb', align: 2 } : { filter: '--arm', align: 4 };
  if (is('ARM64')) return { filter: '--arm64', align: 4 };
  if (is('PPC')) return is('CPU_BIG_ENDIAN') ? { filter: '--powerpc', align: 4 } : { align: 4 };
  if (is('RISCV')) return { filter: '--riscv', align: is('RISCV_ISA_C') ? 2 : 4 };
  if (is('SPARC')) return { filter: '--sparc', align: 4 };
  if (is('MIPS')) return { align: is('CPU_MICROMIPS') ? 2 : 4 };
  return { align: ['CSKY', 'LOONGARCH', 'PARISC'].some(is) ? 4 : 2 };
}
