import { join } from 'node:path';
import { runSplit } from '../../plugin/pipeline/split.js';
import { fixture } from './fixtures.js';

/** A fixture's kernel and its split, as paths. */
export interface SplitKernel {
  readonly vmlinux: string;
  /** tcp_bbr.ko of the same build, made by the kernel's own tools. */
  readonly module: string;
  readonly out: string;
  readonly carrier: string;
}

/** Splits `kernel`/vmlinux into a folder below `folder`. */
export async function splitKernel(kernel: string, folder: string, vermagic?: string): Promise<SplitKernel> {
  const vmlinux = fixture(`${kernel}/vmlinux`);
  const out = join(folder, `${kernel}${vermagic === undefined ? '' : '-given'}`);
  await runSplit({ file: vmlinux, out, compressors: [], vermagic });
  return { vmlinux, module: fixture(`${kernel}/tcp_bbr.ko`), out, carrier: join(out, 'vmlinux_btf.ko') };
}
