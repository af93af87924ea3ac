import test from 'ava';
import fc from 'fast-check';
import { MemorySource } from '../../plugin/bytes/source.js';
import * as elf from '../../plugin/elf/constants.js';
import { ElfFile } from '../../plugin/elf/file.js';
import { Relocations } from '../../plugin/elf/relocations.js';
import { CodedError, type ErrorCode } from '../../plugin/errors.js';
import { type LinkedFile, type LinkedSection, linkedBytes, words } from '../support/linked-elf.js';
import { type Target, targets } from './samples.js';

/** Start of the data that the relocations write to, and its words: 0x1000, 0x1001 and so on. */
const DATA = 0x8000_0000n;
const COUNT = 300;
const RELATIVE: Readonly<Record<number, bigint>> = {
  [elf.EM_ARM]: 23n,
  [elf.EM_MIPS]: 3n,
  [elf.EM_AARCH64]: 1027n,
  [elf.EM_S390]: 12n,
};

function section(name: string, type: number, addr: bigint, data: Uint8Array, entsize: number): LinkedSection {
  return { name, type, flags: elf.SHF_ALLOC, align: 8, entsize, data, addr };
}

type Entry = readonly [place: bigint, info: bigint, value: bigint];

interface Made {
  readonly rela?: readonly Entry[];
  readonly rel?: readonly Entry[];
  readonly relr?: readonly bigint[];
}

/** A file with the given relocations; infos are numbers, not yet as 32-bit and 64-bit files compose them. */
function make(target: Target, { rela, rel, relr }: Made, change: Partial<LinkedFile> = {}): Uint8Array {
  const file: LinkedFile = { class: target.class, order: target.order, machine: target.machine, sections: [] };
  const word = target.class / 8;
  const contents = Array.from({ length: COUNT }, (_, i) => BigInt(0x1000 + i));
  const sections = [section('.data', elf.SHT_PROGBITS, DATA, words(file, ...contents), 0)];
  const add = (name: string, type: number, entsize: number, values: readonly bigint[]): void => {
    sections.push(section(name, type, 0x9000_0000n, words(file, ...values), entsize));
  };
  if (rela !== undefined) add('.rela.dyn', elf.SHT_RELA, word * 3, rela.flat());
  if (rel !== undefined)
    add(
      '.rel.dyn',
      elf.SHT_REL,
      word * 2,
      rel.flatMap(entry => entry.slice(0, 2)),
    );
  if (relr !== undefined) add('.relr.dyn', elf.SHT_RELR, word, relr);
  return linkedBytes({ ...file, sections, ...change });
}

const open = (bytes: Uint8Array): Relocations => Relocations.read(ElfFile.open(new MemorySource(bytes, 'vmlinux')));

for (const target of targets) {
  const { label, machine } = target;
  const word = BigInt(target.class / 8);
  const relative = RELATIVE[machine];
  const place = (index: number): bigint => DATA + BigInt(index) * word;
  const stored = (index: number): bigint => BigInt(0x1000 + index);
  const withSymbol = (type: bigint): bigint => type | (1n << (target.class === 64 ? 32n : 8n));
  const refused = (bytes: Uint8Array, index: number): CodedError | undefined => {
    try {
      open(bytes).readPointer(place(index));
    } catch (error) {
      if (error instanceof CodedError) return error;
      throw error;
    }
    return undefined;
  };

  test(`addends replace words, in any order of the entries: ${label}`, t => {
    const entries: Entry[] = [7, 3, 299, 0, 4].map(i => [place(i), relative, BigInt(0x7000 + i)]);
    for (const rela of [entries, entries.toReversed(), entries.toSorted((a, b) => Number(a[0] - b[0]))]) {
      const relocations = open(make(target, { rela }));
      for (let i = 0; i < COUNT; i++)
        t.is(relocations.readPointer(place(i)), [7, 3, 299, 0, 4].includes(i) ? BigInt(0x7000 + i) : stored(i));
    }
  });

  test(`an addend is as wide as a word: ${label}`, t => {
    const negative = open(make(target, { rela: [[place(0), relative, -16n]] })).readPointer(place(0));
    t.is(negative, BigInt.asUintN(target.class, -16n));
  });

  test(`REL and RELR leave the word in place: ${label}`, t => {
    const relocations = open(make(target, { rel: [[place(2), relative, 0n]], relr: [place(5), 0b111n] }));
    for (const i of [2, 5, 6, 7]) t.is(relocations.readPointer(place(i)), stored(i));
  });

  test(`NONE relocates nothing: ${label}`, t => {
    const nones: Entry[] = [
      [place(1), 0n, 9n],
      [place(1), withSymbol(0n), 9n],
    ];
    t.is(open(make(target, { rela: nones, rel: nones })).readPointer(place(1)), stored(1));
  });

  test(`a relocation of another kind is refused where it is read, and only there: ${label}`, t => {
    const other = relative + 1n;
    for (const made of [
      { rela: [[place(4), other, 1n]] },
      { rel: [[place(4), other, 0n]] },
      { rela: [[place(4), withSymbol(relative), 1n]] },
      { rela: [[place(4) + 1n, relative, 1n]] },
      { rela: [[place(4) - word + 1n, relative, 1n]] },
      {
        rela: [
          [place(4), relative, 1n],
          [place(4), relative, 2n],
        ],
      },
      { rela: [[place(4), relative, 1n]], rel: [[place(4), other, 0n]] },
    ] satisfies Made[]) {
      const bytes = make(target, made);
      const error = refused(bytes, 4);
      t.is(error?.code, 'elf-relocations');
      t.is(error?.place.file, 'vmlinux');
      t.is(refused(bytes, 40), undefined);
    }
  });

  test(`an ET_DYN file is a kernel when it has relocations: ${label}`, t => {
    const dynamic = { type: elf.ET_DYN };
    const bytes = make(target, { rela: [[place(4), relative, 0x77n]] }, dynamic);
    t.is(open(bytes).readPointer(place(4)), 0x77n);
    const without = t.throws(() => open(make(target, {}, dynamic)), { instanceOf: CodedError });
    t.is(without?.code, 'relocations-missing');
    t.is(open(make(target, {})).readPointer(place(4)), stored(4), 'one that is linked to its place needs none');
  });

  test(`RELR is taken when all its words lie in sections: ${label}`, t => {
    const bits = BigInt(target.class - 1);
    const good: readonly (readonly bigint[])[] = [
      [place(0)],
      [place(COUNT - 1)],
      [place(0), (1n << (bits + 1n)) - 1n, (1n << (bits + 1n)) - 1n],
      [place(COUNT - 2), 0b11n],
      [place(COUNT - 1), 1n, 1n, 1n],
      [place(8), 1n, place(2), 0b101n],
    ];
    for (const relr of good) t.notThrows(() => open(make(target, { relr })), String(relr));
    const top = (1n << BigInt(target.class)) - 2n;
    const bad: readonly (readonly bigint[])[] = [
      [0b11n],
      [0n],
      [top],
      [top, 0b11n],
      [place(COUNT)],
      [place(COUNT - 1), 0b11n],
      [place(COUNT - 2), 0b101n],
      [place(0), ...Array.from({ length: 12 }, () => 1n), 0b11n],
    ];
    for (const relr of bad) {
      // What lies behind the data is the relocations' own section: put it below.
      const bytes = make(target, { relr });
      const error = t.throws(() => openBelow(bytes, target), { instanceOf: CodedError }, String(relr));
      t.is(error?.code, 'elf-relocations');
      t.is(error?.place.section, '.relr.dyn');
    }
  });

  const lies: readonly (readonly [string, ErrorCode, Partial<LinkedSection>])[] = [
    ['an entry size of 0', 'elf-relocations', { entsize: 0 }],
    ['an entry size of REL', 'elf-relocations', { entsize: (target.class / 8) * 2 }],
    ['half an entry', 'elf-relocations', { data: new Uint8Array(target.class / 8) }],
    ['compressed entries', 'elf-relocations', { flags: elf.SHF_ALLOC | elf.SHF_COMPRESSED }],
  ];
  for (const [what, code, lie] of lies) {
    test(`${what} is ${code}: ${label}`, t => {
      const good = section(
        '.rela.dyn',
        elf.SHT_RELA,
        0n,
        new Uint8Array((target.class / 8) * 6),
        (target.class / 8) * 3,
      );
      const file = { class: target.class, order: target.order, machine };
      t.notThrows(() => open(linkedBytes({ ...file, sections: [good] })));
      const error = t.throws(() => open(linkedBytes({ ...file, sections: [{ ...good, ...lie }] })), {
        instanceOf: CodedError,
      });
      t.is(error?.code, code);
      t.is(error?.place.section, '.rela.dyn');
    });
  }

  test(`any bytes as relocations give a result or a coded error: ${label}`, t => {
    const value = fc.oneof(
      fc.bigInt({ min: 0n, max: (1n << BigInt(target.class)) - 1n }),
      fc.integer({ min: -8, max: COUNT + 8 }).map(place),
      fc.constantFrom(0n, 1n, relative, withSymbol(relative)),
    );
    const entry = fc.tuple(value, value, value);
    const made = fc.record({
      rela: fc.array(entry, { maxLength: 12 }),
      rel: fc.array(entry, { maxLength: 12 }),
      relr: fc.array(value, { maxLength: 12 }),
    });
    fc.assert(
      fc.property(made, relocations => {
        try {
          const read = open(make(target, relocations));
          for (let i = 0; i < COUNT; i += 7) read.readPointer(place(i));
        } catch (error) {
          if (!(error instanceof CodedError)) throw error;
        }
      }),
      { numRuns: 500 },
    );
    t.pass();
  });
}

/** Opens a file whose relocations lie below the data, so that nothing allocated follows it. */
function openBelow(bytes: Uint8Array, target: Target): Relocations {
  const file = ElfFile.open(new MemorySource(bytes, 'vmlinux'));
  const { shoff, shentsize } = file.header;
  const at = shoff + file.section('.relr.dyn').index * shentsize;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const addr = DATA - 0x1000n;
  if (target.class === 64) view.setBigUint64(at + 16, addr, target.order === 'little');
  else view.setUint32(at + 12, Number(addr), target.order === 'little');
  return open(bytes);
}

test('a 64-bit MIPS entry composes R_MIPS_REL32 and R_MIPS_64, as bytes of their own in either order', t => {
  for (const order of ['little', 'big'] as const) {
    const target: Target = { label: '', class: 64, order, machine: elf.EM_MIPS, flags: 0 };
    const place = DATA + 32n;
    /** The last four bytes of r_info: special symbol, third, second and first type. */
    const info = (...bytes: readonly [number, number, number, number]): bigint =>
      order === 'big' ? BigInt(Buffer.from(bytes).readUInt32BE()) : BigInt(Buffer.from(bytes).readUInt32LE()) << 32n;
    const read = (value: bigint): bigint => open(make(target, { rela: [[place, value, 0x77n]] })).readPointer(place);
    t.is(read(info(0, 0, 18, 3)), 0x77n);
    t.is(read(0n), 0x1004n, 'R_MIPS_NONE');
    for (const wrong of [info(0, 0, 0, 3), info(0, 1, 18, 3), info(1, 0, 18, 3), info(0, 0, 0, 18), info(0, 0, 18, 2)])
      t.is(t.throws(() => read(wrong), { instanceOf: CodedError })?.code, 'elf-relocations');
    const symbol = info(0, 0, 18, 3) | (order === 'big' ? 1n << 32n : 1n);
    t.is(t.throws(() => read(symbol), { instanceOf: CodedError })?.code, 'elf-relocations');
  }
});

test('arm64 has an old number for NONE', t => {
  const target = targets[2];
  t.is(open(make(target, { rela: [[DATA, 256n, 9n]] })).readPointer(DATA), 0x1000n);
});

test('what is not allocated relocates nothing: --emit-relocs leaves it in a kernel that is linked to its place', t => {
  const target = targets[2];
  const bytes = make(target, { rela: [[DATA, 257n, 9n]] });
  const file = ElfFile.open(new MemorySource(bytes, 'vmlinux'));
  const { shoff, shentsize } = file.header;
  new DataView(bytes.buffer).setBigUint64(shoff + file.section('.rela.dyn').index * shentsize + 8, 0n, true);
  t.is(open(bytes).readPointer(DATA), 0x1000n);
});

test('a machine whose RELATIVE is not known has no pointers under relocations', t => {
  const sparc: Target = { label: '', class: 64, order: 'big', machine: 43, flags: 0 };
  const relocations = open(make(sparc, { rela: [[DATA, 22n, 9n]] }));
  t.is(t.throws(() => relocations.readPointer(DATA), { instanceOf: CodedError })?.code, 'elf-relocations');
  t.is(relocations.readPointer(DATA + 8n), 0x1001n);
});

test.serial('a size that lies costs nothing, nor do many sections that claim the same entries', t => {
  const target = targets[2];
  const bytes = make(target, { rela: [[DATA, 1027n, 9n]] });
  const file = ElfFile.open(new MemorySource(bytes, 'vmlinux'));
  const { shoff, shentsize } = file.header;
  const at = shoff + file.section('.rela.dyn').index * shentsize;
  new DataView(bytes.buffer).setBigUint64(at + 32, 24n << 40n, true);
  const before = process.memoryUsage();
  t.is(t.throws(() => open(bytes), { instanceOf: CodedError })?.code, 'file-truncated');
  const one = section('', elf.SHT_RELA, 0n, new Uint8Array(24 * 50_000), 24);
  const many = ElfFile.open(
    new MemorySource(linkedBytes({ class: 64, order: 'little', machine: 183, sections: [one] }), 'vmlinux'),
  );
  const claims = Object.create(many, { sections: { value: Array.from({ length: 1000 }, () => many.sections[1]) } });
  t.is(t.throws(() => Relocations.read(claims), { instanceOf: CodedError })?.code, 'elf-relocations');
  const after = process.memoryUsage();
  t.true(after.arrayBuffers - before.arrayBuffers < 8 << 20);
});
