import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { cacheFolder } from '../../support/cache.js';
import { repository } from '../../support/fixtures.js';
import { MALTA, MALTA_LE, type Machine, VIRT_ARM, VIRT_ARM64 } from './qemu.js';

/** A kernel that is linked without and with the hook, and booted. */
export interface LinkedKernel {
  /** Fragment of scripts/kernels, and folder of the object tree in the cache. */
  readonly name: string;
  /** For tables: what it is, and its version. */
  readonly architecture: string;
  readonly version: string;
  readonly machine: Machine;
  /** Goals of make. */
  readonly goals: readonly string[];
  /** What is booted, in the object tree; of a vmlinux the image that `machine.objcopy` says. */
  readonly boots: string;
  /** How the compressed image comes about, in the object tree. */
  readonly compressed: {
    readonly image: string;
    /** The bytes as they are loaded, `.BTF` among them, which `command` compresses. */
    readonly input: string;
    /** Where make left the command, whose input and output are named in it. */
    readonly command: string;
    readonly names: { readonly input: string; readonly output: string };
  };
  /** Each after those that it depends on. */
  readonly modules: readonly string[];
  /** CONFIG_BPF_EVENTS. Without it there are programs of networking alone: no other is tried, and no pages are counted. */
  readonly tracing: boolean;
  /** Trampolines, calls of kfuncs and probe events with arguments; without them only programs are tried that need neither. */
  readonly trampolines: boolean;
}

/** Of proof.config on common.config. */
const MODULES = [
  'nf_defrag_ipv4.ko',
  'nf_defrag_ipv6.ko',
  'nf_conntrack.ko',
  'nf_nat.ko',
  'tcp_cubic.ko',
  'tcp_dctcp.ko',
  'tcp_bbr.ko',
  'dummy.ko',
];

const ARM = {
  machine: VIRT_ARM,
  tracing: true,
  trampolines: false,
  goals: ['zImage', 'modules'],
  boots: 'arch/arm/boot/zImage',
  compressed: {
    image: 'arch/arm/boot/zImage',
    input: 'arch/arm/boot/Image',
    command: 'arch/arm/boot/compressed/.piggy_data.cmd',
    names: {
      input: 'arch/arm/boot/compressed/../Image',
      output: 'arch/arm/boot/compressed/piggy_data',
    },
  },
} as const;

const LEAN_ARM = { ...ARM, modules: ['tcp_bbr.ko', 'dummy.ko'], tracing: false } as const;

const MIPS = {
  machine: MALTA,
  tracing: true,
  trampolines: false,
  goals: ['vmlinuz', 'modules'],
  boots: 'vmlinux',
  compressed: {
    image: 'vmlinuz',
    input: 'arch/mips/boot/compressed/vmlinux.bin',
    command: 'arch/mips/boot/compressed/.vmlinux.bin.z.cmd',
    names: {
      input: 'arch/mips/boot/compressed/vmlinux.bin',
      output: 'arch/mips/boot/compressed/vmlinux.bin.z',
    },
  },
} as const;

/** In the order in which `npm run test:boot -- --all` takes them. */
export const LINKED_KERNELS: readonly LinkedKernel[] = [
  { name: 'armv7-virt-boot', architecture: 'ARMv7', version: '6.12', modules: MODULES, ...ARM },
  {
    name: 'arm64-virt-boot',
    architecture: 'arm64',
    version: '6.12',
    modules: MODULES,
    machine: VIRT_ARM64,
    tracing: true,
    trampolines: true,
    goals: ['Image.gz', 'modules'],
    boots: 'vmlinux',
    compressed: {
      image: 'arch/arm64/boot/Image.gz',
      input: 'arch/arm64/boot/Image',
      command: 'arch/arm64/boot/.Image.gz.cmd',
      names: { input: 'arch/arm64/boot/Image', output: 'arch/arm64/boot/Image.gz' },
    },
  },
  { name: 'mips32-malta-be-boot', architecture: 'MIPS32 BE', version: '6.12', modules: MODULES, ...MIPS },
  {
    name: 'mips32-malta-le-boot',
    architecture: 'MIPS32 LE',
    version: '6.12',
    modules: MODULES,
    ...MIPS,
    machine: MALTA_LE,
  },
  { name: 'armv7-virt-7.2-boot', architecture: 'ARMv7', version: '7.2', modules: MODULES, ...ARM },
  { name: 'mips32-malta-be-7.2-boot', architecture: 'MIPS32 BE', version: '7.2', modules: MODULES, ...MIPS },
  { name: 'armv7-virt-lean', architecture: 'ARMv7 (lean)', version: '6.12', ...LEAN_ARM },
  { name: 'armv7-virt-llvm-lean', architecture: 'ARMv7 (lean, LLVM)', version: '6.12', ...LEAN_ARM },
  { name: 'armv7-virt-6.1-lean', architecture: 'ARMv7 (lean)', version: '6.1', ...LEAN_ARM },
];

/** Throws on a name that no kernel has. */
export function linkedKernel(name: string): LinkedKernel {
  const kernel = LINKED_KERNELS.find(each => each.name === name);
  if (kernel === undefined) throw new Error(`no kernel '${name}': ${LINKED_KERNELS.map(each => each.name).join(', ')}`);
  return kernel;
}

/** scripts/kernels/build.sh builds with these: the same input gives the same bytes. */
export const BUILD_ENVIRONMENT = {
  KBUILD_BUILD_TIMESTAMP: '2026-01-01 00:00:00 UTC',
  KBUILD_BUILD_USER: 'builder',
  KBUILD_BUILD_HOST: 'vmlinux-btf',
};

const builder = join(repository, 'scripts', 'kernels', 'build.sh');

export const builtTree = (name: string): string => join(cacheFolder, 'kernels', name);

export const isBuilt = (name: string): boolean => existsSync(join(builtTree(name), 'vmlinux.o'));

/** Builds the object tree of a kernel in the cache, or brings it up to date; its output is ours. */
export async function buildTree(name: string): Promise<void> {
  await execa(builder, [name], { stdin: 'ignore', stdout: 'ignore', stderr: 'inherit' });
}

/** `make` and the words behind it for a copy of a kernel's object tree. */
export async function makeWords({ name }: LinkedKernel, objtree: string, jobs = 2): Promise<string[]> {
  const { stdout } = await execa(builder, ['--words', name], { stdin: 'ignore' });
  return [...stdout.split('\n'), `O=${objtree}`, `-j${jobs}`];
}

/** Paths of all modules of an object tree, relative to it, by file name. */
export function modulePaths(objtree: string): Map<string, string> {
  const paths = readFileSync(join(objtree, 'modules.order'), 'utf8').trim().split('\n');
  return new Map(
    paths.map(path => path.replace(/\.o$/, '.ko')).map(path => [path.slice(path.lastIndexOf('/') + 1), path]),
  );
}
