import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { NameIndex } from '../btf/names.js';
import { FileSource } from '../bytes/source.js';
import { carrierArchitecture } from '../carrier/architectures.js';
import { buildCarrier } from '../carrier/carrier.js';
import { readKernelAbi } from '../carrier/kernel-abi.js';
import { machineName } from '../elf/constants.js';
import { ElfFile, type ElfSection } from '../elf/file.js';
import { SymbolTable } from '../elf/symbols.js';
import { CodedError } from '../errors.js';
import { Compression, type Compressor } from '../host/compress.js';
import { sha256 } from '../host/hash.js';
import { hashAside } from '../host/hash-aside.js';
import { kernelCommands } from '../host/kernel-compressor.js';
import { type KernelConfig, parseConfig } from '../modules/kconfig.js';
import { buildReport, loadableBytes } from '../pipeline/report.js';
import { prepareSigning, type SigningOptions, signFile } from '../pipeline/signing.js';
import { compareCarrier } from '../pipeline/verify.js';
import type { Report } from '../report/model.js';
import { renderMarkdown } from '../report/render/markdown.js';
import { renderText } from '../report/render/text.js';
import { BTF_IDS_SECTION } from '../roots/btf-ids.js';
import { missingBtf } from './cause.js';
import { builtModules, checkNeeds, readModules } from './modules.js';
import { type LinkRecord, SIDE_FILES, SideFolder } from './side-files.js';
import { targetOf } from './target.js';

/** What the end of a build adds to the side files. */
export const FINISHED = {
  carrier: 'vmlinux_btf.ko',
  report: 'report.json',
  markdown: 'report.md',
  text: 'report.txt',
} as const;

export interface FinishOptions extends Omit<SigningOptions, 'kconfig'> {
  readonly compressors: readonly Compressor[];
  readonly onStage?: (stage: string) => void;
}

/**
 * The kernel's configuration; undefined when there is none yet. Throws `kbuild-config` when it has no BTF, and `module-layout` when it
 * takes no modules, of which the carrier is one.
 */
export function checkConfig(objtree: string): KernelConfig | undefined {
  const file = join(objtree, '.config');
  if (!existsSync(file)) return undefined;
  const config = parseConfig(readFileSync(file, 'latin1'));
  const cause = missingBtf(config);
  if (cause !== undefined) throw new CodedError('kbuild-config', cause, { file });
  if (config.get('MODULES') !== 'y') throw new CodedError('module-layout', 'CONFIG_MODULES is not set', { file });
  return config;
}

/**
 * The end of a build: checks that the final vmlinux holds the base that was split last, makes the carrier for it, measures, and
 * writes both beside the side files. Throws `kbuild-config`, `kbuild-none`, `kbuild-link`, `kbuild-modules`, and what making a
 * carrier and reading modules throw.
 */
export async function finishBuild(objtree: string, options: FinishOptions): Promise<Report> {
  const stage = options.onStage ?? (() => {});
  const config = checkConfig(objtree);
  const folder = new SideFolder(objtree);
  const link = folder.link();
  if (link === undefined) throw new CodedError('kbuild-none', 'no link.json', { file: folder.path });
  const source = FileSource.open(join(objtree, 'vmlinux'));
  const hash = hashAside(source);
  try {
    const elf = ElfFile.open(source);
    const section = checkLinked(elf, link);
    const original = folder.read(link, SIDE_FILES.original);
    const target = targetOf(folder, link, original);
    const btf = target.original;
    const names = new NameIndex(btf);
    const roots = folder.roots(link).filter(({ reason }) => reason !== 'tag');
    const symbols = SymbolTable.read(elf);
    const abi = readKernelAbi(elf, symbols, btf, names);
    const kconfig = join(objtree, '.config');
    const kernel = { original: btf, machine: elf.header, vermagic: abi.vermagic };
    const built = builtModules(objtree, folder);
    stage('reading the modules');
    const read = built && (await readModules(folder, objtree, link, built, kernel, names, target));
    if (read !== undefined) checkNeeds(folder, link, read.needs, btf, names, roots);
    const signing = await prepareSigning(
      { ...options, kconfig: config === undefined ? undefined : kconfig },
      source.name,
      config,
    );
    const architecture = carrierArchitecture(elf.header, source.name);
    const { header } = elf;
    const { figures } = link;
    const rest = folder.read(link, SIDE_FILES.rest);
    const carrier = buildCarrier({ header, architecture, abi, rest, baseSha256: sha256(elf.data(section)) });
    folder.write(FINISHED.carrier, carrier);
    await signFile(folder.file(FINISHED.carrier), signing);
    compareCarrier(folder.file(FINISHED.carrier), carrier);

    stage('measuring');
    const report = await buildReport({
      figures,
      parts: part => folder.read(link, SIDE_FILES[part]),
      input: {
        file: 'vmlinux',
        kind: 'vmlinux',
        bytes: source.size,
        sha256: await hash.sha256(),
        btfBytes: original.length,
        architecture: `${machineName(header.machine)} ${header.class} bit ${header.order}-endian`,
        vermagic: abi.vermagic.trim(),
      },
      image: { elf, section, original },
      carrier: readFileSync(folder.file(FINISHED.carrier)),
      modules: read?.measured,
      warnings: [
        ...link.warnings,
        ...(built === undefined ? [UNBUILT] : []),
        ...loadWarnings(config, signing.signer === undefined ? signing.forced : undefined),
      ],
      compression: new Compression(options.compressors, kernelCommands(config, loadableBytes(elf))),
    });
    folder.write(FINISHED.report, Buffer.from(`${JSON.stringify(report, null, 2)}\n`));
    folder.write(FINISHED.markdown, Buffer.from(renderMarkdown(report)));
    folder.write(FINISHED.text, Buffer.from(renderText(report)));
    return report;
  } catch (error) {
    throw error instanceof CodedError ? error.in(source.name) : error;
  } finally {
    await hash.stop();
    source.close();
  }
}

/** `.BTF` of the final vmlinux. Throws `kbuild-link` unless it is the base, and `.BTF_ids` are those of the base. */
export function checkLinked(elf: ElfFile, link: LinkRecord): ElfSection {
  const section = elf.section('.BTF');
  for (const [part, name] of [
    [section, SIDE_FILES.base],
    [elf.section(BTF_IDS_SECTION), SIDE_FILES.ids],
  ] as const) {
    const hash = sha256(elf.data(part));
    const told = link.files.find(file => file.name === name);
    if (hash !== told?.sha256)
      throw new CodedError(
        'kbuild-link',
        `${part.size} bytes, SHA-256 ${hash.slice(0, 16)}…; the last link that was split, ${link.linked} after ${link.adapter}, made ${name} of ${told?.bytes} bytes, ${told?.sha256.slice(0, 16)}…`,
        { file: elf.source.name, section: part.name },
      );
  }
  return section;
}

const UNBUILT =
  'the modules were not built for this vmlinux yet: what they need in the base is what was found before, and they are not counted here';

function loadWarnings(config: KernelConfig | undefined, forced: string | undefined): string[] {
  const warnings: string[] = [];
  if (config !== undefined && config.get('DEBUG_INFO_BTF_MODULES') !== 'y')
    warnings.push(
      `this kernel takes no types from modules: without CONFIG_DEBUG_INFO_BTF_MODULES=y ${FINISHED.carrier} is of no use`,
    );
  if (forced !== undefined)
    warnings.push(
      `${FINISHED.carrier} is not signed, and this kernel (${forced}) refuses it: pass --sign-key and --sign-cert`,
    );
  return warnings;
}
