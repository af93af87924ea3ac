import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** What readelf says of a file. Numbers as it prints them, hexadecimal or decimal, made into one form. */
export interface ReadelfHeader {
  readonly class: number;
  readonly order: string;
  readonly osabi: number;
  /** The first word, such as `REL`. */
  readonly type: string;
  readonly entry: bigint;
  readonly counts: Readonly<
    Record<'phoff' | 'shoff' | 'phentsize' | 'phnum' | 'shentsize' | 'shnum' | 'shstrndx', number>
  >;
  readonly flags: number;
}

/** objcopy leaves the .dynsym of RISC-V's vmlinux.relocs with section symbols behind its sh_info. */
const FIXTURE_WARNING = /^readelf: Warning: local symbol \d+ found at index >= \.dynsym's sh_info value of \d+\n/gm;

/** Runs readelf with `-W`; throws when it fails or writes one warning. */
export function readelf(flags: string, path: string): string {
  const run = spawnSync('readelf', [flags, '-W', path], {
    encoding: 'latin1',
    env: { ...process.env, LC_ALL: 'C' },
    maxBuffer: 512 * 1024 * 1024,
  });
  const complaints = run.stderr.replace(FIXTURE_WARNING, '');
  if (run.status !== 0 || complaints !== '') throw new Error(`readelf ${flags} ${path}: ${complaints}`);
  return run.stdout;
}

/** The number after a label; `0 (66008)` is readelf's way to show extended numbering. */
function field(text: string, label: string): number {
  const found = new RegExp(`^  ${label}: +(\\S+)(?: \\((\\d+)\\))?`, 'm').exec(text);
  return Number(found?.[2] ?? found?.[1]?.replace(/,$/, ''));
}

export function readelfHeader(path: string): ReadelfHeader {
  const text = readelf('-h', path);
  const magic = /Magic: +([0-9a-f ]+)/.exec(text)?.[1]?.split(' ') ?? [];
  return {
    class: Number(/Class: +ELF(\d+)/.exec(text)?.[1]),
    order: / (little|big) endian/.exec(text)?.[1] ?? '',
    osabi: Number.parseInt(magic[7] ?? '', 16),
    type: /Type: +(\w+)/.exec(text)?.[1] ?? '',
    entry: BigInt(/Entry point address: +(\S+)/.exec(text)?.[1] ?? -1),
    flags: field(text, 'Flags'),
    counts: {
      phoff: field(text, 'Start of program headers'),
      shoff: field(text, 'Start of section headers'),
      phentsize: field(text, 'Size of program headers'),
      phnum: field(text, 'Number of program headers'),
      shentsize: field(text, 'Size of section headers'),
      shnum: field(text, 'Number of section headers'),
      shstrndx: field(text, 'Section header string table index'),
    },
  };
}

/** readelf's names of section types; the numbers from 0x70000000 on belong to the machine. */
const SECTION_TYPES = new Map<number, string>([
  ...[
    'NULL',
    'PROGBITS',
    'SYMTAB',
    'STRTAB',
    'RELA',
    'HASH',
    'DYNAMIC',
    'NOTE',
    'NOBITS',
    'REL',
    'SHLIB',
    'DYNSYM',
  ].entries(),
  [14, 'INIT_ARRAY'],
  [15, 'FINI_ARRAY'],
  [16, 'PREINIT_ARRAY'],
  [17, 'GROUP'],
  [18, 'SYMTAB SECTION INDICES'],
  [19, 'RELR'],
  [0x6fff_fff5, 'GNU_ATTRIBUTES'],
  [0x6fff_fff6, 'GNU_HASH'],
  [0x6fff_fffd, 'VERDEF'],
  [0x6fff_fffe, 'VERNEED'],
  [0x6fff_ffff, 'VERSYM'],
  [0x7000_0001, 'ARM_EXIDX'],
  [0x7000_0003, 'ARM_ATTRIBUTES'],
  [0x7000_0005, 'MIPS_DEBUG'],
  [0x7000_0006, 'MIPS_REGINFO'],
  [0x7000_000d, 'MIPS_OPTIONS'],
  [0x7000_001e, 'MIPS_DWARF'],
  [0x7000_002a, 'MIPS_ABIFLAGS'],
]);

export function sectionTypeName(type: number): string {
  return SECTION_TYPES.get(type) ?? `type 0x${type.toString(16)}`;
}

const SECTION_LINE = new RegExp(
  `^ *\\[ *(\\d+)\\] (.*?) +(${[...SECTION_TYPES.values()].join('|')}) +([0-9a-f]+) ([0-9a-f]+) ([0-9a-f]+) ([0-9a-f]+) +` +
    '([A-Za-z]*) +(\\d+) +(\\d+) +(\\d+)$',
);

/** One line a section: index, name, type, addr, offset, size, entsize, link, info, align. */
export function readelfSections(path: string): readonly string[] {
  return readelf('-S', path)
    .split('\n')
    .filter(line => /^ *\[ *\d+\]/.test(line))
    .map(line => {
      const found = SECTION_LINE.exec(line);
      if (found === null) return `unreadable: ${line}`;
      const [, index, name, type, addr, offset, size, entsize, , link, info, align] = found;
      const hex = [addr, offset, size, entsize].map(digits => BigInt(`0x${digits}`));
      return [index, name, type, ...hex, link, info, align].join(' ');
    });
}

/** Bytes of a section, where readelf finds it; throws when there is none of that name. */
export function sectionBytes(path: string, name: string): Buffer {
  const line = readelfSections(path).find(text => text.split(' ')[1] === name);
  if (line === undefined) throw new Error(`${path} has no section ${name}`);
  const [, , , , offset, size] = line.split(' ');
  return readFileSync(path).subarray(Number(offset), Number(offset) + Number(size));
}

const SYMBOL_LINE = /^ *(\d+): ([0-9a-f]+) +(\S+) (\S+) +(\S+) +\S+ +(?:\[.*?\] +)?(\S+) (.*)$/;

/** One line a symbol of .symtab: index, value, size, type, binding, section, name. Undefined without a .symtab. */
export function readelfSymbols(path: string): readonly string[] | undefined {
  const table = /^Symbol table '\.symtab' .*\n.*\n((?:.+\n)*)/m.exec(readelf('-s', path))?.[1];
  return table
    ?.trimEnd()
    .split('\n')
    .map(line => {
      const found = SYMBOL_LINE.exec(`${line} `);
      if (found === null) return `unreadable: ${line}`;
      const [, index, value, size, type, bind, section, name] = found;
      return [index, BigInt(`0x${value}`), BigInt(size ?? -1), type, bind, section, name?.trimEnd()].join(' ');
    });
}

const SYMBOL_TYPES = new Map([
  ...['NOTYPE', 'OBJECT', 'FUNC', 'SECTION', 'FILE', 'COMMON', 'TLS'].entries(),
  [10, 'IFUNC'],
]);
const BINDINGS = new Map([...['LOCAL', 'GLOBAL', 'WEAK'].entries(), [10, 'UNIQUE']]);
const RESERVED_SECTIONS = new Map([
  [0xfff1, 'ABS'],
  [0xfff2, 'COM'],
]);

export function symbolTypeName(type: number): string {
  return SYMBOL_TYPES.get(type) ?? `type ${type}`;
}

export function bindingName(bind: number): string {
  return BINDINGS.get(bind) ?? `binding ${bind}`;
}

export function reservedSectionName(index: number): string {
  return RESERVED_SECTIONS.get(index) ?? String(index);
}
