import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { Btf } from '../../plugin/btf/btf.js';
import { NameIndex } from '../../plugin/btf/names.js';
import type { ByteOrder } from '../../plugin/bytes/endian.js';
import { MemorySource } from '../../plugin/bytes/source.js';
import { reach, seedsOf } from '../../plugin/modules/needs.js';
import { readModule } from '../../plugin/modules/read.js';
import { readelf } from '../elf/readelf.js';
import { BtfBuilder } from '../support/build-btf.js';
import { scratchFolder } from '../support/scratch.js';
import { haveTool } from '../support/tools.js';

const folder = scratchFolder(test, 'module-struct-ops');

interface Machine {
  readonly name: string;
  readonly as: string;
  readonly flags: readonly string[];
  readonly debian: string;
  readonly order: ByteOrder;
  readonly word: 4 | 8;
  /** How readelf calls the relocation of a pointer: proof that the object has the form that the test is about. */
  readonly relocation: RegExp;
}

const MACHINES: readonly Machine[] = [
  {
    name: 'ARM Thumb (REL)',
    as: 'arm-linux-gnueabihf-as',
    flags: ['-mthumb'],
    debian: 'binutils-arm-linux-gnueabihf',
    order: 'little',
    word: 4,
    relocation: /R_ARM_ABS32/,
  },
  {
    name: 'MIPS32 (REL)',
    as: 'mips-linux-gnu-as',
    flags: [],
    debian: 'binutils-mips-linux-gnu',
    order: 'big',
    word: 4,
    relocation: /R_MIPS_32/,
  },
  {
    name: 'MIPS64',
    as: 'mips64-linux-gnuabi64-as',
    flags: [],
    debian: 'binutils-mips64-linux-gnuabi64',
    order: 'big',
    word: 8,
    relocation: /R_MIPS_64/,
  },
  {
    name: 'MIPS64 little-endian (r_info packed its own way)',
    as: 'mips64el-linux-gnuabi64-as',
    flags: [],
    debian: 'binutils-mips64el-linux-gnuabi64',
    order: 'little',
    word: 8,
    relocation: /R_MIPS_64/,
  },
  {
    name: 'x86-64 (RELA)',
    as: 'x86_64-linux-gnu-as',
    flags: [],
    debian: 'binutils-x86-64-linux-gnu',
    order: 'little',
    word: 8,
    relocation: /R_X86_64_64/,
  },
];

/** A vmlinux with struct bpf_struct_ops, and a module with the ops struct `demo_ops`, its value struct and two stubs. */
function build({ order, word }: Machine, value: 'common' | 'none') {
  const bits = word * 8;
  const b = new BtfBuilder({ order });
  const int = b.int('int', 4, { encoding: 1 });
  const pointer = b.ptr(0);
  const common = b.struct('bpf_struct_ops_common_value', 4, [{ name: 'state', type: int, bits: 0 }]);
  b.struct('bpf_struct_ops', word * 3, [
    { name: 'init', type: pointer, bits: 0 },
    { name: 'cfi_stubs', type: pointer, bits },
    { name: 'name', type: pointer, bits: bits * 2 },
  ]);
  const argument = b.struct('argument', 4, [{ name: 'x', type: int, bits: 0 }]);
  const unrelated = b.struct('unrelated', 4, [{ name: 'x', type: int, bits: 0 }]);
  const m = new BtfBuilder({ base: b });
  const proto = m.funcProto(int, [{ name: 'a', type: m.ptr(argument) }]);
  const call = m.ptr(proto);
  const ops = m.struct('demo_ops', word * 3, [
    { name: 'first', type: call, bits: 0 },
    { name: 'flags', type: int, bits },
    { name: 'second', type: call, bits: bits * 2 },
  ]);
  if (value === 'common')
    m.struct('bpf_struct_ops_demo_ops', 64, [
      { name: 'common', type: common, bits: 0 },
      { name: 'data', type: ops, bits: 256 },
    ]);
  // `second` is a name of the base's strings as well as of a function.
  const functions = ['stub_first', 'argument', 'not_a_stub'].map(name =>
    m.func(name, m.funcProto(0, [{ name: 'a', type: unrelated }])),
  );
  return { base: b.build(), module: m.build(), argument, unrelated, functions };
}

/** `.text` starts with a function that is no stub, so that offset 0 is not the right answer by chance. */
function source({ word, name }: Machine, btf: string): string {
  const pointer = word === 8 ? '.8byte' : '.4byte';
  const thumb = name.startsWith('ARM') ? '.thumb_func' : '';
  const fn = (label: string): string =>
    `${thumb}\n.type ${label}, %function\n${label}:\nnop\nnop\n.size ${label}, .-${label}\n`;
  return `
.section .modinfo, "a"
.asciz "license=GPL"
.section .BTF, "", %progbits
.incbin "${btf}"
.text
${fn('not_a_stub')}${fn('stub_first')}${fn('argument')}
.section .rodata.str, "a"
.asciz "another"
.Lname: .asciz "demo_ops"
.Lother: .asciz "other_ops"
.data
.balign 8
${pointer} 1
.Ltable: ${pointer} stub_first, 0, argument
.type decoy, %object
decoy: ${pointer} 0, .Ltable, .Lother
.size decoy, ${word * 3}
.type demo, %object
demo: ${pointer} 0, .Ltable, .Lname
.size demo, ${word * 3}
`.replaceAll('%', name.startsWith('x86') || name.startsWith('MIPS') ? '@' : '%');
}

function assemble(machine: Machine, value: 'common' | 'none', edit = (text: string): string => text) {
  const built = build(machine, value);
  const stem = join(folder, machine.as + value);
  writeFileSync(`${stem}.btf`, built.module);
  writeFileSync(`${stem}.s`, edit(source(machine, `${stem}.btf`)));
  const run = spawnSync(machine.as, [...machine.flags, '-o', `${stem}.o`, `${stem}.s`], { encoding: 'utf8' });
  if (run.status !== 0) throw new Error(run.stderr);
  const original = Btf.decode(built.base);
  const kernel = { original, machine: undefined, vermagic: undefined };
  const module = readModule(new MemorySource(readFileSync(`${stem}.o`), 'demo.ko'), kernel);
  return { ...built, object: `${stem}.o`, module, seeds: () => seedsOf(module, original, new NameIndex(original)) };
}

for (const machine of MACHINES)
  test(`struct_ops of a module are found through relocations: ${machine.name}`, t => {
    if (!haveTool(t, machine.as, machine.debian)) return;
    const { object, module, seeds, functions, argument, unrelated } = assemble(machine, 'common');
    t.regex(readelf('-r', object), machine.relocation);
    const btf = module.btf;
    if (btf === undefined) return t.fail();
    const found = seeds();
    t.deepEqual(
      new Set(found.map(({ id }) => btf.name(id))),
      new Set(['demo_ops', 'bpf_struct_ops_demo_ops', 'stub_first', 'argument']),
    );
    t.true(
      found.some(({ id }) => id === functions[1]),
      'the function argument, not the struct of that name',
    );
    const needs = reach(btf, found);
    t.is(needs.own[functions[0] - btf.firstId], 1);
    t.is(needs.own[functions[2] - btf.firstId], 0);
    t.true(needs.outside.has(argument));
    t.true(needs.outside.has(unrelated));

    t.deepEqual(assemble(machine, 'none').seeds(), []);
    const gone = assemble(machine, 'common', text => text.replace('.asciz "demo_ops"', '.asciz "demo_opt"'));
    t.throws(gone.seeds, { message: /no variable found for demo_ops/ });
    const without = assemble(machine, 'common', text => text.replace(/demo: (\S+) 0, \.Ltable/, 'demo: $1 0, 0'));
    t.throws(without.seeds, { message: /demo_ops has no cfi_stubs/ });
    const nameless = assemble(machine, 'common', text => text.replace('stub_first, 0', '.text+3, 0'));
    t.throws(nameless.seeds, { message: /the stub of demo_ops\.first meets no symbol/ });
  });
