import { copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { fixture } from '../../support/fixtures.js';
import { haveTool } from '../../support/tools.js';
import { type BootLog, readBootLog } from './boot-log.js';
import { type ProbeReport, readProbe } from './probe.js';
import { boot, bootImage, MALTA, type Machine, VIRT_ARM64 } from './qemu.js';
import { moduleSteps, type Step, step, stepsInitramfs } from './steps.js';

/** A kernel of the fixtures that QEMU boots. */
export interface Sample {
  /** Folder of the fixtures. */
  readonly name: string;
  readonly machine: Machine;
  /** Built with the kernel, so before any split; each after those that it depends on. */
  readonly modules: readonly string[];
  /** Those of `modules` that use symbols of others of them: without these they are refused with -ENOENT. */
  readonly dependent: readonly string[];
}

export const MIPS32: Sample = {
  name: 'mips32-malta-be',
  machine: MALTA,
  modules: ['tcp_bbr.ko', 'dummy.ko'],
  dependent: [],
};

export const ARM64: Sample = {
  name: 'arm64-virt',
  machine: VIRT_ARM64,
  modules: ['nf_defrag_ipv4.ko', 'nf_defrag_ipv6.ko', 'nf_conntrack.ko', 'nf_nat.ko', 'tcp_bbr.ko', 'dummy.ko'],
  dependent: ['nf_conntrack.ko', 'nf_nat.ko'],
};

export const CARRIER = 'vmlinux_btf.ko';
const MINUTE = 60_000;

export interface SampleBoot {
  /** `bootSample`: up to the first old module, which is what must be equal. */
  readonly log: BootLog;
  readonly probe: ProbeReport;
  readonly text: string;
}

/** Gives the test the time that an emulator may take, and is false when a program is missing, as `haveTool` says. */
export function canBoot(t: ExecutionContext, { machine }: Sample): boolean {
  t.timeout(10 * MINUTE, 'booting under emulation');
  return haveTool(t, machine.qemu, machine.qemuPackage) && haveTool(t, `${machine.cross}gcc`, machine.crossPackage);
}

/** Path of a file of the sample's fixtures, unpacked: `vmlinux`, or a module. */
export const sampleFile = ({ name }: Sample, file: string): string => fixture(`${name}/${file}`);

/** A folder with the sample's modules, for `--modules`. */
export function sampleModules(sample: Sample, folder: string): string {
  mkdirSync(folder, { recursive: true });
  for (const name of sample.modules) copyFileSync(sampleFile(sample, name), join(folder, name));
  return folder;
}

/**
 * Boots a vmlinux of a sample with the probe as /init; it loads the carrier, if there is one, then the old modules.
 * `folder` takes the image. Paths of the modules in the report: `/` and the file's name.
 */
export async function bootSample(
  sample: Sample,
  vmlinux: string,
  folder: string,
  carrier?: string,
): Promise<SampleBoot> {
  const names = [...(carrier === undefined ? [] : [CARRIER]), ...sample.modules];
  const from = (name: string): string => (name === CARRIER ? (carrier ?? name) : sampleFile(sample, name));
  const { probe, text } = await bootModules(sample, vmlinux, folder, names, from);
  return { log: readBootLog(text, { until: `probe: loading /${sample.modules[0]}` }), probe, text };
}

/**
 * Boots a vmlinux of a sample with the probe as /init, which loads modules in the order of `names`, reports the memory that
 * is left without their files, and takes the other steps; `from` says where a name's file is. `folder` takes the image. The log
 * is that of the whole boot.
 */
export async function bootModules(
  { machine }: Sample,
  vmlinux: string,
  folder: string,
  names: readonly string[],
  from: (name: string) => string,
  more: readonly Step[] = [],
): Promise<SampleBoot> {
  const forgotten = names.map(name => step(`forget /${name}`));
  return bootSteps(machine, vmlinux, folder, [...moduleSteps(names, from), ...forgotten, step('memory'), ...more]);
}

/** Boots a vmlinux with the probe as /init. `folder` takes the image. */
export async function bootSteps(
  machine: Machine,
  vmlinux: string,
  folder: string,
  steps: readonly Step[],
): Promise<SampleBoot> {
  const text = await boot(machine, await bootImage(machine, vmlinux, folder), stepsInitramfs(machine.cross, steps));
  return { log: readBootLog(text), probe: readProbe(text), text };
}
