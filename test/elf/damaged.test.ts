import test from 'ava';
import fc from 'fast-check';
import { MemorySource } from '../../plugin/bytes/source.js';
import { ELF_SIZES, SHT_NOBITS } from '../../plugin/elf/constants.js';
import { readIdentity } from '../../plugin/elf/elfy.js';
import { ElfFile } from '../../plugin/elf/file.js';
import { SymbolTable } from '../../plugin/elf/symbols.js';
import { CodedError } from '../../plugin/errors.js';
import { huge64, lies, Patch, shnum, shoff, shstrndx } from './damage.js';
import { sampleBytes, targets } from './samples.js';

/** Everything that a hostile file can reach: headers, segments, symbols, the data of every section. */
function readAll(bytes: Uint8Array): void {
  const elf = ElfFile.open(new MemorySource(bytes, 'bad.o'));
  elf.segments();
  for (const section of elf.sections) if (section.type !== 0 && section.type !== SHT_NOBITS) elf.data(section);
  const symbols = SymbolTable.read(elf);
  for (let index = 0; index < symbols.count; index++) symbols.at(index);
  for (const section of elf.sections) [...symbols.inSection(section)];
}

for (const target of targets) {
  for (const { what, tell, code, section } of target.class === 64 ? [...lies, ...huge64] : lies) {
    test(`${what} is ${code} in a ${target.label} file`, t => {
      const { bytes } = tell(new Patch(target));
      const error = t.throws(() => readAll(bytes), { instanceOf: CodedError });
      t.is(error?.code, code);
      t.is(error?.place.file, 'bad.o');
      if (section !== undefined) t.is(error?.place.section, section);
    });
  }

  test(`a ${target.label} file cut anywhere is a coded error`, t => {
    const whole = sampleBytes(target);
    t.notThrows(() => readAll(whole));
    for (let length = 0; length < whole.length; length++) {
      const error = t.throws(() => readAll(whole.slice(0, length)), { instanceOf: CodedError });
      // The section headers come last: they are missed first.
      if (error?.code !== (length < 4 ? 'elf-not' : 'file-truncated')) return t.fail(`${length} bytes: ${error?.code}`);
    }
  });

  test(`any bytes changed in a ${target.label} file give a result or a coded error`, t => {
    const whole = sampleBytes(target);
    const { shoff: table } = ElfFile.open(new MemorySource(whole, 'good.o')).header;
    const anywhere = fc.nat(whole.length - 1);
    const offset = fc.oneof(anywhere, fc.nat(63), fc.integer({ min: table, max: whole.length - 1 }));
    const value = fc.oneof(fc.nat(255), fc.constantFrom(0, 1, 0x7f, 0x80, 0xff));
    const changes = fc.array(fc.tuple(offset, value), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(changes, list => {
        const bytes = whole.slice();
        for (const [at, to] of list) bytes[at] = to;
        const source = new MemorySource(bytes, 'bad.o');
        resultOrCoded(() => readAll(bytes));
        resultOrCoded(() => readIdentity(source));
      }),
      { numRuns: 2000 },
    );
    t.pass();
  });
}

function resultOrCoded(read: () => void): void {
  try {
    read();
  } catch (error) {
    if (!(error instanceof CodedError)) throw error;
  }
}

test('what is no ELF file is elf-not', t => {
  for (const bytes of [[], [0x7f], [0x1f, 0x8b, 8, 0], [0x7f, 0x45, 0x4c, 0x47, 1, 1, 1]]) {
    const error = t.throws(() => readAll(Uint8Array.from(bytes)), { instanceOf: CodedError });
    t.is(error?.code, 'elf-not');
  }
});

test.serial('a lying count allocates nothing', t => {
  const small = new Patch(targets[2]).half(...shnum, 0).section('', 'size', 1n << 40n).bytes;
  const before = process.memoryUsage();
  t.throws(() => readAll(small), { instanceOf: CodedError });
  const after = process.memoryUsage();
  t.true(after.arrayBuffers - before.arrayBuffers < 1 << 20);
  t.true(after.heapUsed - before.heapUsed < 32 << 20);
});

test('sections that all share one long name are refused before they cost memory', t => {
  const target = targets[0];
  const count = 10_000;
  const long = 1 << 20;
  const { ehdr, shdr } = ELF_SIZES[32];
  const bytes = new Uint8Array(ehdr + count * shdr + long).fill(0x61, ehdr + count * shdr);
  bytes.set(sampleBytes(target).subarray(0, ehdr));
  bytes[bytes.length - 1] = 0;
  const view = new DataView(bytes.buffer);
  view.setUint32(shoff[0], ehdr, true);
  view.setUint16(shnum[0], count, true);
  view.setUint16(shstrndx[0], 1, true);
  for (let index = 0; index < count; index++) view.setUint32(ehdr + index * shdr, index, true);
  const names = ehdr + shdr;
  view.setUint32(names + 4, 3, true);
  view.setUint32(names + 16, ehdr + count * shdr, true);
  view.setUint32(names + 20, long, true);
  const error = t.throws(() => ElfFile.open(new MemorySource(bytes, 'bad.o')), { instanceOf: CodedError });
  t.is(error?.code, 'elf-sections');
});
