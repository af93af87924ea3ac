import { readFileSync } from 'node:fs';
import test from 'ava';
import fc from 'fast-check';
import { MemorySource } from '../../plugin/bytes/source.js';
import * as elf from '../../plugin/elf/constants.js';
import { ElfFile } from '../../plugin/elf/file.js';
import { SymbolTable } from '../../plugin/elf/symbols.js';
import { SystemMap } from '../../plugin/elf/system-map.js';
import { CodedError } from '../../plugin/errors.js';
import { fixture } from '../support/fixtures.js';
import { WHOLE_KERNELS } from '../support/kernels.js';
import { type LinkedSection, linkedBytes } from '../support/linked-elf.js';
import { haveBinutils, systemMapOf } from '../support/system-map.js';

function openMap(text: string | Uint8Array, file: ElfFile): SystemMap {
  return SystemMap.read(new MemorySource(Buffer.from(text as string, 'latin1'), 'System.map'), file);
}

for (const kernel of WHOLE_KERNELS) {
  const path = fixture(`${kernel}/vmlinux`);

  test(`a System.map tells what the symbol table tells, but for sizes: ${kernel}`, t => {
    if (!haveBinutils(t, kernel)) return;
    const file = ElfFile.open(new MemorySource(readFileSync(path), 'vmlinux'));
    const table = SymbolTable.read(file);
    const map = openMap(systemMapOf(kernel, path), file);
    t.false(map.sized);
    t.true(map.count > 40_000);
    // Bit 0 of an ARM symbol tells Thumb code; nm leaves it out.
    const address = (value: bigint): bigint => (file.header.machine === elf.EM_ARM ? value & ~1n : value);
    const known = new Map<string, Set<number>>();
    for (let i = 1; i < table.count; i++) {
      const key = `${table.name(i)} ${address(table.value(i))}`;
      known.set(key, (known.get(key) ?? new Set()).add(table.type(i)));
    }
    const wrong = Array.from({ length: map.count - 1 }, (_, i) => i + 1).filter(i => {
      const types = known.get(`${map.name(i)} ${address(map.value(i))}`);
      if (types === undefined) return true;
      // Labels of assembly code are of no type; tables among the code (sys_call_table) have its letter.
      const fits = types.has(map.type(i)) || types.has(0) || map.type(i) === 0;
      return !fits && !(map.type(i) === elf.STT_FUNC && types.has(elf.STT_OBJECT));
    });
    t.deepEqual(
      wrong.map(i => map.name(i)),
      [],
    );
    for (const name of [
      'vermagic',
      'linux_banner',
      'bpf_tcp_congestion_ops',
      '__BTF_ID__set8__bpf_tcp_ca_check_kfunc_ids',
    ])
      t.is(map.find(name)?.value, table.find(name)?.value, name);
    t.is(map.find('__crc_module_layout'), undefined);
    t.is(map.find('vermagi'), undefined);
  });

  test(`what lies in a section is what the symbol table puts there: ${kernel}`, t => {
    if (!haveBinutils(t, kernel)) return;
    const file = ElfFile.open(new MemorySource(readFileSync(path), 'vmlinux'));
    const map = openMap(systemMapOf(kernel, path), file);
    const section = file.section('.BTF_ids');
    const named = (symbols: Iterable<{ name: string; value: bigint }>): string[] =>
      [...symbols]
        .map(({ name, value }) => `${value} ${name}`)
        .filter(text => !/ (\$.*)?$/.test(text))
        .sort();
    const told = named(SymbolTable.read(file).inSection(section));
    t.true(told.length > 500);
    t.deepEqual(named(map.inSection(section)), told);
  });

  test(`no object is larger than its distance to the next symbol: ${kernel}`, t => {
    if (!haveBinutils(t, kernel)) return;
    const file = ElfFile.open(new MemorySource(readFileSync(path), 'vmlinux'));
    const table = SymbolTable.read(file);
    const map = openMap(systemMapOf(kernel, path), file);
    for (const name of ['bpf_tcp_congestion_ops', '__bpf_ops_tcp_congestion_ops', 'vermagic', 'bpf_bpf_dummy_ops']) {
      const size = table.find(name)?.size ?? Number.POSITIVE_INFINITY;
      const room = map.find(name)?.size ?? 0;
      t.true(room >= size && room < size + 64, `${name}: ${size} bytes, room for ${room}`);
    }
  });
}

/** A kernel of two sections, at 0x1000 (.text, 0x100 bytes) and 0x2000 (.BTF, 0x80 bytes). */
function kernelFile(elfClass: elf.ElfClass, base: bigint): ElfFile {
  const section = (name: string, addr: bigint, size: number): LinkedSection => ({
    name,
    type: elf.SHT_PROGBITS,
    flags: elf.SHF_ALLOC,
    align: 1,
    data: new Uint8Array(size),
    addr,
  });
  const sections = [section('.text', base + 0x1000n, 0x100), section('.BTF', base + 0x2000n, 0x80)];
  const bytes = linkedBytes({ class: elfClass, order: 'big', machine: elf.EM_MIPS, sections });
  return ElfFile.open(new MemorySource(bytes, 'vmlinux'));
}

const small = kernelFile(32, 0n);
const ENDS = '00002000 R __start_BTF\n00002080 R __stop_BTF\n';

test('lines are read as nm writes them', t => {
  const map = openMap(
    `00000020 A size\n00001000 T _text\n00001000 t \n00001010 W weak\n000010f0 t last\n${ENDS}`,
    small,
  );
  t.is(map.count, 8);
  t.deepEqual(
    Array.from({ length: 7 }, (_, i) => [map.name(i + 1), map.type(i + 1), map.size(i + 1)]),
    [
      ['size', 0, 0xfe0],
      ['_text', elf.STT_FUNC, 0x10],
      ['', elf.STT_FUNC, 0x10],
      ['weak', elf.STT_FUNC, 0xe0],
      ['last', elf.STT_FUNC, 0xf10],
      ['__start_BTF', elf.STT_OBJECT, 0x80],
      ['__stop_BTF', elf.STT_OBJECT, Number.MAX_SAFE_INTEGER],
    ],
  );
  t.like(map.find('weak'), { value: 0x1010n, section: 1, bind: elf.STB_GLOBAL });
  t.like(map.find('last'), { section: 1, bind: elf.STB_LOCAL });
  t.is(map.find('size')?.section, elf.SHN_ABS);
  t.is(openMap(ENDS.trimEnd(), small).count, 3, 'without a newline at the end');
});

test('addresses of 32-bit MIPS come sign-extended', t => {
  const file = kernelFile(32, 0x8000_0000n);
  const map = openMap('ffffffff80002000 R __start_BTF\nffffffff80002080 R __stop_BTF\n', file);
  t.is(map.find('__start_BTF')?.value, 0x8000_2000n);
});

test('addresses of 64-bit kernels keep all their bits', t => {
  const file = kernelFile(64, 0xffff_8000_8000_0000n);
  const map = openMap('ffff800080002000 R __start_BTF\nffff800080002080 R __stop_BTF\n', file);
  t.is(map.find('__stop_BTF')?.value, 0xffff_8000_8000_2080n);
});

const BAD: readonly (readonly [what: string, text: string, detail: RegExp])[] = [
  ['no symbols at all', '', /^no __start_BTF in it$/],
  ['an empty line', `\n${ENDS}`, /^line 1: not an address/],
  ['an address alone', `00001000\n${ENDS}`, /^line 1: not an address/],
  ['no letter', `00001000 _text\n${ENDS}`, /^line 1: not an address/],
  ['a digit for a letter', `00001000 1 _text\n${ENDS}`, /^line 1: not an address/],
  ['two letters', `00001000 TT _text\n${ENDS}`, /^line 1: not an address/],
  ['a module of /proc/kallsyms', `00001000 t f\t[tcp_bbr]\n${ENDS}`, /^line 1: not an address/],
  ['an end of line as on Windows', ENDS.replaceAll('\n', '\r\n'), /^line 1: not an address/],
  ['an address that is none', `0000100g T _text\n${ENDS}`, /^line 1: not a hexadecimal address/],
  ['an address of 17 digits', `00000000000001000 T _text\n${ENDS}`, /^line 1: not an address/],
  ['an address beyond the class', `0000000180001000 T _text\n${ENDS}`, /^line 1: an address of more than 32 bits/],
  ['addresses that do not ascend', `00001004 T a\n00001000 T b\n${ENDS}`, /^line 2: an address below the one before/],
  ['BTF somewhere else', ENDS.replace('2000', '2004'), /^__start_BTF is 0x2004, in this kernel 0x2000$/],
  ['BTF of another size', ENDS.replace('2080', '2084'), /^__stop_BTF is 0x2084, in this kernel 0x2080$/],
  ['the end of BTF left out', ENDS.slice(0, ENDS.indexOf('\n') + 1), /^no __stop_BTF in it$/],
  [
    'functions in no section',
    `00000800 T elsewhere\n${ENDS}`,
    /^1 of 3 symbols lie in no section, elsewhere is the first$/,
  ],
  ['bytes that are no text', Buffer.alloc(64).toString('latin1'), /^line 1/],
];

for (const [what, text, detail] of BAD) {
  test(`refused: ${what}`, t => {
    const error = t.throws(() => openMap(text, small), { instanceOf: CodedError });
    t.is(error?.code, 'system-map');
    t.is(error?.place.file, 'System.map');
    t.regex(error?.detail ?? '', detail);
  });
}

test('the map of one kernel is not that of another', t => {
  const [one, other] = ['armv7-virt', 'mips32-malta-be'] as const;
  if (!haveBinutils(t, one) || !haveBinutils(t, other)) return;
  for (const [map, vmlinux] of [
    [one, other],
    [other, one],
  ] as const) {
    const file = ElfFile.open(new MemorySource(readFileSync(fixture(`${vmlinux}/vmlinux`)), 'vmlinux'));
    const text = systemMapOf(map, fixture(`${map}/vmlinux`));
    t.is(t.throws(() => openMap(text, file), { instanceOf: CodedError })?.code, 'system-map');
  }
});

test('any text gives a map or a coded error', t => {
  const line = fc.oneof(
    fc.constantFrom('00001000 T _text', '00002000 R __start_BTF', '00002080 R __stop_BTF', '', ' ', '0 a '),
    fc.string({ maxLength: 20 }),
    fc
      .tuple(fc.nat(0x3000), fc.constantFrom(...'aATtdDrRbBWVwN'), fc.string({ maxLength: 4 }))
      .map(([address, letter, name]) => `${address.toString(16)} ${letter} ${name}`),
  );
  fc.assert(
    fc.property(fc.array(line, { maxLength: 8 }), fc.constantFrom('\n', '', '\n\n'), (lines, end) => {
      try {
        const map = openMap(lines.join('\n') + end, small);
        for (let i = 1; i < map.count; i++) map.find(map.name(i));
        for (const section of small.sections) [...map.inSection(section)];
      } catch (error) {
        if (!(error instanceof CodedError)) throw error;
      }
    }),
    { numRuns: 2000 },
  );
  t.pass();
});

test.serial('more lines than any kernel has symbols are refused before they cost memory', t => {
  const text = Buffer.alloc(16 << 20, '\n');
  const before = process.memoryUsage().arrayBuffers;
  const source = new MemorySource(text, 'System.map');
  t.is(t.throws(() => SystemMap.read(source, small), { instanceOf: CodedError })?.code, 'system-map');
  t.true(process.memoryUsage().arrayBuffers - before < 64 << 20);
});
