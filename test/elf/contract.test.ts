import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { MemorySource } from '../../plugin/bytes/source.js';
import { ET_REL } from '../../plugin/elf/constants.js';
import { readIdentity } from '../../plugin/elf/elfy.js';
import { ElfFile } from '../../plugin/elf/file.js';
import { SymbolTable } from '../../plugin/elf/symbols.js';
import { fixture, repository } from '../support/fixtures.js';
import { haveTool } from '../support/tools.js';
import { disagreements } from './contract.js';
import { manySections, sampleBytes, targets } from './samples.js';

const folder = mkdtempSync(join(tmpdir(), 'vmlinux-btf-elf-'));
test.after.always(() => rmSync(folder, { recursive: true, force: true }));

interface Manifest {
  readonly fixtures: readonly { readonly name: string }[];
}

const manifest = join(repository, 'test', 'fixtures', 'manifest.json');
const fixtures: Manifest = existsSync(manifest) ? JSON.parse(readFileSync(manifest, 'utf8')) : { fixtures: [] };

for (const { name } of fixtures.fixtures.filter(({ name }) => /(^|\/)vmlinux$|\.ko$/.test(name))) {
  test(`elfy, our reader and readelf agree on the kernel fixture ${name}`, t => {
    if (haveTool(t, 'readelf', 'binutils')) t.deepEqual(disagreements(fixture(name)), []);
  });
}

for (const target of targets) {
  test(`elfy, our reader and readelf agree on a ${target.label} object of our writer`, t => {
    if (!haveTool(t, 'readelf', 'binutils')) return;
    const path = join(folder, `${target.class}-${target.order}.o`);
    writeFileSync(path, sampleBytes(target));
    t.deepEqual(disagreements(path), []);
  });

  test(`elfy names class, byte order, type and machine of a ${target.label} object, where it knows them`, t => {
    const { class: elfClass, order, machine } = target;
    t.deepEqual(readIdentity(new MemorySource(sampleBytes(target), 'a.o')), {
      class: elfClass,
      order,
      type: ET_REL,
      machine,
    });
  });

  test(`more than 65,279 sections are counted and named in a ${target.label} object`, t => {
    if (!haveTool(t, 'readelf', 'binutils')) return;
    const path = join(folder, `many-${target.class}-${target.order}.o`);
    writeFileSync(path, manySections(target.class, target.order, 66_000));
    t.deepEqual(disagreements(path), []);
  });

  test(`symbols of sections beyond 65,279 are found through SHN_XINDEX in a ${target.label} object`, t => {
    const elf = ElfFile.open(new MemorySource(manySections(target.class, target.order, 66_000), 'many.o'));
    const symbols = SymbolTable.read(elf);
    const inSection = (index: number): string[] =>
      elf.sections.filter(s => s.index === index).flatMap(s => [...symbols.inSection(s)].map(symbol => symbol.name));
    t.is(elf.sections.length, 66_000);
    t.is(symbols.find('last')?.section, 65_999);
    t.deepEqual(inSection(65_999), ['last']);
    t.deepEqual(inSection(0xfff1), ['clash'], 'the section with the number of SHN_ABS holds no absolute symbol');
  });
}

test('elfy, our reader and readelf agree on a 64-bit program of the host', t => {
  if (haveTool(t, 'readelf', 'binutils')) t.deepEqual(disagreements('/bin/true'), []);
});

test('elfy, our reader and readelf agree on an object of the host compiler', t => {
  if (!haveTool(t, 'readelf', 'binutils') || !haveTool(t, 'gcc', 'gcc')) return;
  const source = join(folder, 'host.c');
  const object = join(folder, 'host.o');
  writeFileSync(
    source,
    'static int seen[3]; int shared; extern int other(void); int f(void) { return seen[0] + other(); }\n',
  );
  execFileSync('gcc', ['-g', '-fcommon', '-ffunction-sections', '-c', source, '-o', object]);
  t.deepEqual(disagreements(object), []);
});

test('elfy, our reader and readelf agree on 66,000 sections of the host assembler', t => {
  if (!haveTool(t, 'readelf', 'binutils') || !haveTool(t, 'as', 'binutils')) return;
  const source = join(folder, 'many.s');
  const object = join(folder, 'many.o');
  const lines = Array.from({ length: 66_000 }, (_, i) => `.section s${i},"a"\nx${i}: .byte 0\n`);
  writeFileSync(source, lines.join(''));
  execFileSync('as', [source, '-o', object]);
  t.deepEqual(disagreements(object), []);
});

test('elfy leaves a machine that it does not know to our reader', t => {
  const riscv = { ...targets[2], machine: 243 };
  const source = new MemorySource(sampleBytes(riscv), 'riscv.o');
  t.is(readIdentity(source).machine, undefined);
  t.is(ElfFile.open(source).header.machine, 243);
});

test('a file is read in pieces: no data of any section is touched to open it', t => {
  const bytes = sampleBytes(targets[0]);
  const memory = new MemorySource(bytes, 'a.o');
  const touched: [number, number][] = [];
  const source = {
    name: 'a.o',
    size: memory.size,
    read: (offset: number, length: number) => {
      touched.push([offset, length]);
      return memory.read(offset, length);
    },
  };
  const elf = ElfFile.open(source);
  const data = elf.section('.data');
  t.false(touched.some(([offset, length]) => offset < data.offset + data.size && offset + length > data.offset));
});
