import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import fc from 'fast-check';
import { MemorySource } from '../../plugin/bytes/source.js';
import { SHT_NOBITS, SHT_NULL } from '../../plugin/elf/constants.js';
import { ElfFile } from '../../plugin/elf/file.js';
import { proveResized, resizeSections, type SectionChange } from '../../plugin/elf/resize-sections.js';
import { fixture } from '../support/fixtures.js';
import { KERNELS } from '../support/kernels.js';
import { scratchFolder } from '../support/scratch.js';
import { haveTool } from '../support/tools.js';
import { readelf, readelfHeader, readelfSections } from './readelf.js';
import { sampleBytes, targets } from './samples.js';

const folder = scratchFolder(test, 'resize');

const OBJECTS = [
  ...targets.map(target => ({ label: target.label, bytes: sampleBytes(target) })),
  ...KERNELS.flatMap(kernel =>
    ['tcp_bbr.ko', 'dummy.ko'].map(name => ({
      label: `${kernel}/${name}`,
      bytes: new Uint8Array(readFileSync(fixture(`${kernel}/${name}`))),
    })),
  ),
];

function resized(bytes: Uint8Array, changes: readonly SectionChange[]): Buffer {
  return Buffer.concat([...resizeSections(ElfFile.open(new MemorySource(bytes, 'before')), changes)]);
}

/** The bytes of each section by its number, cut out of the file where readelf says that they are. */
function contents(path: string): { line: string; bytes: Buffer }[] {
  const file = readFileSync(path);
  return readelfSections(path).map(line => {
    const [index, name, type, addr, offset, size, ...rest] = line.split(' ');
    const bytes = type === 'NOBITS' ? Buffer.alloc(0) : file.subarray(Number(offset), Number(offset) + Number(size));
    return { line: [index, name, type, addr, ...rest].join(' '), bytes };
  });
}

for (const { label, bytes } of OBJECTS) {
  test(`${label}: whatever sections grow or shrink, readelf finds all others as they were`, t => {
    const before = join(folder, 'before.o');
    const after = join(folder, `${label.replaceAll(/\W/g, '-')}.o`);
    writeFileSync(before, bytes);
    const elf = ElfFile.open(new MemorySource(bytes, label));
    const sections = elf.sections.filter(
      ({ type, size, name }) =>
        type !== SHT_NULL && type !== SHT_NOBITS && size > 0 && /^\.(BTF|text|data|mod|plt)/.test(name),
    );
    t.true(sections.length > 1);
    const was = contents(before);
    fc.assert(
      fc.property(
        fc.array(fc.option(fc.uint8Array({ maxLength: 700 }), { nil: undefined, freq: 2 }), {
          minLength: sections.length,
          maxLength: sections.length,
        }),
        replacements => {
          const changes = sections.flatMap((section, i) => {
            const replacement = replacements[i];
            return replacement === undefined ? [] : [{ section, bytes: replacement }];
          });
          const result = resized(bytes, changes);
          writeFileSync(after, result);
          proveResized(elf, ElfFile.open(new MemorySource(result, 'after')), changes);
          const is = contents(after);
          t.deepEqual(
            is.map(({ line }) => line),
            was.map(({ line }) => line),
          );
          for (const [index, { bytes: content }] of is.entries()) {
            const change = changes.find(({ section }) => section.index === index);
            t.is(Buffer.compare(content, change === undefined ? was[index].bytes : change.bytes), 0, was[index].line);
          }
          for (const line of readelfSections(after)) {
            const [, , type, , offset, size, , , , align] = line.split(' ');
            if (type === 'NOBITS') continue;
            if (Number(size) > 0 && Number(align) > 1) t.is(Number(offset) % Number(align), 0, line);
          }
          const { shoff: oldTable, ...oldCounts } = readelfHeader(before).counts;
          const { shoff: newTable, ...newCounts } = readelfHeader(after).counts;
          t.deepEqual(newCounts, oldCounts);
          if (changes.length === 0) t.is(newTable, oldTable);
        },
      ),
      { numRuns: 25 },
    );
    t.notThrows(() => readelf('-a', after));
  });

  test(`${label}: without a change, and with one of equal length, the file is the same but for those bytes`, t => {
    t.is(Buffer.compare(resized(bytes, []), bytes), 0);
    const elf = ElfFile.open(new MemorySource(bytes, label));
    const section = elf.section('.BTF');
    const other = Uint8Array.from(elf.data(section), byte => byte ^ 0xff);
    const expected = Buffer.from(bytes);
    expected.set(other, section.offset);
    t.is(Buffer.compare(resized(bytes, [{ section, bytes: other }]), expected), 0);
  });
}

test('what stands before the first change does not move, and bytes behind the last header are kept', t => {
  const bytes = Buffer.concat([sampleBytes(targets[2]), Buffer.from('behind all')]);
  const elf = ElfFile.open(new MemorySource(bytes, 'sample'));
  const section = elf.section('.BTF');
  const result = resized(bytes, [{ section, bytes: new Uint8Array(1000).fill(1) }]);
  t.is(Buffer.compare(result.subarray(64, section.offset), bytes.subarray(64, section.offset)), 0);
  t.is(result.subarray(-10).toString(), 'behind all');
});

test('a module with a longer .BTF is one that binutils can still work on', t => {
  if (!haveTool(t, 'arm-linux-gnueabihf-objdump', 'binutils-arm-linux-gnueabihf')) return;
  const path = fixture('armv7-virt/tcp_bbr.ko');
  const bytes = readFileSync(path);
  const elf = ElfFile.open(new MemorySource(bytes, path));
  const after = join(folder, 'longer.ko');
  writeFileSync(after, resized(bytes, [{ section: elf.section('.BTF'), bytes: new Uint8Array(9999) }]));
  for (const [tool, ...args] of [
    ['arm-linux-gnueabihf-objdump', '-dr', after],
    ['arm-linux-gnueabihf-objcopy', '--strip-debug', after, `${after}.stripped`],
  ]) {
    const run = spawnSync(tool, args, { encoding: 'latin1', maxBuffer: 1 << 28 });
    t.is(`${run.status} ${run.stderr}`, '0 ');
  }
  const disassembly = (file: string): string =>
    spawnSync('arm-linux-gnueabihf-objdump', ['-dr', file], { encoding: 'latin1', maxBuffer: 1 << 28 }).stdout ?? '';
  t.is(disassembly(after).replaceAll(after, ''), disassembly(path).replaceAll(path, ''));
});

test('overlapping sections and bytes of no section are refused', t => {
  const target = targets[0];
  const bytes = Buffer.from(sampleBytes(target));
  const elf = ElfFile.open(new MemorySource(bytes, 'sample'));
  const data = elf.section('.data');
  const header = elf.header.shoff + data.index * 40;
  const overlapping = Buffer.from(bytes);
  overlapping.writeUInt32LE(elf.section('.text').offset + 1, header + 16);
  t.throws(() => resized(overlapping, []), { message: /overlap/ });
  const stray = Buffer.from(bytes);
  stray[data.offset - 1] = 1;
  t.throws(() => resized(stray, []), { message: /belongs to no section/ });
  const executable = Buffer.from(bytes);
  executable.writeUInt16LE(2, 16);
  t.throws(() => resized(executable, []), { message: /relocatable/ });
});

test('the proof finds any byte that is another', t => {
  const bytes = sampleBytes(targets[1]);
  const elf = ElfFile.open(new MemorySource(bytes, 'sample'));
  const changes = [{ section: elf.section('.BTF'), bytes: new Uint8Array(50).fill(3) }];
  const result = resized(bytes, changes);
  const inGaps = new Set<number>();
  let covered = 52;
  const after = ElfFile.open(new MemorySource(result, 'after'));
  const places = [
    ...after.sections.filter(({ type, size }) => type !== SHT_NOBITS && size > 0),
    { offset: after.header.shoff, size: after.sections.length * 40 },
  ].sort((a, b) => a.offset - b.offset);
  for (const { offset, size } of places) {
    for (let at = covered; at < offset; at++) inGaps.add(at);
    covered = offset + size;
  }
  let found = 0;
  for (let at = 16; at < result.length; at++) {
    if (inGaps.has(at)) continue;
    const broken = Buffer.from(result);
    broken[at] ^= 0x40;
    try {
      proveResized(elf, ElfFile.open(new MemorySource(broken, 'broken')), changes);
      t.log(`byte ${at} of ${result.length}`);
    } catch {
      found++;
    }
  }
  // Only where sections without bytes stand may differ, and the null section's own offset and size.
  t.true(found >= result.length - inGaps.size - 16 - 12, `${found} of ${result.length - inGaps.size - 16}`);
});
