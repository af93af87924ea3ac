import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { minimize } from '../../plugin/bpf/minimize.js';
import { needsOf } from '../../plugin/bpf/needs.js';
import { readBpfObject } from '../../plugin/bpf/object.js';
import { Btf } from '../../plugin/btf/btf.js';
import { ANY_KERNEL, KERNELS } from '../../plugin/btf/lint/kernels.js';
import { lint } from '../../plugin/btf/lint.js';
import { NameIndex } from '../../plugin/btf/names.js';
import { MemorySource } from '../../plugin/bytes/source.js';
import { readLayoutCrc } from '../../plugin/carrier/symvers.js';
import { explain } from '../../plugin/commands/explain.js';
import { minimize as minimizeCommand } from '../../plugin/commands/minimize.js';
import { parseConfig } from '../../plugin/config/config.js';
import { ElfFile } from '../../plugin/elf/file.js';
import { SymbolTable } from '../../plugin/elf/symbols.js';
import { sha256 } from '../../plugin/host/hash.js';
import { SPLIT_JSON } from '../../plugin/host/out-folder.js';
import { forcedBy, parseConfig as parseKconfig, readIkconfig } from '../../plugin/modules/kconfig.js';
import { FILES } from '../../plugin/pipeline/files.js';
import { findingLine, lintFile } from '../../plugin/pipeline/lint-file.js';
import { verifyOut } from '../../plugin/pipeline/verify.js';
import { applyKeepRules, keepRoots, keepWarnings, parseKeepRule } from '../../plugin/roots/keep.js';
import { parseRootsFile } from '../../plugin/roots/roots-file.js';
import { quietContext } from './quiet.js';
import { ARM, kernelImage } from './seeds/kernel.js';
import { kernelTypes } from './seeds/kernel-btf.js';
import * as seeds from './seeds.js';
import { emptied, withFile } from './target.js';
import { drawHistory } from './targets-diff.js';

/** Bare BTF, or a base and BTF on it, by the rules of each kernel. */
export function lintAll(parts: readonly Uint8Array[]): void {
  const base = parts.length > 1 ? Btf.decode(parts[0]) : undefined;
  const btf = Btf.decode(parts[parts.length - 1], base);
  for (const kernel of [ANY_KERNEL, ...KERNELS]) {
    const own = lint(btf, { kernel });
    const errors = lint(btf, { kernel, errorsOnly: true });
    const program = lint(btf, { kernel, loadedBy: 'program' });
    if (own.errors !== errors.errors) throw new Error('other errors without the warnings');
    // What orders a kernel's own types is no rule for a program's.
    const sorted = own.counts.sorted ?? 0;
    if (program.warnings > 0 || program.errors !== own.errors + own.warnings - sorted)
      throw new Error('a program is held to other rules');
    for (const finding of own.findings)
      if (findingLine('file', finding).length > 4096) throw new Error(`a long finding of ${finding.rule}`);
  }
}

const OWN_BTF = kernelTypes('little', 4).bytes;

/** A text that is given beside a kernel. The first part says which, and otherwise its length does. */
export function readText([which, bytes]: readonly Uint8Array[], _folder: string): void {
  const name = Buffer.from(which).toString('latin1');
  const names = Object.keys(TEXTS);
  TEXTS[names.includes(name) ? name : names[which.length % names.length]](bytes);
}

const TEXTS: Readonly<Record<string, (bytes: Uint8Array) => unknown>> = {
  symvers: bytes => readLayoutCrc(new MemorySource(bytes, 'Module.symvers')),
  kconfig: bytes => forcedBy(parseKconfig(Buffer.from(bytes).toString('latin1'))),
  config: bytes => {
    const config = parseConfig(Buffer.from(bytes).toString('utf8'), 'config.json');
    keep(config.keep);
    for (const path of config.keepFor) if (typeof path !== 'string') throw new Error('no path');
  },
  history: drawHistory,
  keep: bytes => keep(Buffer.from(bytes).toString('utf8').split('\n')),
  roots: bytes => {
    const btf = Btf.decode(OWN_BTF);
    const roots = parseRootsFile(Buffer.from(bytes).toString('latin1'), 'roots', btf, new NameIndex(btf));
    if (roots.some(({ id }) => id < 1 || id >= btf.endId)) throw new Error('a root that is no type');
  },
};

function keep(rules: readonly string[]): void {
  const btf = Btf.decode(OWN_BTF);
  const kept = applyKeepRules(
    btf,
    new NameIndex(btf),
    rules.map(rule => parseKeepRule(rule, '--keep')),
  );
  keepWarnings(kept);
  if (keepRoots(kept).some(({ id }) => id < 1 || id >= btf.endId)) throw new Error('a root that is no type');
}

/** The configuration in a vmlinux, by its symbols. */
export function readConfiguration([bytes]: readonly Uint8Array[]): void {
  const elf = ElfFile.open(new MemorySource(bytes, 'vmlinux'));
  const config = readIkconfig(elf, SymbolTable.read(elf));
  if (config !== undefined) forcedBy(config);
}

/** What a BPF object asks of a kernel's BTF, and the BTF that holds no more than that. */
export function readProgram([object, bytes]: readonly Uint8Array[]): void {
  const program = readBpfObject(new MemorySource(object, 'prog.o'));
  const btf = Btf.decode(bytes);
  const { needs } = needsOf(program, btf, new NameIndex(btf));
  for (const { ids } of needs)
    if (ids.some(id => id < 1 || id >= btf.endId)) throw new Error('a need that is no type of the kernel');
  const made = minimize(btf, [program]);
  if (Btf.decode(made.bytes).count !== made.types) throw new Error('another number of types');
}

/** The commands that read BPF objects. */
export async function explainProgram([object]: readonly Uint8Array[], folder: string): Promise<void> {
  const kernel = join(folder, 'vmlinux');
  writeFileSync(kernel, kernelImage(ARM));
  const out = join(folder, 'min.btf');
  await withFile(folder, 'prog.o', object, async file => {
    await explain(
      { type: kernel, prog: [file], keep: [], per: 'root', by: 'retained', out: join(folder, 'none'), json: false },
      quietContext,
    );
    try {
      await minimizeCommand({ file: kernel, for: [file], out, json: false, quiet: true }, quietContext);
    } catch (error) {
      if (existsSync(out)) throw new Error('a refused object left a file behind', { cause: error });
      throw error;
    }
  });
}

/**
 * What verify proves no byte of: only the hash and, of the carrier, its `.BTF` and modinfo. What a module had in unused strings
 * before is not kept.
 */
const UNPROVED: readonly string[] = [SPLIT_JSON, FILES.report, FILES.markdown, FILES.carrier, seeds.OUT_MODULE[0]];

/** An out folder whose split.json has the hashes of what was mutated, so that what is behind the hashes is reached. */
export async function verifyRehashed(parts: readonly Uint8Array[], folder: string): Promise<void> {
  const out = join(folder, 'out');
  emptied(out);
  const [plain, withModule] = seeds.outFolders();
  const seed = parts.length === plain.parts.length ? plain : withModule;
  const names = ['../original', ...seeds.OUT_FILES, ...(seed === plain ? [] : seeds.OUT_MODULE)];
  for (const name of ['../before', 'modules']) if (seed !== plain) mkdirSync(join(out, name));
  for (const [i, name] of names.entries()) writeFileSync(join(out, name), parts[i]);
  rehash(join(out, SPLIT_JSON), names, parts);
  const linted = await Promise.allSettled([lintFile({ file: out })]);
  await verifyOut(out);
  if (linted[0].status === 'rejected') throw linted[0].reason;
  const damaged = names.filter((name, i) => Buffer.compare(parts[i], seed.parts[i]) !== 0 && !UNPROVED.includes(name));
  if (damaged.length > 0) throw new Error(`${damaged.join(', ')} changed, and verify says nothing`);
}

interface Entry {
  name?: unknown;
  sha256?: unknown;
  bytes?: unknown;
}

function rehash(file: string, names: readonly string[], parts: readonly Uint8Array[]): void {
  let manifest: {
    input?: { sha256?: unknown; bytes?: unknown };
    files?: Entry[];
    modules?: { files?: Entry[] };
  };
  try {
    manifest = JSON.parse(Buffer.from(parts[names.indexOf(SPLIT_JSON)]).toString('utf8'));
    const told = [
      ...(manifest.files ?? []).map(entry => [entry, String(entry.name)] as const),
      ...(manifest.modules?.files ?? []).map(entry => [entry, `modules/${entry.name}`] as const),
    ];
    for (const [entry, name] of told) {
      const part = parts[names.indexOf(name)];
      if (part !== undefined) Object.assign(entry, { sha256: sha256(part), bytes: part.length });
    }
    Object.assign(manifest.input ?? {}, { sha256: sha256(parts[0]), bytes: parts[0].length });
  } catch {
    return;
  }
  writeFileSync(file, JSON.stringify(manifest));
}
