import { readFileSync, statSync } from 'node:fs';
import { basename, relative, resolve } from 'node:path';
import { Btf } from '../btf/btf.js';
import { NameIndex } from '../btf/names.js';
import { FileSource } from '../bytes/source.js';
import { type CarrierArchitecture, carrierArchitecture } from '../carrier/architectures.js';
import { buildCarrier } from '../carrier/carrier.js';
import { type KernelAbi, readKernelAbi } from '../carrier/kernel-abi.js';
import { machineName } from '../elf/constants.js';
import { overwriteSection } from '../elf/overwrite.js';
import { CodedError } from '../errors.js';
import { Compression, type Compressor } from '../host/compress.js';
import { hashSource, sha256 } from '../host/hash.js';
import { MODULES_FOLDER, OutFolder, SPLIT_JSON, type WrittenFile } from '../host/out-folder.js';
import { proveUntouched, type Replacement, remapIds } from '../image/image.js';
import type { ModuleMode } from '../modules/needs.js';
import type { Report } from '../report/model.js';
import { renderMarkdown } from '../report/render/markdown.js';
import type { Root } from '../roots/root.js';
import { parseRootsFile } from '../roots/roots-file.js';
import { type Reach, type Split, splitBtf } from '../split/split.js';
import { asKernel, type BtfInput, type KernelInput, layoutCrcOf, withInput } from './input.js';
import { type KeepRequest, keptRoots } from './keep.js';
import { type LintedKernel, refuseViolations } from './lint.js';
import { buildManifest, encodePermutation } from './manifest.js';
import { type ScannedModules, scanModules, withModuleRoots } from './module-roots.js';
import { checkSigning, signingWarnings, type WrittenModules, writeModules } from './modules.js';
import { buildReport } from './report.js';
import { type KernelRoots, kernelRoots } from './roots.js';
import { DEFAULT_HASH, prepareSigning, type Signing, type SigningOptions } from './signing.js';

export const FILES = {
  image: 'vmlinux',
  base: 'base.btf',
  rest: 'rest.btf',
  full: 'full.btf',
  carrier: 'vmlinux_btf.ko',
  permutation: 'permutation.u32',
  report: 'report.json',
  markdown: 'report.md',
  manifest: SPLIT_JSON,
} as const;

/** Everything that a run may make, replace or remove in its out folder. */
const RESULTS = [...Object.values(FILES), MODULES_FOLDER];

/** A roots file that names every type of a kernel has some 4 MB. */
const MAX_ROOTS = 64 << 20;

export interface SplitOptions extends SigningOptions {
  readonly file: string;
  /** Out folder. */
  readonly out: string;
  /** Instead of the roots that a vmlinux names; needed for bare BTF. */
  readonly rootsFile?: string | undefined;
  /** What is to be kept besides. */
  readonly keep?: KeepRequest | undefined;
  readonly vermagic?: string | undefined;
  /** Default: complete. */
  readonly reach?: Reach;
  /** Paths of the System.map and the Module.symvers of the build, for a vmlinux without symbols. */
  readonly systemMap?: string | undefined;
  readonly moduleSymvers?: string | undefined;
  readonly compressors: readonly Compressor[];
  /** Folder of the modules that are re-based. */
  readonly modules?: string | undefined;
  /** What of their BTF stays; `keep` when left out. */
  readonly moduleMode?: ModuleMode | undefined;
  /** Told what is being done, in a few words. */
  readonly onStage?: (stage: string) => void;
}

/**
 * The main job: reads a vmlinux (or bare BTF with `rootsFile`), splits, proves, measures, and fills the out folder, all
 * of it or nothing. Throws coded errors; the input is only read.
 */
export async function runSplit(options: SplitOptions): Promise<Report> {
  return withInput(
    options.file,
    undefined,
    async input => {
      const stage = async (what: string): Promise<void> => {
        options.onStage?.(what);
        // A turn of the event loop, so that a signal is heard: everything between two stages is one piece.
        await new Promise(setImmediate);
      };
      await stage('looking for what the kernel needs');
      const names = new NameIndex(input.btf);
      // A vmlinux whose roots are given is treated as the BTF in it: its .BTF_ids are not what was asked for.
      const target = options.rootsFile === undefined ? prepareKernel(input, names, options) : undefined;
      const kept = keptRoots(options.keep ?? { rules: [], objects: [] }, input.btf, names);
      const asked = [...(target?.found.roots ?? readRoots(options.rootsFile ?? '', input, names)), ...kept.roots];
      // A base without types is a BTF that every kernel refuses.
      if (asked.length === 0) throw new CodedError('roots-file', 'it names no type', { file: options.rootsFile });
      const signing = await prepareSigning(options, input.file, target?.kernel);
      const modules = await readModules(options, input, target, names);
      if (modules !== undefined) checkSigning(modules, signing);
      const roots = modules === undefined ? asked : withModuleRoots(input.btf, names, asked, modules, options.reach);
      await stage('splitting and proving');
      const split = splitBtf(input.btf, names, roots, target?.kernel.section.size, options.reach);
      const linted = target === undefined ? undefined : lintedKernel(target, split);
      refuseViolations(input.btf, split, linted);

      const out = OutFolder.open(options.out, RESULTS, input.file);
      try {
        await stage('writing');
        const files = writeParts(out, split);
        const replacements =
          target === undefined || linted === undefined ? [] : writeImage(out, target, split, linted.ids.bytes);
        const carrier = target === undefined ? undefined : await writeCarrier(out, target, split, signing);
        if (carrier !== undefined) files.push(hashStaged(out, FILES.carrier));
        const rebased = modules === undefined ? undefined : await rebaseModules(out, modules, split, names, signing);
        await stage('measuring');
        const described = {
          kind: target === undefined ? ('btf' as const) : ('vmlinux' as const),
          bytes: input.source.size,
          sha256: input.raw === undefined ? hashSource(input.source) : sha256(input.raw),
        };
        const report = await buildReport({
          split,
          warnings: [
            ...(target?.found.warnings ?? []),
            ...kept.warnings,
            ...(modules === undefined ? [] : [...modules.warnings, ...signingWarnings(modules, signing)]),
            ...carrierWarning(target, signing),
          ],
          modules:
            rebased === undefined || modules === undefined ? undefined : { mode: modules.mode, rows: rebased.rows },
          input: {
            file: basename(input.file),
            ...described,
            btfBytes: input.section?.size ?? input.source.size,
            ...describeKernel(target),
          },
          image: target === undefined ? undefined : { elf: target.kernel.elf, replacements },
          carrier,
          compression: new Compression(options.compressors),
        });
        files.push(
          writeText(out, FILES.report, `${JSON.stringify(report, null, 2)}\n`),
          writeText(out, FILES.markdown, renderMarkdown(report)),
        );
        if (target !== undefined) files.push(hashStaged(out, FILES.image));
        const manifest = buildManifest(
          { file: fromOut(options.out, input.file), ...described },
          // The map is looked at only where the kernel has no symbol table.
          target?.kernel.symbols.sized === false ? fromOut(options.out, options.systemMap ?? '') : undefined,
          input.btf,
          split,
          FILES.permutation,
          files,
          modules &&
            rebased && { mode: modules.mode, folder: fromOut(options.out, modules.folder), files: rebased.files },
        );
        writeText(out, FILES.manifest, `${JSON.stringify(manifest, null, 1)}\n`);
        await stage('putting into place');
        out.commit(RESULTS);
        return report;
      } catch (error) {
        out.abandon();
        throw error;
      }
    },
    'refused',
  );
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

/** A kernel and everything about its split that can fail before anything is written. */
interface Target {
  readonly kernel: KernelInput;
  readonly found: KernelRoots;
  readonly architecture: CarrierArchitecture;
  readonly abi: KernelAbi;
}

function prepareKernel(input: BtfInput, names: NameIndex, options: SplitOptions): Target {
  const kernel = asKernel(input, names, options.systemMap);
  const { elf, symbols, btf, file } = kernel;
  return {
    kernel,
    found: kernelRoots(kernel),
    architecture: carrierArchitecture(elf.header, file),
    abi: readKernelAbi(elf, symbols, btf, names, {
      vermagic: options.vermagic,
      layoutCrc: layoutCrcOf(options.moduleSymvers),
    }),
  };
}

/** The way from the out folder to a file. */
function fromOut(out: string, file: string): string {
  return relative(resolve(out), resolve(file));
}

async function readModules(
  options: SplitOptions,
  input: BtfInput,
  target: Target | undefined,
  names: NameIndex,
): Promise<ScannedModules | undefined> {
  if (options.modules === undefined) return undefined;
  options.onStage?.('reading the modules');
  const kernel = { original: input.btf, machine: input.elf?.header, vermagic: target?.abi.vermagic };
  return scanModules(options.modules, options.out, options.moduleMode ?? 'keep', kernel, names);
}

function rebaseModules(
  out: OutFolder,
  modules: ScannedModules,
  split: Split,
  names: NameIndex,
  signing: Signing,
): Promise<WrittenModules> {
  const { original } = modules.kernel;
  const target = { original, base: Btf.decode(split.paddedBase), baseIdOf: split.idInBase };
  return writeModules(out, modules, target, names, signing);
}

async function writeCarrier(
  out: OutFolder,
  { kernel, architecture, abi }: Target,
  split: Split,
  { signer, hash }: Signing,
): Promise<Uint8Array> {
  const { header } = kernel.elf;
  const carrier = buildCarrier({ header, architecture, abi, rest: split.rest, baseSha256: sha256(split.paddedBase) });
  out.write(FILES.carrier, carrier);
  if (signer === undefined) return carrier;
  await signer.sign(out.staged(FILES.carrier), hash ?? DEFAULT_HASH);
  return readFileSync(out.staged(FILES.carrier));
}

function carrierWarning(target: Target | undefined, { forced, signer }: Signing): string[] {
  if (target === undefined || forced === undefined || signer !== undefined) return [];
  return [`${FILES.carrier} is not signed, and this kernel (${forced}) refuses it: pass --sign-key and --sign-cert`];
}

function describeKernel(target: Target | undefined): { architecture?: string; vermagic?: string } {
  if (target === undefined) return {};
  const { header } = target.kernel.elf;
  return {
    architecture: `${machineName(header.machine)} ${header.class} bit ${header.order}-endian`,
    vermagic: target.abi.vermagic.trim(),
  };
}

function writeParts(out: OutFolder, split: Split): WrittenFile[] {
  return [
    out.write(FILES.base, split.paddedBase),
    out.write(FILES.rest, split.rest),
    out.write(FILES.full, split.full),
    out.write(FILES.permutation, encodePermutation(split.idOf)),
  ];
}

/** The kernel that the parts are for, and `.BTF_ids` as it will stand in its image. */
function lintedKernel({ kernel, found, abi }: Target, split: Split): LintedKernel {
  const { section, slots, sets } = found.ids;
  const { order } = kernel.elf.header;
  const bytes = remapIds(kernel.elf.data(section), slots, split.idOf, order);
  return { vermagic: abi.vermagic, ids: { bytes, order, slots, sets } };
}

/** Patches a copy of the vmlinux and proves, from the copy on disk, that nothing else in it changed. */
function writeImage(out: OutFolder, { kernel, found }: Target, split: Split, ids: Uint8Array): Replacement[] {
  const { section: idSection } = found.ids;
  const image = out.staged(FILES.image);
  out.copy(FILES.image, kernel.file, fd => {
    overwriteSection(fd, image, kernel.section, split.paddedBase);
    overwriteSection(fd, image, idSection, ids);
  });
  const replacements = [
    { section: kernel.section.name, offset: kernel.section.offset, bytes: split.paddedBase },
    { section: idSection.name, offset: idSection.offset, bytes: ids },
  ];
  const copy = FileSource.open(image);
  try {
    proveUntouched(kernel.source, copy, replacements);
  } finally {
    copy.close();
  }
  return replacements;
}

function writeText(out: OutFolder, name: string, text: string): WrittenFile {
  return out.write(name, Buffer.from(text, 'utf8'));
}

function hashStaged(out: OutFolder, name: string): WrittenFile {
  const source = FileSource.open(out.staged(name));
  try {
    return { name, bytes: source.size, sha256: hashSource(source) };
  } finally {
    source.close();
  }
}
