import { closeSync, openSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import { Btf } from '../btf/btf.js';
import { NameIndex } from '../btf/names.js';
import { FileSource, withFile } from '../bytes/source.js';
import { kernelVersion } from '../carrier/kernel-abi.js';
import { ElfFile, type ElfSection } from '../elf/file.js';
import { shrinkSection } from '../elf/shrink-section.js';
import { type Symbols, SymbolTable } from '../elf/symbols.js';
import { CodedError } from '../errors.js';
import { hashSource } from '../host/hash.js';
import { writeWhole } from '../host/write-whole.js';
import { remapIds } from '../image/image.js';
import { BTF_SECTION } from '../pipeline/input.js';
import { keptRoots } from '../pipeline/keep.js';
import { refuseViolations } from '../pipeline/lint.js';
import { encodePermutation, manifestRoots } from '../pipeline/manifest.js';
import { kernelRoots } from '../pipeline/roots.js';
import { figuresOf } from '../report/measure.js';
import { resolveIds } from '../roots/resolve-ids.js';
import { type Split, splitBtf } from '../split/split.js';
import { TOOL } from '../version.js';
import { rootsOfNames } from './module-roots.js';
import { keepRequest, type LinkOptions } from './options.js';
import { type Adapter, SIDE_FILES, SideFolder } from './side-files.js';

/** More than this is no BTF and is never read into memory. */
const MAX_BTF = 256 << 20;

/** A kernel on its way through the link, with its whole BTF. */
interface Linked {
  readonly elf: ElfFile;
  readonly symbols: Symbols;
  readonly btf: Btf;
  readonly names: NameIndex;
  /** The BTF as it came. */
  readonly original: Uint8Array;
  /** `.BTF_ids`, resolved. */
  readonly ids: Uint8Array;
}

/**
 * Splits the BTF of a kernel between two links, and lets the base take its place:
 *
 * - after `pahole` (6.1 to 6.x) in `.BTF` of the ELF file, which objcopy then takes for the next link; at its end resolve_btfids
 *   resolves `.BTF_ids` against the base by name, which is proved here to give what a renumbering gives;
 * - after `resolve_btfids` (7.x) in `X.BTF` and, renumbered, in `X.BTF_ids`, which scripts/gen-btf.sh takes.
 *
 * `file`: X. Leaves the side files in `objtree`. Throws coded errors; then there is no record of a link.
 */
export function splitAtLink(adapter: Adapter, file: string, objtree: string, options: LinkOptions): void {
  const folder = new SideFolder(objtree);
  folder.clear();
  const source = FileSource.open(file);
  try {
    // lld leaves a place for .BTF, into which llvm-objcopy puts far more than there is room for: it then lies over all that follows.
    const elf = ElfFile.open(source, adapter === 'pahole' ? BTF_SECTION : undefined);
    const linked = adapter === 'pahole' ? afterPahole(elf) : afterResolveBtfids(elf);
    const { btf, names, symbols } = linked;
    const found = kernelRoots({ elf, symbols, btf, names, file, resolvedIds: linked.ids });
    const kept = keptRoots(keepRequest(options), btf, names);
    const moduleRoots = folder.moduleRoots();
    const roots = [...found.roots, ...kept.roots, ...rootsOfNames(names, moduleRoots)];
    const split = splitBtf(btf, names, roots, undefined, options.closure);
    const { slots, sets } = found.ids;
    const { order } = elf.header;
    const ids = remapIds(linked.ids, slots, split.idOf, order);
    refuseViolations(btf, split, { version: kernelVersion(elf, symbols), ids: { bytes: ids, order, slots, sets } });
    if (adapter === 'pahole') proveByName(linked, split, ids);

    const inBase = split.inBase();
    const files = [
      folder.write(SIDE_FILES.original, linked.original),
      folder.write(SIDE_FILES.full, split.full),
      folder.write(SIDE_FILES.base, split.base),
      folder.write(SIDE_FILES.rest, split.rest),
      folder.write(SIDE_FILES.permutation, encodePermutation(split.idOf)),
      folder.write(SIDE_FILES.inBase, encodePermutation(inBase.ids)),
      folder.write(SIDE_FILES.levels, inBase.levels),
      folder.write(SIDE_FILES.ids, ids),
      folder.write(SIDE_FILES.roots, Buffer.from(`${JSON.stringify(manifestRoots(btf, split), null, 1)}\n`)),
    ];
    if (adapter === 'pahole') patch(elf, split.base);
    else {
      writeWhole(`${file}.BTF`, [split.base], []);
      writeWhole(`${file}.BTF_ids`, [ids], []);
    }
    folder.record({
      schemaVersion: 2,
      tool: TOOL,
      adapter,
      linked: basename(file),
      options,
      objects: objectHashes(options),
      moduleRoots,
      figures: figuresOf(split),
      warnings: [...found.warnings, ...kept.warnings],
      files,
    });
  } catch (error) {
    throw error instanceof CodedError ? error.in(file) : error;
  } finally {
    source.close();
  }
}

/** SHA-256 of the BPF objects that the options name: a program that was compiled again may need other types. */
export function objectHashes({ keepFor }: LinkOptions): string[] {
  return keepFor.map(path => withFile(path, hashSource));
}

function afterPahole(elf: ElfFile): Linked {
  const section = unloaded(elf);
  const original = elf.data(section);
  const btf = decode(elf, original);
  const names = new NameIndex(btf);
  const symbols = SymbolTable.read(elf);
  const ids = resolveIds(elf, symbols, names);
  if (ids === undefined) throw noIds(elf);
  return { elf, symbols, btf, names, original, ids };
}

function afterResolveBtfids(elf: ElfFile): Linked {
  const file = elf.source.name;
  const original = readAll(`${file}.BTF`);
  const ids = readAll(`${file}.BTF_ids`);
  const btf = decode(elf, original);
  return { elf, symbols: SymbolTable.read(elf), btf, names: new NameIndex(btf), original, ids };
}

/** `.BTF` as pahole leaves it: with bytes, and not loaded yet. */
function unloaded(elf: ElfFile): ElfSection {
  const section = elf.find(BTF_SECTION);
  if (section === undefined || section.size === 0)
    throw new CodedError('btf-missing', 'pahole left no .BTF', { file: elf.source.name });
  if (section.size > MAX_BTF)
    throw new CodedError('btf-limit', `${section.size} bytes`, { file: elf.source.name, section: BTF_SECTION });
  return section;
}

function readAll(path: string): Uint8Array {
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  if (size > MAX_BTF) throw new CodedError('btf-limit', `${size} bytes`, { file: path });
  return withFile(path, source => source.read(0, source.size));
}

function decode(elf: ElfFile, bytes: Uint8Array): Btf {
  const btf = Btf.decode(bytes);
  if (btf.order !== elf.header.order)
    throw new CodedError('btf-header', `${btf.order}-endian BTF for a ${elf.header.order}-endian kernel`);
  return btf;
}

function noIds(elf: ElfFile): CodedError {
  return new CodedError('btf-ids', 'no .BTF_ids section', { file: elf.source.name });
}

/** What the kernel's resolve_btfids will find in the base by name is what the renumbering says. Throws `invariant`. */
function proveByName({ elf, symbols }: Linked, split: Split, ids: Uint8Array): void {
  const byName = resolveIds(elf, symbols, new NameIndex(split.decoded.base));
  if (byName === undefined || Buffer.compare(byName, ids) !== 0) {
    const at = ids.findIndex((byte, i) => byte !== byName?.[i]);
    throw new CodedError('invariant', 'resolve_btfids would resolve an id of .BTF_ids to another type of the base', {
      section: '.BTF_ids',
      offset: at,
    });
  }
}

/** In place: the wrapper removes the file when this fails. */
function patch(elf: ElfFile, base: Uint8Array): void {
  const file = elf.source.name;
  let fd: number;
  try {
    fd = openSync(file, 'r+');
  } catch (error) {
    throw new CodedError('write-failed', (error as NodeJS.ErrnoException).code ?? 'open failed', { file }, error);
  }
  try {
    shrinkSection(fd, elf, unloaded(elf), base);
  } finally {
    closeSync(fd);
  }
}
