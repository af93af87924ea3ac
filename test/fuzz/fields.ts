import { type Field, Numbers, type Width } from './field.js';
import { btfFields, extFields } from './fields-btf.js';

/** Every field of a valid file: an ELF file with what is in it, or bare BTF; none of other files. */
export function fieldsOf(bytes: Uint8Array): Field[] {
  const magic = (bytes[0] << 8) | bytes[1];
  if (magic === 0x7f45) return elfFields(bytes);
  if (magic === 0x9feb) return btfFields(bytes, 'little');
  return magic === 0xeb9f ? btfFields(bytes, 'big') : [];
}

const WIDTHS: Readonly<Record<string, Width>> = { b: 1, h: 2, w: 4, x: 8 };

/** Offset and width (b 1, h 2, w 4, x 8 bytes) of the fields of each structure of the gABI, by class. */
const SHAPES = {
  32: {
    ehdr: '4b 5b 16h 18h 28w 32w 36w 42h 44h 46h 48h 50h',
    shdr: '0w 4w 8w 12w 16w 20w 24w 28w 32w 36w',
    phdr: '0w 4w 8w 12w 16w 20w',
    sym: '0w 4w 8w 12b 13b 14h',
    rel: '0w 4w',
    rela: '0w 4w 8w',
  },
  64: {
    ehdr: '4b 5b 16h 18h 32x 40x 48w 54h 56h 58h 60h 62h',
    shdr: '0w 4w 8x 16x 24x 32x 40w 44w 48x 56x',
    phdr: '0w 8x 16x 24x 32x 40x',
    sym: '0w 4b 5b 6h 8x 16x',
    rel: '0x 8x',
    rela: '0x 8x 16x',
  },
} as const;

type Shape = keyof (typeof SHAPES)[32];

const ENTRY_BYTES: Readonly<Record<32 | 64, Readonly<Record<Shape, number>>>> = {
  32: { ehdr: 52, shdr: 40, phdr: 32, sym: 16, rel: 8, rela: 12 },
  64: { ehdr: 64, shdr: 64, phdr: 56, sym: 24, rel: 16, rela: 24 },
};

/** SHT_* of tables. */
const TABLES: Readonly<Record<number, Shape>> = { 2: 'sym', 4: 'rela', 9: 'rel' };
/** More of one table says nothing new: the mutations choose among these. */
const MOST_ENTRIES = 400;
const SHT_PROGBITS = 1;
const SHT_NOBITS = 8;
const SHN_XINDEX = 0xffff;

class ElfFields {
  readonly found: Field[] = [];
  readonly numbers: Numbers;
  readonly class: 32 | 64;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.class = bytes[4] === 2 ? 64 : 32;
    this.numbers = new Numbers(bytes, bytes[5] === 1 ? 'little' : 'big');
  }

  structure(shape: Shape, base: number): void {
    for (const [offset, width] of this.shape(shape))
      this.found.push({ group: shape, at: base + offset, width, order: this.numbers.order });
  }

  table(shape: Shape, base: number, bytes: number): void {
    const entry = ENTRY_BYTES[this.class][shape];
    const count = Math.min(Math.floor(bytes / entry), MOST_ENTRIES);
    for (let i = 0; i < count; i++) this.structure(shape, base + i * entry);
  }

  shape(shape: Shape): (readonly [number, Width])[] {
    return SHAPES[this.class][shape].split(' ').map(text => [Number.parseInt(text, 10), WIDTHS[text.at(-1) ?? 'b']]);
  }

  /** The nth field of a structure. */
  read(shape: Shape, base: number, nth: number): number {
    const [offset, width] = this.shape(shape)[nth];
    return this.numbers.at(base + offset, width);
  }

  words(group: string, base: number, bytes: number): void {
    const width = group === 'pointer' && this.class === 64 ? 8 : 4;
    const end = base + Math.min(bytes, MOST_ENTRIES * width);
    for (let at = base; at + width <= end; at += width)
      this.found.push({ group, at, width, order: this.numbers.order });
  }

  nested(fields: readonly Field[], base: number): void {
    for (const field of fields) this.found.push({ ...field, at: base + field.at });
  }

  name(strings: number, offset: number): string {
    const start = strings + offset;
    return Buffer.from(this.#bytes.subarray(start, this.#bytes.indexOf(0, start))).toString('latin1');
  }

  cut(offset: number, size: number): Uint8Array {
    return this.#bytes.subarray(offset, offset + size);
  }
}

function elfFields(bytes: Uint8Array): Field[] {
  const elf = new ElfFields(bytes);
  elf.structure('ehdr', 0);
  const [phoff, shoff] = [elf.read('ehdr', 0, 4), elf.read('ehdr', 0, 5)];
  const phnum = elf.read('ehdr', 0, 8);
  // Counts that do not fit into 16 bits stand in section 0.
  const shnum = elf.read('ehdr', 0, 10) || elf.read('shdr', shoff, 5);
  const index = elf.read('ehdr', 0, 11);
  const shstrndx = index === SHN_XINDEX ? elf.read('shdr', shoff, 6) : index;
  const entry = ENTRY_BYTES[elf.class];
  elf.table('phdr', phoff, phnum * entry.phdr);
  elf.table('shdr', shoff, shnum * entry.shdr);
  const names = elf.read('shdr', shoff + shstrndx * entry.shdr, 4);
  for (let i = 1; i < shnum; i++) {
    const header = shoff + i * entry.shdr;
    const [name, type, , , offset, size] = Array.from({ length: 6 }, (_, nth) => elf.read('shdr', header, nth));
    if (type === SHT_NOBITS) continue;
    addContents(elf, elf.name(names, name), type, offset, size);
  }
  return elf.found;
}

function addContents(elf: ElfFields, name: string, type: number, offset: number, size: number): void {
  const table = TABLES[type];
  if (table !== undefined) elf.table(table, offset, size);
  else if (name === '.BTF' || name === '.BTF.base')
    elf.nested(btfFields(elf.cut(offset, size), elf.numbers.order), offset);
  else if (name === '.BTF.ext') elf.nested(extFields(elf.cut(offset, size), elf.numbers.order), offset);
  else if (name === '.BTF_ids') elf.words('ids', offset, size);
  else if (type === SHT_PROGBITS && /data|modinfo|this_module|versions/.test(name)) elf.words('pointer', offset, size);
}
