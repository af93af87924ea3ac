import { readFileSync } from 'node:fs';
import { Btf } from '../../../plugin/btf/btf.js';
import type { Findings } from '../../../plugin/btf/lint/findings.js';
import { type KernelRules, kernelRules } from '../../../plugin/btf/lint/kernels.js';
import { lint } from '../../../plugin/btf/lint.js';
import { NameIndex } from '../../../plugin/btf/names.js';
import { FileSource } from '../../../plugin/bytes/source.js';
import { carrierArchitecture } from '../../../plugin/carrier/architectures.js';
import { buildCarrier } from '../../../plugin/carrier/carrier.js';
import { readKernelAbi } from '../../../plugin/carrier/kernel-abi.js';
import { ElfFile } from '../../../plugin/elf/file.js';
import { SymbolTable } from '../../../plugin/elf/symbols.js';
import { CodedError } from '../../../plugin/errors.js';
import { type InitramfsFile, initramfs } from './initramfs.js';
import { compileProbe, type ProbeReport, readProbe } from './probe.js';
import { boot, MALTA } from './qemu.js';

/** What lint says of a BTF: the rules it breaks, `reader` when it is not decoded; empty when the kernel takes it. */
export function verdict(bytes: Uint8Array, base?: Btf): string[] {
  try {
    const btf = Btf.decode(bytes, base);
    const loadedBy = base === undefined ? 'program' : 'kernel';
    const found = lint(btf, { kernel: rules, loadedBy, pointerBytes: 4 });
    return found.errors === 0 ? [] : Object.keys(found.counts);
  } catch (error) {
    if (error instanceof CodedError) return ['reader'];
    throw error;
  }
}

const rules = kernelRules('6.12') as KernelRules;

/** A kernel whose vmlinux is opened once: its BTF, and how to make a module that carries a BTF for it. */
export interface Host {
  readonly btf: Btf;
  /** Its `.BTF`. */
  readonly bytes: Uint8Array;
  /** What lint says of its BTF. */
  readonly findings: () => Findings;
  readonly module: (btf: Uint8Array) => Uint8Array;
}

export function openHost(vmlinux: string): Host {
  const source = FileSource.open(vmlinux);
  try {
    const elf = ElfFile.open(source);
    const bytes = elf.data(elf.section('.BTF'));
    const btf = Btf.decode(bytes);
    const abi = readKernelAbi(elf, SymbolTable.read(elf), btf, new NameIndex(btf));
    const architecture = carrierArchitecture(elf.header, vmlinux);
    const { header } = elf;
    return {
      btf,
      bytes,
      findings: () => lint(btf, { kernel: rules, pointerBytes: 4 }),
      module: rest => buildCarrier({ header, architecture, abi, rest, baseSha256: '' }),
    };
  } finally {
    source.close();
  }
}

/** Boots the kernel, hands it BTFs as a program's loader does and as modules, and tells what it made of them. */
export async function tryAll(
  vmlinux: string,
  loads: readonly Uint8Array[],
  modules: readonly Uint8Array[],
): Promise<{ probe: ProbeReport; text: string }> {
  const files = [
    ...loads.map((data, i) => ({ path: `load/${i}`, data })),
    ...modules.map((data, i) => ({ path: `try/${i}.ko`, data })),
  ];
  const list = (folder: string): Buffer =>
    Buffer.from(
      files
        .filter(({ path }) => path.startsWith(folder))
        .map(({ path }) => `/${path}\n`)
        .join(''),
    );
  const lists = [
    { path: 'load.list', data: list('load/') },
    { path: 'try.list', data: list('try/') },
  ];
  const text = await boot(MALTA, vmlinux, initramfs([init(), ...lists, ...files]));
  return { probe: readProbe(text), text };
}

/** Boots a kernel with nothing but the probe. */
export async function bootVmlinux(vmlinux: string): Promise<ProbeReport> {
  return readProbe(await boot(MALTA, vmlinux, initramfs([init()])));
}

function init(): InitramfsFile {
  return { path: 'init', data: readFileSync(compileProbe(MALTA.cross)), mode: 0o755 };
}
