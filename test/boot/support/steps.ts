import { readFileSync } from 'node:fs';
import { type InitramfsFile, initramfs } from './initramfs.js';
import { compileProbe } from './probe.js';

/** A line of the probe's /steps.list (test/boot/probe/probe.c says which there are), and the files that it needs. */
export interface Step {
  readonly line: string;
  readonly files: readonly InitramfsFile[];
}

export const step = (line: string, ...files: readonly InitramfsFile[]): Step => ({ line, files });

/** What `-initrd` of QEMU takes: the probe as /init, built by the compiler with the prefix `cross`, and what it is to do. */
export function stepsInitramfs(cross: string, steps: readonly Step[]): Buffer {
  const init = { path: 'init', data: readFileSync(compileProbe(cross)), mode: 0o755 };
  const list = { path: 'steps.list', data: Buffer.from(steps.map(({ line }) => `${line}\n`).join('')) };
  return initramfs([init, list, ...filesOf(steps)]);
}

/** Steps may share a file. */
function filesOf(steps: readonly Step[]): InitramfsFile[] {
  return [...new Map(steps.flatMap(({ files }) => files.map(file => [file.path, file]))).values()];
}

/** Memory that the files of steps take, in KiB: an initramfs lies in pages, of 4 KiB on all machines here. */
export function residentKib(steps: readonly Step[]): number {
  return filesOf(steps).reduce((sum, { data }) => sum + 4 * Math.ceil(data.length / 4096), 0);
}

/** Loads modules in the order of `names`; `from` says where a name's file is. In the initramfs it is `/` and the name. */
export function moduleSteps(names: readonly string[], from: (name: string) => string, verb = 'insmod'): Step[] {
  return names.map(path => step(`${verb} /${path}`, { path, data: readFileSync(from(path)) }));
}
