import { existsSync, readFileSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Btf } from '../btf/btf.js';
import type { Finding, Findings } from '../btf/lint/findings.js';
import { ANY_KERNEL, type KernelRules, kernelRules } from '../btf/lint/kernels.js';
import { lint } from '../btf/lint.js';
import { NameIndex } from '../btf/names.js';
import { kernelVersion } from '../carrier/kernel-abi.js';
import { MODINFO_SECTION, readModinfo } from '../carrier/modinfo.js';
import type { ElfFile } from '../elf/file.js';
import { SymbolTable } from '../elf/symbols.js';
import { CodedError } from '../errors.js';
import { hashSource } from '../host/hash.js';
import { findModules } from '../host/module-files.js';
import { MODULES_FOLDER, SPLIT_JSON } from '../host/out-folder.js';
import { BTF_IDS_SECTION, readBtfIds } from '../roots/btf-ids.js';
import { Companions } from '../split/companions.js';
import { type LintedIds, lintSplit } from '../split/lint-split.js';
import { FILES } from './files.js';
import { type BtfInput, readSymbols, withInput } from './input.js';
import { describeFinding } from './lint.js';
import { decodePermutation, type Manifest } from './manifest.js';
import { withModule } from './open-module.js';
import { readManifest } from './out.js';

export interface LintRequest {
  /** A BTF, a module, a vmlinux, or the out folder of a split. */
  readonly file: string;
  readonly base?: Btf | undefined;
  /** Version whose rules count, instead of what the file tells. */
  readonly kernel?: string | undefined;
  /** Path of the System.map, for a vmlinux without symbols; of an out folder, where it is not the one that split.json names. */
  readonly systemMap?: string | undefined;
  readonly loadedBy?: 'kernel' | 'program';
}

/** Findings about one file. */
export interface LintedFile extends Findings {
  readonly file: string;
  /** Of the rules: `6.12`, `6.12-7.2` for a series between two known ones, `any`. */
  readonly kernel: string;
  /** Why the rules are not those of its kernel, for a file that has one. */
  readonly note?: string;
}

/**
 * Lints a file, or each file of an out folder and, where its original is still there, the split itself. Throws `usage` for a version
 * that is none or older than all known ones, and what reading throws.
 */
export async function lintFile(request: LintRequest): Promise<LintedFile[]> {
  const given = request.kernel === undefined ? undefined : rulesFor(request.kernel);
  if (isOutFolder(request.file)) return lintOut(request.file, given, request.systemMap);
  return withInput(request.file, request.base, input => {
    const rules = given === undefined ? rulesOf(input, request.systemMap) : { kernel: given };
    return [lintOne(request.file, input.btf, rules, input.elf, request.loadedBy)];
  });
}

function rulesFor(version: string): KernelRules {
  const kernel = kernelRules(version);
  if (kernel === undefined) throw new CodedError('usage', `--kernel ${version}: no version from 6.1 on`);
  return kernel;
}

function isOutFolder(file: string): boolean {
  return existsSync(join(file, SPLIT_JSON)) && statSync(file).isDirectory();
}

function lintOne(
  file: string,
  btf: Btf,
  { kernel, note }: FoundRules,
  elf: ElfFile | undefined,
  loadedBy: 'kernel' | 'program' = 'kernel',
): LintedFile {
  const pointerBytes = elf === undefined ? {} : { pointerBytes: elf.wordSize };
  return {
    file,
    kernel: kernel.version,
    ...(note === undefined ? {} : { note }),
    ...lint(btf, { kernel, loadedBy, ...pointerBytes }),
  };
}

/** The rules that count for a file, and why they are not those of its kernel, where they are not. */
interface FoundRules {
  readonly kernel: KernelRules;
  readonly note?: string;
}

/** The kernel that a vmlinux is, or that a module was built for. `systemMap`: for a vmlinux without symbols. */
function rulesOf({ elf, kind, file }: BtfInput, systemMap: string | undefined): FoundRules {
  if (elf === undefined) return { kernel: ANY_KERNEL };
  let version: string | undefined;
  if (kind === 'module') version = elf.find(MODINFO_SECTION) && readModinfo(elf).get('vermagic');
  else if (systemMap === undefined && !SymbolTable.isIn(elf))
    return unknownKernel('a vmlinux without symbols does not tell its kernel: pass --system-map or --kernel');
  else {
    try {
      version = kernelVersion(elf, readSymbols(elf, systemMap));
    } catch (error) {
      // A file without symbols of a kernel may still have a BTF; a map that was given must be one.
      if (!(error instanceof CodedError) || error.place.file !== file) throw error;
    }
  }
  const kernel = version === undefined ? undefined : kernelRules(version);
  if (kernel !== undefined) return { kernel };
  return unknownKernel(
    version === undefined
      ? 'it does not tell its kernel: pass --kernel'
      : `its kernel is ${version}: no rules for that`,
  );
}

function unknownKernel(note: string): FoundRules {
  return { kernel: ANY_KERNEL, note };
}

async function lintOut(out: string, given: KernelRules | undefined, map: string | undefined): Promise<LintedFile[]> {
  const manifest = readManifest(out);
  const recorded = manifest.systemMap === undefined ? undefined : resolve(out, manifest.systemMap);
  const systemMap = map ?? (recorded !== undefined && existsSync(recorded) ? recorded : undefined);
  const read = (name: string): Btf => decodeFile(join(out, name));
  const base = read(FILES.base);
  const rest = decodeFile(join(out, FILES.rest), base);
  const isKernel = manifest.input.kind === 'vmlinux';
  const image = join(out, FILES.image);
  const parts: LintedFile[] = [];
  const rules: FoundRules =
    given !== undefined || !isKernel
      ? { kernel: given ?? ANY_KERNEL }
      : await withInput(image, undefined, input => rulesOf(input, systemMap));
  const { kernel } = rules;
  parts.push(lintOne(join(out, FILES.base), base, rules, undefined));
  parts.push(lintOne(join(out, FILES.rest), rest, rules, undefined));
  // What a program such as bpftool reads; no kernel of 7.2 or later looks for names in it, so it need not be sorted.
  parts.push(
    lintOne(join(out, FILES.full), read(FILES.full), { ...rules, kernel: { ...kernel, sorted: false } }, undefined),
  );
  parts.push(...(await lintModules(out, base, rules)));
  const original = resolve(out, manifest.input.file);
  if (existsSync(original)) {
    const ids = isKernel ? await withInput(image, undefined, input => imageIds(input, base, systemMap)) : undefined;
    const findings = await withInput(original, undefined, input =>
      lintAgainst(out, manifest, input, base, rest, ids, systemMap),
    );
    parts.push({ file: out, kernel: kernel.version, ...findings });
  }
  return parts;
}

/** The carrier and the re-based modules, on the base; a `.BTF.base` on its own. What has no types is left out. */
async function lintModules(out: string, base: Btf, rules: FoundRules): Promise<LintedFile[]> {
  const carrier = join(out, FILES.carrier);
  const parts: LintedFile[] = [];
  if (existsSync(carrier))
    parts.push(await withInput(carrier, base, ({ btf, elf }) => lintOne(carrier, btf, rules, elf)));
  const folder = join(out, MODULES_FOLDER);
  const against = { original: base, machine: undefined, vermagic: undefined };
  for (const path of existsSync(folder) ? findModules(folder, join(out, 'none')) : [])
    await withModule(path, against, ({ module: { btf, distilled, elf } }) => {
      // The kernel looks each of its names up in vmlinux; it is never searched itself.
      if (distilled !== undefined)
        parts.push(
          lintOne(`${path.path} (.BTF.base)`, distilled, { ...rules, kernel: { ...rules.kernel, sorted: false } }, elf),
        );
      if (btf !== undefined) parts.push(lintOne(path.path, btf, rules, elf));
    });
  return parts;
}

function decodeFile(file: string, base?: Btf): Btf {
  try {
    return Btf.decode(readFileSync(file), base);
  } catch (error) {
    if (error instanceof CodedError) throw error.in(file);
    throw new CodedError('file-unreadable', (error as NodeJS.ErrnoException).code ?? 'read failed', { file }, error);
  }
}

/** `.BTF_ids` of the image. Reading it proves that its sets are sorted and that each id has the name its symbol asks for. */
function imageIds({ elf, file }: BtfInput, base: Btf, systemMap: string | undefined): Omit<LintedIds, 'slots'> {
  if (elf === undefined) throw new CodedError('elf-kind', 'not an ELF file', { file });
  const found = readBtfIds(elf, readSymbols(elf, systemMap), base);
  if (found === undefined) throw new CodedError('btf-ids', `no ${BTF_IDS_SECTION} section`, { file });
  return { bytes: elf.data(found.section), order: elf.header.order, sets: found.sets };
}

function lintAgainst(
  out: string,
  manifest: Manifest,
  input: BtfInput,
  base: Btf,
  rest: Btf,
  ids: Omit<LintedIds, 'slots'> | undefined,
  systemMap: string | undefined,
): Findings {
  const { btf: original, elf, file } = input;
  if (hashSource(input.source) !== manifest.input.sha256)
    throw new CodedError('verify', 'not the file that was split (its SHA-256 differs)', { file });
  const newIds = decodePermutation(readFileSync(join(out, FILES.permutation)));
  if (newIds.length !== original.count + 1 || newIds.some(id => id >= rest.endId))
    throw new CodedError('verify', 'not the permutation of this split', { file: join(out, FILES.permutation) });
  const companions = new Companions(original, new NameIndex(original));
  const slots =
    ids === undefined || elf === undefined ? [] : readBtfIds(elf, readSymbols(elf, systemMap), original)?.slots;
  return lintSplit({
    original,
    companions,
    base,
    newIds,
    ids: ids === undefined || slots === undefined ? undefined : { ...ids, slots },
  });
}

/** A finding as one line: file, level, type, why, rule and source. */
export function findingLine(file: string, finding: Finding): string {
  return `${file}: ${finding.level}: ${describeFinding(finding)}`;
}
