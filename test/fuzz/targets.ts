import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Btf } from '../../plugin/btf/btf.js';
import { reencodeBtf } from '../../plugin/btf/encode.js';
import { formatJson } from '../../plugin/btf/format-json.js';
import { formatRaw } from '../../plugin/btf/format-raw.js';
import { NameIndex } from '../../plugin/btf/names.js';
import { MemorySource } from '../../plugin/bytes/source.js';
import { carrierArchitecture } from '../../plugin/carrier/architectures.js';
import { buildCarrier } from '../../plugin/carrier/carrier.js';
import { readKernelAbi } from '../../plugin/carrier/kernel-abi.js';
import { readModinfo } from '../../plugin/carrier/modinfo.js';
import { dump } from '../../plugin/commands/dump.js';
import { explain } from '../../plugin/commands/explain.js';
import { inspect } from '../../plugin/commands/inspect.js';
import { lint } from '../../plugin/commands/lint.js';
import { readIdentity } from '../../plugin/elf/elfy.js';
import { ElfFile } from '../../plugin/elf/file.js';
import { SymbolTable } from '../../plugin/elf/symbols.js';
import { sha256 } from '../../plugin/host/hash.js';
import { SPLIT_JSON } from '../../plugin/host/out-folder.js';
import { remapIds } from '../../plugin/image/image.js';
import { asKernel, withInput } from '../../plugin/pipeline/input.js';
import { kernelRoots } from '../../plugin/pipeline/roots.js';
import { verifyOut } from '../../plugin/pipeline/verify.js';
import { attribute, largestTypes, measureKinds } from '../../plugin/report/measure.js';
import { parseRootsFile } from '../../plugin/roots/roots-file.js';
import { type Split, splitBtf } from '../../plugin/split/split.js';
import { kernelBtf } from '../support/kernel-btf.js';
import { quietContext } from './quiet.js';
import { ARM, kernelImage } from './seeds/kernel.js';
import * as seeds from './seeds.js';
import { splitAndVerify } from './split-and-verify.js';
import { emptied, judge, type Target, withFile } from './target.js';
import { diffBtfs, diffReports, reportFiles } from './targets-diff.js';
import { explainProgram, lintAll, readConfiguration, readProgram, readText, verifyRehashed } from './targets-files.js';
import { imageFiles, readImage } from './targets-images.js';
import { rebase, rebaseFixture, splitWithModules } from './targets-modules.js';

/** Called once before the first case. */
export const prepare = seeds.prepareOutFolder;

/** Every target. A new reader is one line here, with seeds of its own in seeds.ts. */
export const TARGETS: readonly Target[] = [
  { name: 'btf', weight: 25, seeds: seeds.bareBtf, run: ([bytes]) => readWhole(bytes) },
  { name: 'split-btf', weight: 12, seeds: seeds.splitBtfs, run: ([base, bytes]) => readSplit(base, bytes) },
  { name: 'partition', weight: 16, seeds: seeds.btfWithRoots, run: ([bytes, roots]) => partition(bytes, roots) },
  { name: 'elf', weight: 16, seeds: seeds.elfFiles, run: ([bytes]) => readElf(bytes) },
  { name: 'module', weight: 8, seeds: seeds.modules, run: ([bytes]) => readModule(bytes) },
  { name: 'bpf-object', weight: 4, seeds: seeds.bpfObjects, run: ([bytes]) => readObject(bytes) },
  { name: 'kernel', weight: 12, seeds: seeds.kernels, run: ([bytes], folder) => splitInMemory(bytes, folder) },
  {
    name: 'kernel-btf',
    weight: 8,
    seeds: seeds.kernelBtfs,
    run: ([bytes], folder) => splitInMemory(kernelImage(ARM, bytes), folder),
  },
  { name: 'commands', weight: 4, seeds: seeds.anyFile, run: ([bytes, type], folder) => look(bytes, type, folder) },
  { name: 'top', weight: 1, seeds: seeds.anyFile, run: ([bytes], folder) => retainers(bytes, folder) },
  { name: 'split', weight: 2, seeds: seeds.kernels, run: ([bytes], folder) => splitFile(bytes, undefined, folder) },
  {
    name: 'split-roots',
    weight: 2,
    seeds: seeds.btfWithRoots,
    run: ([bytes, roots], folder) => splitFile(bytes, roots, folder),
  },
  { name: 'verify', weight: 1, seeds: seeds.outFolder, run: verifyFolder, mayFail: ['verify'] },
  { name: 'verify-hashes', weight: 2, seeds: seeds.outFolders, run: verifyRehashed, mayFail: ['verify'] },
  { name: 'rebase', weight: 12, seeds: seeds.modulesOnKernels, run: rebase },
  { name: 'rebase-fixture', weight: 1, seeds: seeds.fixtureModules, run: rebaseFixture },
  { name: 'split-modules', weight: 2, seeds: seeds.modulesToSplit, run: splitWithModules },
  { name: 'lint', weight: 8, seeds: seeds.anyBtf, run: lintAll },
  { name: 'diff', weight: 8, seeds: seeds.anyBtf, run: diffBtfs },
  { name: 'image', weight: 1, seeds: imageFiles, run: readImage },
  { name: 'diff-reports', weight: 2, seeds: reportFiles, run: diffReports },
  {
    name: 'system-map',
    weight: 6,
    seeds: seeds.strippedKernels,
    run: ([bytes, map], folder) => splitInMemory(bytes, folder, map),
  },
  { name: 'texts', weight: 4, seeds: seeds.texts, run: readText },
  { name: 'ikconfig', weight: 1, seeds: seeds.configuredKernels, run: readConfiguration },
  { name: 'program', weight: 8, seeds: seeds.programs, run: readProgram },
  { name: 'explain-prog', weight: 1, seeds: seeds.programFiles, run: explainProgram },
];

function readWhole(bytes: Uint8Array): void {
  const btf = Btf.decode(bytes);
  if (Buffer.compare(reencodeBtf(btf), bytes) !== 0) throw new Error('what was decoded encodes to other bytes');
  print(btf);
  new NameIndex(btf);
}

function print(btf: Btf): void {
  for (const text of formatRaw(btf)) if (text === '') throw new Error('an empty piece');
  JSON.parse([...formatJson(btf)].join(''));
}

function readSplit(base: Uint8Array, bytes: Uint8Array): void {
  const btf = Btf.decode(bytes, Btf.decode(base));
  if (Buffer.compare(reencodeBtf(btf), bytes) !== 0) throw new Error('what was decoded encodes to other bytes');
  print(btf);
}

function partition(bytes: Uint8Array, roots: Uint8Array): void {
  const btf = Btf.decode(bytes);
  const names = new NameIndex(btf);
  const text = Buffer.from(roots).toString('latin1');
  const found = parseRootsFile(text, 'roots', btf, names);
  // Without padding and with: what a vmlinux gets.
  measure(btf, splitBtf(btf, names, found));
  measure(btf, splitBtf(btf, names, found, bytes.length));
}

/** `attribute` throws `invariant` when a byte is counted twice or never. */
function measure(btf: Btf, { closure, sizes }: Split): void {
  attribute(btf, closure, sizes);
  measureKinds(btf, closure);
  largestTypes(btf, closure);
}

function readElf(bytes: Uint8Array): ElfFile {
  const elf = ElfFile.open(new MemorySource(bytes, 'file'));
  for (const section of elf.sections) if (section.type !== 8) attemptAll(() => elf.data(section));
  attemptAll(
    () => elf.loadSegments(),
    () => elf.find('.BTF'),
    () => elf.readPointer(elf.header.entry),
    () => elf.readCString(elf.sections.at(-1)?.addr ?? 0n, 64),
    () => readIdentity(elf.source),
  );
  const symbols = SymbolTable.read(elf);
  for (let i = 0; i < symbols.count; i++) attemptAll(() => symbols.at(i));
  symbols.find('main');
  return elf;
}

/** Each is held to the rule, and none keeps the others from being tried. */
function attemptAll(...actions: readonly (() => unknown)[]): void {
  for (const action of actions) {
    try {
      action();
    } catch (error) {
      if (judge(error).kind === 'crash') throw error;
    }
  }
}

const bases = new Map<string, Btf>();

/** The BTF of the fixture kernel of a byte order. */
function fixtureBase(order: 'little' | 'big'): Btf {
  const base =
    bases.get(order) ?? Btf.decode(kernelBtf(`${order === 'little' ? 'armv7-virt' : 'mips32-malta-be'}/vmlinux`).bytes);
  bases.set(order, base);
  return base;
}

function readModule(bytes: Uint8Array): void {
  const elf = readElf(bytes);
  attemptAll(() => readModinfo(elf));
  print(Btf.decode(elf.data(elf.section('.BTF')), fixtureBase(elf.header.order)));
}

function readObject(bytes: Uint8Array): void {
  const elf = readElf(bytes);
  print(Btf.decode(elf.data(elf.section('.BTF'))));
}

/** Everything of a split but the out folder. */
function splitInMemory(bytes: Uint8Array, folder: string, map?: Uint8Array): Promise<void> {
  const systemMap = map && join(folder, 'System.map');
  if (map && systemMap) writeFileSync(systemMap, map);
  return withFile(folder, 'vmlinux', bytes, file =>
    withInput(file, undefined, input => {
      const names = new NameIndex(input.btf);
      const kernel = asKernel(input, names, systemMap);
      const { elf, symbols, btf } = kernel;
      const { roots, ids } = kernelRoots(kernel);
      const abi = readKernelAbi(elf, symbols, btf, names, map ? { layoutCrc: seeds.LAYOUT_CRC } : {});
      const split = splitBtf(btf, names, roots, kernel.section.size);
      measure(btf, split);
      remapIds(elf.data(ids.section), ids.slots, split.newIds, elf.header.order);
      const architecture = carrierArchitecture(elf.header, file);
      const { rest, paddedBase } = split;
      const carrier = buildCarrier({ header: elf.header, architecture, abi, rest, baseSha256: sha256(paddedBase) });
      if (readModinfo(ElfFile.open(new MemorySource(carrier, 'carrier'))).get('name') !== 'vmlinux_btf')
        throw new Error('the carrier has another name');
    }),
  );
}

async function look(bytes: Uint8Array, type: Uint8Array, folder: string): Promise<void> {
  const asked = Buffer.from(type).toString('utf8');
  await withFile(folder, 'file', bytes, async file => {
    const actions = [
      () => inspect({ file, json: false }, quietContext),
      () => dump({ file, json: false }, quietContext),
      () =>
        explain(
          {
            type: asked,
            file,
            prog: [],
            keep: [],
            per: 'root',
            by: 'retained',
            out: join(folder, 'none'),
            json: false,
          },
          quietContext,
        ),
      () => lint({ file, program: true, json: false, quiet: false }, quietContext),
    ];
    const outcomes = await Promise.allSettled(actions.map(action => action()));
    const failed = outcomes.flatMap(outcome => (outcome.status === 'rejected' ? [outcome.reason] : []));
    const crash = failed.find(reason => judge(reason).kind === 'crash');
    if (failed.length > 0) throw crash ?? failed[0];
  });
}

async function retainers(bytes: Uint8Array, folder: string): Promise<void> {
  await withFile(folder, 'file', bytes, file =>
    explain(
      { type: file, prog: [], keep: [], top: 3, per: 'set', by: 'retained', out: join(folder, 'none'), json: false },
      quietContext,
    ),
  );
}

async function splitFile(bytes: Uint8Array, roots: Uint8Array | undefined, folder: string): Promise<void> {
  const out = join(folder, 'out');
  const rootsFile = join(folder, 'roots');
  if (roots !== undefined) writeFileSync(rootsFile, roots);
  await withFile(folder, 'input', bytes, async file => {
    await splitAndVerify({ file, out, ...(roots === undefined ? {} : { rootsFile }) });
  });
}

/** What passes differs from what the split wrote in split.json at the most, in something that it does not promise. */
async function verifyFolder(parts: readonly Uint8Array[], folder: string): Promise<void> {
  const [original, ...files] = parts;
  const out = join(folder, 'out');
  writeFileSync(join(folder, 'original'), original);
  emptied(out);
  for (const [i, name] of seeds.OUT_FILES.entries()) writeFileSync(join(out, name), files[i]);
  await verifyOut(out);
  const names = ['original', ...seeds.OUT_FILES];
  const [seed] = seeds.outFolder();
  const damaged = names.filter((_, i) => Buffer.compare(parts[i], seed.parts[i]) !== 0);
  if (damaged.some(name => name !== SPLIT_JSON))
    throw new Error(`${damaged.join(', ')} changed, and verify says nothing`);
}
