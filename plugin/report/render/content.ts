import { inputTypes } from '../measure.js';
import { type Compressed, type Count, KERNEL_COMPRESSOR, type Report, type RetainedRow } from '../model.js';
import { number, percent } from './table.js';

/** Head and rows of the tables that more than one format shows; cells are plain text. */
export interface Table {
  readonly title: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

function compressedCells(names: readonly string[], sizes: Compressed): string[] {
  return names.map(name => {
    const size = sizes[name];
    return size === null || size === undefined ? '-' : number(size);
  });
}

export function sizeTable(report: Report): Table {
  const compressors = Object.keys(report.full.compressed);
  const sides = (['full', 'base', 'rest'] as const).map(name => {
    const side = report[name];
    return [
      name,
      number(side.types),
      number(side.bytes),
      percent(side.bytes, report.full.bytes),
      number(side.typeBytes),
      number(side.stringBytes),
      ...compressedCells(compressors, side.compressed),
    ];
  });
  if (report.padding > 0)
    sides.push([
      'padding of the base',
      '',
      number(report.padding),
      '',
      '',
      number(report.padding),
      ...compressors.map(() => ''),
    ]);
  if (report.carrier !== undefined)
    sides.push([
      'vmlinux_btf.ko',
      '',
      number(report.carrier.bytes),
      '',
      '',
      '',
      ...compressedCells(compressors, report.carrier.compressed),
    ]);
  return {
    title: 'BTF, in bytes',
    head: ['part', 'types', 'bytes', 'share', 'type bytes', 'string bytes', ...compressors],
    rows: sides,
  };
}

/** The kernel's own is told by its program. */
export function compressorName({ compressors }: Report, name: string): string {
  if (name !== KERNEL_COMPRESSOR) return name;
  const command = compressors[name] ?? '';
  return command.startsWith('not measured') ? 'the kernel’s own' : `the kernel’s own (${command.split(' ')[0]})`;
}

export function imageTable(report: Report): Table | undefined {
  const { image } = report;
  if (image === undefined) return undefined;
  const row = (name: string, before: number | null | undefined, after: number | null | undefined): string[] => {
    if (typeof before !== 'number' || typeof after !== 'number') return [name, '-', '-', '-', '-'];
    return [name, number(before), number(after), number(before - after), percent(before - after, before)];
  };
  return {
    title: 'Image (the loadable bytes of vmlinux)',
    head: ['flash, compressed with', 'before', 'after', 'saved', 'of before'],
    rows: [
      row('nothing', image.before.bytes, image.after.bytes),
      ...Object.keys(report.compressors).map(name =>
        row(compressorName(report, name), image.before.compressed[name], image.after.compressed[name]),
      ),
    ],
  };
}

export function reasonTable(report: Report): Table {
  const rows = report.reasons.map(row => [
    row.reason,
    row.roots === 0 ? '' : number(row.roots),
    row.types === 0 ? '' : number(row.types),
    number(row.typeBytes),
    number(row.stringBytes),
    number(row.bytes),
    percent(row.bytes, report.full.bytes),
  ]);
  rows.push(['sum', '', '', '', '', number(report.full.bytes), '']);
  return {
    title: 'Why it stays, each byte of the full BTF counted once',
    head: ['reason', 'roots', 'types', 'type bytes', 'string bytes', 'bytes', 'share'],
    rows,
  };
}

export function kindTable(report: Report): Table {
  return {
    title: 'By kind (records, without strings)',
    head: ['kind', 'full types', 'bytes', 'base types', 'bytes', 'rest types', 'bytes'],
    rows: report.kinds.map(({ kind, full, base, rest }) => [
      kind,
      ...[full, base, rest].flatMap(count => [number(count.types), number(count.bytes)]),
    ]),
  };
}

export function largestTable(report: Report): Table {
  return {
    title: 'The largest types (records, without strings)',
    head: ['type', 'id', 'bytes', 'side'],
    rows: report.largest.map(type => [
      `${type.kind} ${type.name === '' ? '(anonymous)' : type.name}`,
      number(type.id),
      number(type.bytes),
      type.side,
    ]),
  };
}

const PER: readonly (readonly [per: RetainedRow['per'], title: string])[] = [
  ['reason', 'What would leave the base without one reason'],
  ['subsystem', 'What would leave the base without one subsystem'],
  ['set', 'What would leave the base without one set'],
  ['rule', 'What each keep rule costs'],
  ['root', 'What would leave the base without one root'],
];

/** Tables of what retains how much; of roots the first `most`. None for a report without an analysis. */
export function retainedTables(report: Report, most: number): Table[] {
  const rows = report.analysis?.retained ?? [];
  return PER.map(([per, title]) => ({
    title,
    head: [per, 'roots', 'types', 'bytes', 'of the base'],
    rows: rows
      .filter(row => row.per === per)
      .slice(0, most)
      .map(({ name, roots, types, bytes }) => [
        name,
        number(roots),
        number(types),
        number(bytes),
        percent(bytes, report.base.bytes),
      ]),
  })).filter(table => table.rows.length > 0);
}

/** Types that several modules have; undefined where none are known. */
export function duplicatesTable({ modules }: Report): Table | undefined {
  const duplicates = modules?.duplicates;
  if (duplicates === undefined || duplicates.rows.length === 0) return undefined;
  return {
    title: `Types of which several modules have a copy (${number(duplicates.bytes)} bytes in ${number(duplicates.types)} copies more than one)`,
    head: ['type', 'modules', 'bytes of all copies but one'],
    rows: duplicates.rows.map(({ kind, name, modules, bytes }) => [
      `${kind} ${name === '' ? '(anonymous)' : name}`,
      number(modules),
      number(bytes),
    ]),
  };
}

/** All tables of a report, in their order; of what single roots retain the first `most`. */
export function reportTables(report: Report, most: number): Table[] {
  return [
    sizeTable(report),
    imageTable(report),
    modulesTable(report),
    duplicatesTable(report),
    reasonTable(report),
    kindTable(report),
    largestTable(report),
    ...retainedTables(report, most),
  ].filter(table => table !== undefined);
}

/** The headline as a sentence. */
export function headSentence(report: Report, mark = ''): string {
  return `O${headline(report, mark).slice(1)}.`;
}

/** What was there, and what of it must stay, with `mark` around that. */
export function headline(report: Report, mark = ''): string {
  const { full, base, forward } = report;
  const types = inputTypes(report);
  const bytes = full.bytes - (forward?.bytes ?? 0);
  const stays = `${number(base.types)} types in ${number(base.bytes)} bytes (${percent(base.bytes, bytes)})`;
  return `of ${number(types)} types in ${number(bytes)} bytes, ${mark}${stays}${mark} must stay`;
}

const MODES = {
  keep: 'all their types',
  prune: 'what they register',
  strip: 'no types',
} as const;

export function modulesTable(report: Report): Table | undefined {
  const { modules } = report;
  if (modules === undefined) return undefined;
  const row = (name: string, before: Count, after: Count, copied: number, signature: string): string[] => [
    name,
    ...[before.types, before.bytes, after.types, after.bytes, copied].map(number),
    signature,
  ];
  return {
    title: `Modules, re-based with ${MODES[modules.mode]} (BTF)`,
    head: ['module', 'types before', 'bytes', 'types after', 'bytes', 'copied', 'signature'],
    rows: [
      ...modules.rows.map(({ name, before, after, copied, signature }) => row(name, before, after, copied, signature)),
      row(
        'sum',
        modules.before,
        modules.after,
        modules.rows.reduce((sum, { copied }) => sum + copied, 0),
        '',
      ),
    ],
  };
}

/** What a reader must know before using the result, in plain sentences. */
export function notes(report: Report): string[] {
  const lines: string[] = [];
  const { image, forward } = report;
  if (forward !== undefined)
    lines.push(
      `Closure forward: ${number(forward.forwards)} structs and unions that the base only points to are forward declarations there and defined in the rest,`,
      `and ${number(forward.copies)} nameless types stand in both: ${number(forward.bytes)} bytes that the input has not. Programs cannot walk such pointers from the base.`,
    );
  if (image?.linked === true)
    lines.push(
      `This kernel was linked with the base: besides flash it saves ${number(image.ramSaved)} bytes of RAM, ${number(report.input.btfBytes - report.base.bytes)} of them in its image,`,
      'until vmlinux_btf.ko is loaded. "Before" is this image with the whole BTF in the place of the base.',
      'Install it together with the modules of this build and no others: each refers to the types of this base.',
    );
  else if (image !== undefined) {
    lines.push(
      'This split was made after the link. It saves flash once the boot image is compressed again; the section keeps its size, so it does not save RAM,',
      `but for the kernel's own index of the types: ${number(image.ramSaved)} bytes. A kernel linked with the base would save another ${number(image.ramSavedByRelinking)} bytes of RAM.`,
      moduleNote(report),
    );
  }
  for (const [name, command] of Object.entries(report.compressors))
    if (command.startsWith('not measured')) lines.push(`${name}: ${command}.`);
  return lines;
}

function moduleNote({ modules, base }: Report): string {
  if (modules === undefined)
    return 'Modules that were built before this split are refused by the split kernel ("failed to validate module", -22) until they are re-based: pass their folder with --modules.';
  const [was, is] = [modules.before.bytes, modules.after.bytes];
  return `Install the modules of out/modules together with this kernel: neither works with those of before. Their BTF went from ${number(was)} to ${number(is)} bytes; with the base, ${number(base.bytes + is)} bytes are on the device before vmlinux_btf.ko is.`;
}
