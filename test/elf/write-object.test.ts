import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { MemorySource } from '../../plugin/bytes/source.js';
import { SHT_NOBITS, SHT_PROGBITS, SHT_SYMTAB } from '../../plugin/elf/constants.js';
import { ElfFile } from '../../plugin/elf/file.js';
import { SymbolTable } from '../../plugin/elf/symbols.js';
import { type ObjectFile, type ObjectSection, type ObjectSymbol, writeObject } from '../../plugin/elf/write-object.js';
import { haveTool } from '../support/tools.js';
import { readelf } from './readelf.js';
import { sampleBytes, sampleObject, targets } from './samples.js';

const folder = mkdtempSync(join(tmpdir(), 'vmlinux-btf-write-'));
test.after.always(() => rmSync(folder, { recursive: true, force: true }));

function open(bytes: Uint8Array): ElfFile {
  return ElfFile.open(new MemorySource(bytes, 'a.o'));
}

for (const target of targets) {
  test(`readelf has no warning for a ${target.label} object`, t => {
    if (!haveTool(t, 'readelf', 'binutils')) return;
    const path = join(folder, `${target.class}-${target.order}.o`);
    writeFileSync(path, sampleBytes(target));
    t.notThrows(() => readelf('-a', path));
    writeFileSync(path, writeObject({ ...sampleObject(target), sections: [], symbols: [] }));
    t.notThrows(() => readelf('-a', path), 'nor for one without sections and symbols');
  });

  test(`what was given comes back from a ${target.label} object`, t => {
    const object = sampleObject(target);
    const elf = open(writeObject(object));
    t.like(elf.header, { class: target.class, order: target.order, machine: target.machine, flags: target.flags });
    for (const { name, type, flags, align, entsize = 0, data } of object.sections) {
      const section = elf.sections.find(found => found.name === name);
      const size = typeof data === 'number' ? data : data.length;
      t.like(section, { type, flags, addralign: align, entsize, size, addr: 0n });
      if (section === undefined || typeof data === 'number') continue;
      t.is(section.offset % align, 0);
      t.deepEqual(Buffer.from(elf.data(section)), Buffer.from(data));
    }
    const table = SymbolTable.read(elf);
    for (const { section, ...symbol } of object.symbols) {
      const found = table.find(symbol.name);
      t.like(found, symbol);
      t.is(elf.sections[found?.section ?? -1]?.name, section ?? '');
    }
  });

  test(`locals come before globals, and sh_info says where, in a ${target.label} object`, t => {
    const elf = open(sampleBytes(target));
    const table = SymbolTable.read(elf);
    const names = Array.from({ length: table.count }, (_, index) => table.name(index));
    t.deepEqual(names, ['', 'local', 'high', 'main', 'printk', 'weak']);
    t.is(elf.sections.find(section => section.type === SHT_SYMTAB)?.info, 3);
  });
}

test('the same input gives the same bytes, and is not changed', t => {
  const object = sampleObject(targets[0]);
  const before = structuredClone(object);
  t.deepEqual(writeObject(object), writeObject(object));
  t.deepEqual(object, before);
});

test('names in Latin-1 come back, and equal names are stored once', t => {
  const base = sampleObject(targets[1]);
  const symbols = ['caf\xe9', 'caf\xe9'].map(name => ({ name, value: 0n, size: 0, type: 0, bind: 0 }));
  const elf = open(writeObject({ ...base, symbols }));
  t.is(SymbolTable.read(elf).name(2), 'caf\xe9');
  t.is(elf.section('.strtab').size, 6);
});

const section: ObjectSection = { name: 'x', type: SHT_PROGBITS, flags: 0, align: 1, data: Uint8Array.of(1) };
const symbol: ObjectSymbol = { name: 'x', section: '.text', value: 0n, size: 0, type: 0, bind: 0 };

const refused: readonly [string, Partial<ObjectFile>][] = [
  ['a section name given twice', { sections: [section, section], symbols: [] }],
  ["a section with the name of the writer's own", { sections: [{ ...section, name: '.symtab' }], symbols: [] }],
  ['a name with NUL', { symbols: [{ ...symbol, name: 'a\0b' }] }],
  ['a name beyond Latin-1', { symbols: [{ ...symbol, name: 'snow\u2603' }] }],
  ['a symbol of an unknown section', { symbols: [{ ...symbol, section: '.nowhere' }] }],
  ['a value beyond 32 bits', { symbols: [{ ...symbol, value: 1n << 32n }] }],
  ['a negative value', { symbols: [{ ...symbol, value: -1n }] }],
  ['a size that is no whole number', { symbols: [{ ...symbol, size: 0.5 }] }],
  ['a symbol type beyond 4 bits', { symbols: [{ ...symbol, type: 16 }] }],
  ['an alignment that is no power of two', { sections: [{ ...section, align: 3 }], symbols: [] }],
  ['an alignment of 0', { sections: [{ ...section, align: 0 }], symbols: [] }],
  ['bytes for NOBITS', { sections: [{ ...section, type: SHT_NOBITS }], symbols: [] }],
  ['a bare size for PROGBITS', { sections: [{ ...section, data: 4 }], symbols: [] }],
  ['a machine beyond 16 bits', { machine: 65_536 }],
  [
    '65,280 sections',
    { sections: Array.from({ length: 65_276 }, (_, i) => ({ ...section, name: `s${i}` })), symbols: [] },
  ],
];

for (const [what, change] of refused) {
  test(`${what} is a RangeError`, t => {
    t.throws(() => writeObject({ ...sampleObject(targets[0]), ...change }), { instanceOf: RangeError });
  });
}

test('65,279 sections are written', t => {
  const sections = Array.from({ length: 65_275 }, (_, i) => ({ ...section, name: `s${i}` }));
  t.is(open(writeObject({ ...sampleObject(targets[2]), sections, symbols: [] })).sections.length, 65_279);
});
