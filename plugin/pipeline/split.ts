import { basename, relative, resolve } from 'node:path';
import { explainChange, proveUnchanged } from '../bytes/source.js';
import { shownVermagic } from '../carrier/kernel-abi.js';
import { machineName } from '../elf/constants.js';
import { Compression, type Compressor } from '../host/compress.js';
import { hashSource, sha256 } from '../host/hash.js';
import { kernelCommands } from '../host/kernel-compressor.js';
import { OutFolder, type WrittenFile } from '../host/out-folder.js';
import { turn } from '../host/turn.js';
import type { ModuleMode } from '../modules/needs.js';
import { MODULE_INVARIANTS } from '../modules/prove.js';
import { figuresOf } from '../report/measure.js';
import type { Report } from '../report/model.js';
import { renderMarkdown } from '../report/render/markdown.js';
import type { Reach } from '../split/split.js';
import { FILES, RESULTS } from './files.js';
import { type BtfInput, withInput } from './input.js';
import type { KeepRequest } from './keep.js';
import { buildManifest } from './manifest.js';
import { signingWarnings } from './modules.js';
import { type Prepared, prepareSplit, type Target } from './prepare.js';
import { buildReport, loadableBytes } from './report.js';
import type { Signing, SigningOptions } from './signing.js';
import { type Written, writeSplit } from './write.js';

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
  /** `kernel` is left out where the kernel's configuration is not known, or names none. */
  readonly compressors: readonly Compressor[];
  /** Folder of the modules that are re-based. */
  readonly modules?: string | undefined;
  /** What of their BTF stays; `keep` when left out. */
  readonly moduleMode?: ModuleMode | undefined;
  /** Told what is being done, in a few words. */
  readonly onStage?: (stage: string) => void;
  /** Told at once what nobody may overlook; it stands in the report as well. */
  readonly onWarning?: (warning: string) => void;
}

/**
 * The main job: reads a vmlinux (or bare BTF with `rootsFile`), splits, proves, measures, and fills the out folder, all
 * of it or nothing. Throws coded errors; the input is only read.
 */
export async function runSplit(options: SplitOptions): Promise<Report> {
  const stage = async (what: string): Promise<void> => {
    options.onStage?.(what);
    await turn();
  };
  return withInput(options.file, undefined, input => splitInput(input, options, stage), 'refused');
}

async function splitInput(
  input: BtfInput,
  options: SplitOptions,
  stage: (what: string) => Promise<void>,
): Promise<Report> {
  const prepared = await prepareSplit(options, input, stage);
  /** Of what all is said and proved. */
  const read = [input.source.state, ...(prepared.modules?.states ?? [])];
  const out = OutFolder.open(options.out, RESULTS, input.file);
  try {
    await stage('writing');
    const written = await writeSplit(out, prepared);
    await stage('measuring');
    const report = await describe(out, options, prepared, written);
    await stage('putting into place');
    for (const state of read) proveUnchanged(state);
    out.commit(RESULTS);
    return report;
  } catch (error) {
    out.abandon();
    throw explainChange(read, error);
  }
}

/** Measures what was written, and writes the reports and split.json. */
async function describe(out: OutFolder, options: SplitOptions, prepared: Prepared, written: Written): Promise<Report> {
  const { input, target, split, modules } = prepared;
  const described = {
    kind: target === undefined ? ('btf' as const) : ('vmlinux' as const),
    bytes: input.source.size,
    sha256: input.raw === undefined ? hashSource(input.source) : sha256(input.raw),
  };
  const report = await buildReport({
    figures: figuresOf(split),
    parts: part => split[part],
    warnings: warningsOf(prepared),
    modules: modules &&
      written.modules && {
        mode: modules.mode,
        rows: written.modules.rows,
        duplicates: written.modules.duplicates,
        proved: MODULE_INVARIANTS,
      },
    input: {
      file: basename(input.file),
      ...described,
      btfBytes: input.section?.size ?? input.source.size,
      ...describeKernel(target),
    },
    image: target && { elf: target.kernel.elf, replacements: written.replacements },
    carrier: written.carrier,
    compression: new Compression(
      options.compressors,
      target === undefined ? [] : kernelCommands(prepared.config, loadableBytes(target.kernel.elf)),
    ),
  });
  const files = [
    ...written.files,
    writeText(out, FILES.report, `${JSON.stringify(report, null, 2)}\n`),
    writeText(out, FILES.markdown, renderMarkdown(report)),
  ];
  const manifest = buildManifest(
    { file: fromOut(options.out, input.file), ...described },
    // The map is looked at only where the kernel has no symbol table.
    target?.kernel.symbols.sized === false ? fromOut(options.out, options.systemMap ?? '') : undefined,
    input.btf,
    split,
    FILES.permutation,
    files,
    modules &&
      written.modules && {
        mode: modules.mode,
        folder: fromOut(options.out, modules.folder),
        files: written.modules.files,
      },
    target?.given ?? {},
  );
  writeText(out, FILES.manifest, `${JSON.stringify(manifest, null, 1)}\n`);
  return report;
}

function warningsOf({ target, signing, modules, keepWarnings }: Prepared): string[] {
  return [
    ...(target?.found.warnings ?? []),
    ...keepWarnings,
    ...(modules === undefined ? [] : [...modules.warnings, ...signingWarnings(modules, signing)]),
    ...carrierWarning(target, signing),
    ...(target?.vermagicWarning === undefined ? [] : [target.vermagicWarning]),
  ];
}

function carrierWarning(target: Target | undefined, { forced, signer }: Signing): string[] {
  if (target === undefined || forced === undefined || signer !== undefined) return [];
  return [`${FILES.carrier} is not signed, and this kernel (${forced}) refuses it: pass --sign-key and --sign-cert`];
}

/** For a report. */
export function describeKernel(target: Target | undefined): { architecture?: string; vermagic?: string } {
  if (target === undefined) return {};
  const { header } = target.kernel.elf;
  return {
    architecture: `${machineName(header.machine)} ${header.class} bit ${header.order}-endian`,
    vermagic: shownVermagic(target.abi),
  };
}

/** The way from the out folder to a file. */
function fromOut(out: string, file: string): string {
  return relative(resolve(out), resolve(file));
}

function writeText(out: OutFolder, name: string, text: string): WrittenFile {
  return out.write(name, Buffer.from(text, 'utf8'));
}
