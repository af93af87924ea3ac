import { readFileSync, statSync } from 'node:fs';
import { NameIndex } from '../btf/names.js';
import { type CarrierArchitecture, carrierArchitecture } from '../carrier/architectures.js';
import {
  type GivenAbi,
  givenVermagicWarning,
  type KernelAbi,
  kernelVersion,
  readKernelAbi,
} from '../carrier/kernel-abi.js';
import { CodedError } from '../errors.js';
import { turn } from '../host/turn.js';
import { remapIds } from '../image/image.js';
import type { KernelConfig } from '../modules/kconfig.js';
import type { Root } from '../roots/root.js';
import { parseRootsFile } from '../roots/roots-file.js';
import { Companions } from '../split/companions.js';
import { type Split, splitBtf } from '../split/split.js';
import { asKernel, type BtfInput, type KernelInput, layoutCrcOf } from './input.js';
import { keptRoots } from './keep.js';
import { readKernelConfig } from './kernel-config.js';
import { type LintedKernel, refuseViolations } from './lint.js';
import { type ScannedModules, scanModules, withModuleRoots } from './module-roots.js';
import { checkSigning } from './modules.js';
import { listModules } from './open-module.js';
import { type KernelRoots, kernelRoots } from './roots.js';
import { prepareSigning, type Signing } from './signing.js';
import type { SplitOptions } from './split.js';

/** A roots file that names every type of a kernel has some 4 MB. */
const MAX_ROOTS = 64 << 20;

/** A kernel and everything about its split that can fail before anything is written. */
export interface Target {
  readonly kernel: KernelInput;
  readonly found: KernelRoots;
  readonly architecture: CarrierArchitecture;
  readonly abi: KernelAbi;
  /** What of the ABI the command line gave. */
  readonly given: GivenAbi;
  /** What the kernel says to the vermagic that was given; undefined when there is nothing to say. */
  readonly vermagicWarning: string | undefined;
}

/** A split that was proved in memory, and all that writing it needs. */
export interface Prepared {
  readonly input: BtfInput;
  readonly names: NameIndex;
  /** Undefined for bare BTF and for given roots: then there is no image and no carrier. */
  readonly target: Target | undefined;
  readonly split: Split;
  /** `.BTF_ids` as it will stand in the image. */
  readonly ids: Uint8Array | undefined;
  /** Of the kernel; undefined where it is not known. */
  readonly config: KernelConfig | undefined;
  readonly signing: Signing;
  /** Undefined when no modules were given. */
  readonly modules: ScannedModules | undefined;
  /** Of the keep rules. */
  readonly keepWarnings: readonly string[];
}

/** Finds the roots, splits, proves and lints; writes nothing. Throws coded errors. */
export async function prepareSplit(
  options: SplitOptions,
  input: BtfInput,
  stage: (what: string) => Promise<void>,
): Promise<Prepared> {
  await stage('looking for what the kernel needs');
  const names = new NameIndex(input.btf);
  // A vmlinux whose roots are given is treated as the BTF in it: its .BTF_ids are not what was asked for.
  const target = options.rootsFile === undefined ? prepareKernel(input, names, options) : undefined;
  await turn();
  const kept = keptRoots(options.keep ?? { rules: [], objects: [] }, input.btf, names);
  const asked = [...(target?.found.roots ?? readRoots(options.rootsFile ?? '', input, names)), ...kept.roots];
  // A base without types is a BTF that every kernel refuses.
  if (asked.length === 0) throw new CodedError('roots-file', 'it names no type', { file: options.rootsFile });
  const config = await readKernelConfig(options.kconfig, target?.kernel);
  const signing = await prepareSigning(options, input.file, config);
  const modules = await readModules(options, input, target, names, stage);
  await turn();
  if (modules !== undefined) checkSigning(modules, signing);
  const roots =
    modules === undefined
      ? asked
      : withModuleRoots(input.btf, Companions.of(input.btf, names), asked, modules, options.reach);
  await stage('splitting and proving');
  const split = splitBtf(input.btf, names, roots, target?.kernel.section.size, options.reach);
  await turn();
  const linted = target === undefined ? undefined : lintedKernel(target, split);
  refuseViolations(input.btf, split, linted);
  return { input, names, target, split, ids: linted?.ids.bytes, config, signing, modules, keepWarnings: kept.warnings };
}

function prepareKernel(input: BtfInput, names: NameIndex, options: SplitOptions): Target {
  const kernel = asKernel(input, names, options.systemMap);
  const { elf, symbols, btf, file } = kernel;
  // A byte a character, as strings of an ELF file are read.
  const vermagic = options.vermagic && Buffer.from(options.vermagic, 'utf8').toString('latin1');
  const given = { vermagic, layoutCrc: layoutCrcOf(options.moduleSymvers) };
  const vermagicWarning = givenVermagicWarning(elf, symbols, given.vermagic);
  if (vermagicWarning !== undefined) options.onWarning?.(vermagicWarning);
  return {
    kernel,
    found: kernelRoots(kernel),
    architecture: carrierArchitecture(elf.header, file),
    abi: readKernelAbi(elf, symbols, btf, names, given),
    given,
    vermagicWarning,
  };
}

function readRoots(rootsFile: string, input: BtfInput, names: NameIndex): Root[] {
  let text: string;
  const size = statSync(rootsFile, { throwIfNoEntry: false })?.size ?? 0;
  if (size > MAX_ROOTS) throw new CodedError('roots-file', `${size} bytes`, { file: rootsFile });
  try {
    text = readFileSync(rootsFile, 'latin1');
  } catch (error) {
    throw new CodedError(
      'file-unreadable',
      (error as NodeJS.ErrnoException).code ?? 'read failed',
      { file: rootsFile },
      error,
    );
  }
  return parseRootsFile(text, rootsFile, input.btf, names);
}

async function readModules(
  options: SplitOptions,
  input: BtfInput,
  target: Target | undefined,
  names: NameIndex,
  stage: (what: string) => Promise<void>,
): Promise<ScannedModules | undefined> {
  if (options.modules === undefined) return undefined;
  await stage('reading the modules');
  const kernel = { original: input.btf, machine: input.elf?.header, vermagic: target?.abi.vermagic };
  return scanModules(
    options.modules,
    listModules(options.modules, options.out),
    options.moduleMode ?? 'keep',
    kernel,
    names,
    options.reach ?? 'complete',
  );
}

/** The kernel that the parts are for, and `.BTF_ids` as it will stand in its image. */
function lintedKernel({ kernel, found }: Target, split: Split): LintedKernel {
  const { section, slots, sets } = found.ids;
  const { order } = kernel.elf.header;
  const bytes = remapIds(kernel.elf.data(section), slots, split.idOf, order);
  return { version: kernelVersion(kernel.elf, kernel.symbols), ids: { bytes, order, slots, sets } };
}
