import { readFileSync } from 'node:fs';
import test from 'ava';
import { Btf } from '../../plugin/btf/btf.js';
import { NameIndex } from '../../plugin/btf/names.js';
import { memberAt } from '../../plugin/btf/resolve.js';
import { MemorySource } from '../../plugin/bytes/source.js';
import { ElfFile } from '../../plugin/elf/file.js';
import { Relocations } from '../../plugin/elf/relocations.js';
import { SymbolTable } from '../../plugin/elf/symbols.js';
import { CodedError, type ErrorCode } from '../../plugin/errors.js';
import { readStructOps, type StructOps } from '../../plugin/roots/struct-ops.js';
import { ARM, kernelImage } from '../fuzz/seeds/kernel.js';
import { BtfBuilder } from '../support/build-btf.js';
import { ElfPatch } from '../support/elf-patch.js';
import { fixture } from '../support/fixtures.js';

const original = readFileSync(fixture('mips32-malta-be/vmlinux'));
const opened = ElfFile.open(new MemorySource(original, 'original'));
const kernelBtf = Btf.decode(opened.data(opened.section('.BTF')));

function read(patch: ElfPatch, btf = kernelBtf): StructOps {
  const elf = ElfFile.open(new MemorySource(patch.bytes, 'vmlinux'));
  return readStructOps(elf, Relocations.read(elf), SymbolTable.read(elf), btf, new NameIndex(btf));
}

const TABLE = '__bpf_ops_tcp_congestion_ops';
const VARIABLE = 'bpf_tcp_congestion_ops';

/** Where a member of the variable of type struct bpf_struct_ops stands in the file. */
function memberOf(patch: ElfPatch, member: string): number {
  const type = new NameIndex(kernelBtf).all('bpf_struct_ops')[0];
  const { byteOffset } = memberAt(kernelBtf, type, member) ?? { byteOffset: Number.NaN };
  return patch.offsetOf(patch.symbol(VARIABLE).value) + byteOffset;
}

/** The words of the table of stubs that are not 0. */
function pointers(patch: ElfPatch): number[] {
  const { value, size } = patch.symbol(TABLE);
  const start = patch.offsetOf(value);
  const all = Array.from({ length: size / 4 }, (_, i) => start + i * 4);
  return all.filter(at => patch.word(at) !== 0);
}

type Damage = readonly [what: string, code: ErrorCode, detail: RegExp, damage: (patch: ElfPatch) => unknown];

const DAMAGE: readonly Damage[] = [
  [
    'a variable without a table of stubs',
    'struct-ops',
    /^tcp_congestion_ops has no cfi_stubs$/,
    patch => patch.u32(memberOf(patch, 'cfi_stubs'), 0),
  ],
  [
    'a table of stubs that are all null',
    'struct-ops',
    /^the cfi_stubs of tcp_congestion_ops are all null$/,
    patch => {
      for (const at of pointers(patch)) patch.u32(at, 0);
    },
  ],
  [
    'a stub whose pointer meets no symbol',
    'struct-ops',
    /^the stub of tcp_congestion_ops\.\w+ at 0x\w+ meets no symbol$/,
    patch => {
      const [at] = pointers(patch);
      return patch.u32(at, patch.word(at) + 4);
    },
  ],
  [
    'a table in no section',
    'elf-address',
    /^address 0x1[0-9a-f]$/,
    patch => patch.u32(memberOf(patch, 'cfi_stubs'), 0x10),
  ],
  [
    'no variable of the size of struct bpf_struct_ops',
    'struct-ops',
    /^no variable found for tcp_congestion_ops$/,
    patch => patch.symbolField(patch.symbol(VARIABLE), 'size', 4),
  ],
  [
    'a variable with another name in it',
    'struct-ops',
    /^no variable found for tcp_congestion_ops$/,
    patch => patch.u32(memberOf(patch, 'name'), 0),
  ],
  [
    'a variable whose name stands in no section',
    'struct-ops',
    /^no variable found for tcp_congestion_ops$/,
    patch => patch.u32(memberOf(patch, 'name'), 0x10),
  ],
];

for (const [what, code, detail, damage] of DAMAGE) {
  test(`refused: ${what}`, t => {
    const patch = new ElfPatch(original);
    damage(patch);
    const error = t.throws(() => read(patch), { instanceOf: CodedError });
    t.is(error?.code, code);
    t.regex(error?.detail ?? '', detail);
    t.is(error?.place.file, 'vmlinux');
  });
}

test('a stub without a FUNC in the BTF is a warning: the unsplit kernel refuses it as well', t => {
  const patch = new ElfPatch(original);
  patch.symbolName(patch.symbol('bpf_tcp_ca_cong_avoid'), 'xxx');
  const whole = read(new ElfPatch(original));
  const found = read(patch);
  t.deepEqual(whole.warnings, []);
  t.is(found.roots.length, whole.roots.length - 1);
  t.deepEqual(found.warnings, [
    'the stub xxx_tcp_ca_cong_avoid of tcp_congestion_ops.cong_avoid has no FUNC in the BTF: this kernel cannot register tcp_congestion_ops',
  ]);
});

test('a struct_ops whose name is no ASCII is found: names are bytes', t => {
  const name = '\xe9cp_congestion_ops';
  const bytes = Buffer.from(
    Buffer.from(kernelImage(ARM)).toString('latin1').replaceAll('tcp_congestion_ops', name),
    'latin1',
  );
  const elf = ElfFile.open(new MemorySource(bytes, 'vmlinux'));
  const btf = Btf.decode(elf.data(elf.section('.BTF')));
  const found = readStructOps(elf, Relocations.read(elf), SymbolTable.read(elf), btf, new NameIndex(btf));
  t.deepEqual(found.names, [name]);
  t.is(found.roots.filter(root => root.reason === 'stub').length, 3);
});

interface Old {
  readonly btf: Btf;
  readonly ops: number;
  readonly value: number;
}

/** The types of a kernel before 6.8: struct bpf_struct_ops without `cfi_stubs`; `first` members of the value struct. */
function oldKernel(first: readonly string[], withOpsType = true): Old {
  const b = new BtfBuilder({ order: 'big' });
  const int = b.int('int', 4);
  const pointer = b.ptr(b.int('char', 1));
  const callback = b.ptr(b.funcProto(0, []));
  const size = kernelBtf.sizeOrType(new NameIndex(kernelBtf).all('bpf_struct_ops')[0]);
  const bits = (memberOf(new ElfPatch(original), 'name') - memberOf(new ElfPatch(original), 'verifier_ops')) * 8;
  if (withOpsType) b.struct('bpf_struct_ops', size, [{ name: 'name', type: pointer, bits }]);
  const ops = b.struct('tcp_congestion_ops', 88, [{ name: 'ssthresh', type: callback, bits: 0 }]);
  const members = first.map((name, i) => ({ name, type: int, bits: i * 32 }));
  const value = b.struct('bpf_struct_ops_tcp_congestion_ops', 192, [
    ...members,
    { name: 'data', type: ops, bits: 512 },
  ]);
  return { btf: Btf.decode(b.build()), ops, value };
}

test('value structs of Linux 6.1 (refcnt, state, data) are read, without stubs', t => {
  const { btf, ops, value } = oldKernel(['refcnt', 'state']);
  t.deepEqual(read(new ElfPatch(original), btf), {
    roots: [
      { id: ops, reason: 'struct_ops', source: 'tcp_congestion_ops' },
      { id: value, reason: 'struct_ops', source: 'tcp_congestion_ops' },
    ],
    names: ['tcp_congestion_ops'],
    warnings: [],
  });
});

test('a struct that is only called like a value struct is none', t => {
  const { btf } = oldKernel(['other']);
  t.deepEqual(read(new ElfPatch(original), btf), { roots: [], names: [], warnings: [] });
});

test('refused: value structs without struct bpf_struct_ops', t => {
  const { btf } = oldKernel(['common'], false);
  const error = t.throws(() => read(new ElfPatch(original), btf), { instanceOf: CodedError });
  t.is(error?.detail, 'struct bpf_struct_ops is not in the BTF, but tcp_congestion_ops need it');
});

test('a kernel without struct_ops has none', t => {
  const btf = Btf.decode(new BtfBuilder({ order: 'big' }).build());
  t.deepEqual(read(new ElfPatch(original), btf), { roots: [], names: [], warnings: [] });
});
