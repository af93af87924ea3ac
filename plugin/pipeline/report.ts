import { pieces } from '../bytes/source.js';
import type { ElfFile, ElfSection } from '../elf/file.js';
import type { Compression, Pieces } from '../host/compress.js';
import { overlay, type Replacement } from '../image/image.js';
import type { Duplicates } from '../modules/duplicates.js';
import type { ModuleMode } from '../modules/needs.js';
import { inputTypes, type SplitFigures } from '../report/measure.js';
import type { Count, ImageReport, ModuleRow, ModulesReport, Report, Side } from '../report/model.js';
import { TOOL } from '../version.js';

type Part = 'full' | 'base' | 'rest';

export interface Measured {
  readonly figures: SplitFigures;
  /** The bytes of its parts, without padding; asked for when something is measured with them. */
  readonly parts: (part: Part) => Uint8Array;
  readonly input: Report['input'];
  /** Undefined for bare BTF. */
  readonly image: PatchedImage | LinkedImage | undefined;
  readonly carrier: Uint8Array | undefined;
  /** Undefined when no modules were given. */
  readonly modules:
    | {
        readonly mode: ModuleMode;
        readonly rows: readonly ModuleRow[];
        readonly duplicates: Duplicates;
        /** What was proved of them, in words. */
        readonly proved: readonly string[];
      }
    | undefined;
  readonly warnings: readonly string[];
  readonly compression: Compression;
}

/** An image that was finished before the split. */
export interface PatchedImage {
  readonly elf: ElfFile;
  readonly replacements: readonly Replacement[];
}

/** An image that was linked with the base as its `.BTF`. */
export interface LinkedImage {
  readonly elf: ElfFile;
  /** Its `.BTF`. */
  readonly section: ElfSection;
  /** The BTF that it would have without the split. */
  readonly original: Uint8Array;
}

/** Measures a split once. */
export async function buildReport(measured: Measured): Promise<Report> {
  const { figures, parts, compression } = measured;
  const { closure, forward, padding, kinds, reasons, largest } = figures;
  const side = async (part: Part): Promise<Side> => ({
    ...figures[part],
    compressed: await compression.measure(() => [parts(part)]),
  });
  const image =
    measured.image === undefined
      ? undefined
      : 'original' in measured.image
        ? await measureLinked(measured.image, figures, compression)
        : await measureImage(measured.image.elf, measured.image.replacements, figures, compression);
  return {
    schemaVersion: 1,
    tool: TOOL,
    input: measured.input,
    closure,
    ...(forward === undefined ? {} : { forward }),
    full: await side('full'),
    base: await side('base'),
    rest: await side('rest'),
    padding,
    kinds,
    reasons,
    largest,
    ...(image === undefined ? {} : { image }),
    ...(measured.carrier === undefined ? {} : { carrier: await measureCarrier(measured.carrier, compression) }),
    ...(measured.modules === undefined ? {} : { modules: sumModules(measured.modules) }),
    compressors: compression.describe(),
    proved: [...figures.proved, ...(measured.modules?.proved ?? [])],
    warnings: measured.warnings,
  };
}

function sumModules({ mode, rows, duplicates }: NonNullable<Measured['modules']>): ModulesReport {
  const sum = (of: (row: ModuleRow) => Count): Count => ({
    types: rows.reduce((total, row) => total + of(row).types, 0),
    bytes: rows.reduce((total, row) => total + of(row).bytes, 0),
  });
  return { mode, before: sum(row => row.before), after: sum(row => row.after), rows, duplicates };
}

async function measureCarrier(bytes: Uint8Array, compression: Compression): Promise<NonNullable<Report['carrier']>> {
  return { bytes: bytes.length, compressed: await compression.measure(() => [bytes]) };
}

/** What of vmlinux a boot image is made of. */
export function loadableBytes(elf: ElfFile): number {
  return elf.loadSegments().reduce((sum, segment) => sum + segment.filesz, 0);
}

async function measureImage(
  elf: ElfFile,
  replacements: readonly Replacement[],
  figures: SplitFigures,
  compression: Compression,
): Promise<ImageReport> {
  const bytes = loadableBytes(elf);
  return {
    before: { bytes, compressed: await compression.measureImage(loadable(elf, [])) },
    after: { bytes, compressed: await compression.measureImage(loadable(elf, replacements)) },
    ramResident: figures.base.bytes + figures.padding + figures.base.types * elf.wordSize,
    ramSaved: savedPointers(figures, elf),
    ramSavedByRelinking: figures.padding,
  };
}

function savedPointers(figures: SplitFigures, elf: ElfFile): number {
  return (inputTypes(figures) - figures.base.types) * elf.wordSize;
}

async function measureLinked(
  image: LinkedImage,
  figures: SplitFigures,
  compression: Compression,
): Promise<ImageReport> {
  const { elf, section, original } = image;
  const bytes = loadableBytes(elf);
  const left = original.length - section.size;
  return {
    linked: true,
    before: { bytes: bytes + left, compressed: await compression.measureImage(unsplit(image)) },
    after: { bytes, compressed: await compression.measureImage(loadable(elf, [])) },
    ramResident: section.size + figures.base.types * elf.wordSize,
    ramSaved: left + savedPointers(figures, elf),
    ramSavedByRelinking: 0,
  };
}

/** The loadable segments with the whole BTF where the base stands. */
function unsplit({ elf, section, original }: LinkedImage): Pieces {
  return function* unsplitPieces() {
    for (const { offset, filesz } of elf.loadSegments()) {
      const end = offset + filesz;
      const inside = section.offset >= offset && section.offset + section.size <= end;
      for (const piece of pieces(elf.source, offset, inside ? section.offset - offset : filesz)) yield piece.bytes;
      if (!inside) continue;
      yield original;
      const after = section.offset + section.size;
      for (const piece of pieces(elf.source, after, end - after)) yield piece.bytes;
    }
  };
}

/** The loadable segments in order of load address, with replacements laid over them. */
function loadable(elf: ElfFile, replacements: readonly Replacement[]): Pieces {
  return function* loadablePieces() {
    for (const segment of elf.loadSegments())
      for (const { offset, bytes } of pieces(elf.source, segment.offset, segment.filesz)) {
        for (const replacement of replacements) overlay(bytes, offset, replacement);
        yield bytes;
      }
  };
}
