import { FileSource } from '../../plugin/bytes/source.js';
import { ET_DYN, ET_EXEC, ET_REL, SHT_SYMTAB } from '../../plugin/elf/constants.js';
import { readIdentity } from '../../plugin/elf/elfy.js';
import { ElfFile } from '../../plugin/elf/file.js';
import { SymbolTable } from '../../plugin/elf/symbols.js';
import {
  bindingName,
  readelfHeader,
  readelfSections,
  readelfSymbols,
  reservedSectionName,
  sectionTypeName,
  symbolTypeName,
} from './readelf.js';

const STT_SECTION = 3;
const TYPE_NAMES = new Map([
  [ET_REL, 'REL'],
  [ET_EXEC, 'EXEC'],
  [ET_DYN, 'DYN'],
]);

/**
 * Where elfy, our reader and readelf differ on a file: header, every section, every symbol. At most one line a
 * table, for a kernel has 100,000 symbols. Empty when they agree.
 */
export function disagreements(path: string): readonly string[] {
  const source = FileSource.open(path);
  try {
    const elf = ElfFile.open(source);
    return [
      ...headerDifferences(elf, path),
      ...sectionDifferences(elf, path),
      ...symbolDifferences(elf, path),
      ...elfyDifferences(elf),
    ];
  } finally {
    source.close();
  }
}

function headerDifferences(elf: ElfFile, path: string): readonly string[] {
  const { class: elfClass, order, osabi, type, machine, entry, flags, ...counts } = elf.header;
  const ours = { class: elfClass, order, osabi, type: TYPE_NAMES.get(type) ?? '', entry, counts, flags };
  return firstDifference('header', [flat(ours)], [flat(readelfHeader(path))]);
}

function flat(header: object): string {
  const entries = Object.entries(header).map(
    ([key, value]) => `${key} ${typeof value === 'object' ? flat(value) : value}`,
  );
  return entries.sort().join(', ');
}

function sectionDifferences(elf: ElfFile, path: string): readonly string[] {
  const ours = elf.sections.map(section =>
    [
      section.index,
      section.name,
      sectionTypeName(section.type),
      section.addr,
      section.offset,
      section.size,
      section.entsize,
      section.link,
      section.info,
      section.addralign,
    ].join(' '),
  );
  return firstDifference('section', ours, readelfSections(path));
}

function symbolDifferences(elf: ElfFile, path: string): readonly string[] {
  const theirs = readelfSymbols(path);
  if (!elf.sections.some(section => section.type === SHT_SYMTAB))
    return theirs === undefined ? [] : ['only readelf sees a .symtab'];
  const table = SymbolTable.read(elf);
  const ours = Array.from({ length: table.count }, (_, index) => {
    const { name, value, size, type, bind, section } = table.at(index);
    const shown = type === STT_SECTION && name === '' ? (elf.sections[section]?.name ?? '') : name;
    const numbers = [
      index,
      value,
      size,
      symbolTypeName(type),
      bindingName(bind),
      table.isReserved(index) ? reservedSectionName(section) : String(section || 'UND'),
    ];
    return [...numbers, printable(shown)].join(' ');
  });
  return firstDifference('symbol', ours, theirs ?? []);
}

/** Control characters as readelf shows them: GNU as names local labels `L0^A`. */
function printable(name: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return name.replace(/[\x01-\x1f]/g, control => `^${String.fromCharCode(control.charCodeAt(0) + 0x40)}`);
}

/** elfy against our reader, on what elfy is trusted with. */
function elfyDifferences(elf: ElfFile): readonly string[] {
  const { header, source } = elf;
  const identity = readIdentity(source);
  const same =
    identity.class === header.class &&
    identity.order === header.order &&
    identity.type === header.type &&
    (identity.machine === undefined || identity.machine === header.machine);
  return same ? [] : [`elfy's identity: ${flat(identity)}`];
}

function firstDifference(what: string, ours: readonly string[], theirs: readonly string[]): readonly string[] {
  if (ours.length !== theirs.length) return [`${what}s: ${ours.length} here, ${theirs.length} there`];
  const index = ours.findIndex((line, i) => line.trimEnd() !== theirs[i]?.trimEnd());
  return index < 0 ? [] : [`${what} ${index}: here <${ours[index]}>, there <${theirs[index]}>`];
}
