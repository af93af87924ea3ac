import { Btf } from '../../../plugin/btf/btf.js';
import { ByteWriter } from '../../../plugin/bytes/writer.js';
import * as elf from '../../../plugin/elf/constants.js';
import type { ObjectSymbol } from '../../../plugin/elf/write-object.js';
import { BtfBuilder } from '../../support/build-btf.js';
import { distill } from '../../support/distill.js';
import { type ImageSection, writeImage } from './image.js';
import type { Machine } from './kernel.js';
import { OPS_WORDS } from './kernel-btf.js';

/** What a module registers, and what its sections are made of. */
export interface ModuleTypes {
  readonly bytes: Uint8Array;
  /** Of its kfuncs, ascending, and of the struct that one of its lists names. */
  readonly kfuncs: readonly { readonly name: string; readonly id: number }[];
  readonly listed: { readonly name: string; readonly id: number };
}

const OPS = 'demo_ops';
const MEMBERS = 3;

/** How many kfuncs it has besides, and how many more stubs its struct_ops has, each with more symbols of functions. */
export interface Extra {
  readonly kfuncs?: number;
  readonly stubs?: number;
}

/** BTF of a module on a kernel's: two kfuncs, an iterator, a struct_ops, a tracepoint, a tag, types that nobody needs. */
function moduleTypes(kernel: Uint8Array, word: 4 | 8, { kfuncs: more = 0, stubs = 0 }: Extra = {}): ModuleTypes {
  const base = Btf.decode(kernel);
  const of = (name: string): number => {
    for (let id = 1; id < base.endId; id++) if (base.name(id) === name) return id;
    throw new Error(`no ${name}`);
  };
  const b = new BtfBuilder({ order: base.order, onto: base });
  const int = of('int');
  const state = b.struct('demo_state', word * 2, [
    { name: 'sk', type: b.ptr(of('tcp_sock')), bits: 0 },
    { name: 'flags', type: int, bits: word * 8 },
  ]);
  const proto = b.funcProto(int, [
    { name: 'state', type: b.ptr(state) },
    { name: 'task', type: b.ptr(of('task_struct')) },
  ]);
  const callback = b.ptr(proto);
  const ops = b.struct(OPS, word * (MEMBERS + stubs), [
    { name: 'first', type: callback, bits: 0 },
    { name: 'flags', type: int, bits: word * 8 },
    { name: 'second', type: callback, bits: word * 16 },
    ...Array.from({ length: stubs }, (_, i) => ({
      name: `m${i}`,
      type: callback,
      bits: word * 8 * (MEMBERS + i),
    })),
  ]);
  b.struct(`bpf_struct_ops_${OPS}`, 64, [
    { name: 'common', type: of('bpf_struct_ops_common_value'), bits: 0 },
    { name: 'data', type: ops, bits: 256 },
  ]);
  const kfuncs = ['demo_acquire', 'demo_release', ...Array.from({ length: more }, (_, i) => `demo_k${i}`)].map(
    name => ({ name, id: b.func(name, proto) }),
  );
  for (const { id } of kfuncs.slice(0, 2)) b.declTag('bpf_kfunc', id);
  b.func('demo_acquire_impl', b.funcProto(0, [{ name: 'aux', type: b.ptr(0) }]));
  for (const name of ['demo_first', 'demo_second', 'bpf_iter_demo', '__bpf_trace_demo']) b.func(name, proto);
  b.typedef('btf_trace_demo', b.ptr(proto));
  b.struct('demo_unused', word * 2, [
    { name: 'list', type: of('list_head'), bits: 0 },
    { name: 'rest', type: b.ptr(of('rest_3')), bits: word * 8 },
  ]);
  return { bytes: b.build(), kfuncs, listed: { name: 'demo_state', id: state } };
}

/** How a machine's objects relocate a word: type and form. */
const POINTERS: Readonly<Record<number, { readonly type: number; readonly addends: boolean }>> = {
  [elf.EM_ARM]: { type: 2, addends: false },
  [elf.EM_MIPS]: { type: 2, addends: false },
  [elf.EM_X86_64]: { type: 1, addends: true },
};

/** The machines of which there are modules: those above. */
export const hasModules = ({ machine, class: elfClass }: Machine): boolean =>
  Object.hasOwn(POINTERS, machine) && (machine !== elf.EM_MIPS || elfClass === 32);

const SIGNATURE = Buffer.from('~Module signature appended~\n', 'latin1');
const TEXT = 'bytes where a PKCS#7 message would stand';

/** A module of a few KB for a kernel with the types of {@link kernelTypes}; with `.BTF.base` when `distilled`; with a signature when `signed`. */
export function kernelModule(
  machine: Machine,
  kernel: Uint8Array,
  { distilled = false, signed = false }: { readonly distilled?: boolean; readonly signed?: boolean } = {},
  extra: Extra = {},
): Uint8Array {
  const word = machine.class === 64 ? 8 : 4;
  const types = moduleTypes(kernel, word, extra);
  const original = Btf.decode(kernel);
  const parts = distilled ? distill(original, Btf.decode(types.bytes, original)) : undefined;
  const ids = idsOf(types, machine, id => parts?.newId(id) ?? id);
  const { addends } = POINTERS[machine.machine];
  const { SHT_PROGBITS, SHF_ALLOC, SHF_WRITE, SHF_EXECINSTR } = elf;
  const section = (name: string, data: Uint8Array, flags = 0): ImageSection => ({
    name,
    type: SHT_PROGBITS,
    flags,
    align: 4,
    data,
  });
  const { stubs = 0 } = extra;
  const symbols = symbolsOf(word, ids.symbols, stubs);
  const names = symbols.map(({ name }) => name);
  const sections = [
    section('.text', new Uint8Array(64).fill(0x90), SHF_ALLOC | SHF_EXECINSTR),
    section('.data', new Uint8Array(word * (16 + stubs)), SHF_ALLOC | SHF_WRITE),
    section('.rodata', Buffer.from(`${OPS}\0`), SHF_ALLOC),
    section(
      '.modinfo',
      Buffer.from('license=GPL\0vermagic=6.12.117 SMP mod_unload modversions test \0name=demo\0'),
      SHF_ALLOC,
    ),
    section('.BTF', parts?.btf ?? types.bytes),
    ...(parts === undefined ? [] : [section('.BTF.base', parts.base)]),
    section('.BTF_ids', ids.bytes, SHF_ALLOC),
  ];
  const relocations: ImageSection = {
    ...section(addends ? '.rela.data' : '.rel.data', relocationsOf(machine, word, names, stubs)),
    type: addends ? elf.SHT_RELA : elf.SHT_REL,
    entsize: (addends ? 3 : 2) * word,
    // Behind all sections and this one.
    link: sections.length + 2,
    info: 2,
  };
  const bytes = writeImage({ ...machine, type: elf.ET_REL, sections: [...sections, relocations], symbols });
  if (!signed) return bytes;
  const trailer = new ByteWriter('big').u32(0).u32(0).u32(TEXT.length).done();
  return Buffer.concat([bytes, Buffer.from(TEXT), trailer, SIGNATURE]);
}

const TABLE_AT = 8;

/** The name of the struct_ops, its table of stubs, and the two stubs in that. */
function relocationsOf({ order, machine }: Machine, word: number, names: readonly string[], stubs: number): Uint8Array {
  const { type, addends } = POINTERS[machine];
  const entries = [
    [OPS_WORDS.name, 'ops_name'],
    [OPS_WORDS.stubs, 'ops_table'],
    [TABLE_AT, 'demo_first'],
    [TABLE_AT + 2, 'demo_second'],
    ...Array.from({ length: stubs }, (_, i) => [TABLE_AT + MEMBERS + i, 'demo_second'] as const),
  ] as const;
  const writer = new ByteWriter(order);
  for (const [at, name] of entries) {
    const symbol = names.indexOf(name) + 1;
    if (word === 4) writer.u32(at * 4).u32((symbol << 8) | type);
    else writer.u64(BigInt(at * 8)).u64((BigInt(symbol) << 32n) | BigInt(type));
    if (addends) writer.u64(0n);
  }
  return writer.done();
}

type Named = Pick<ObjectSymbol, 'name' | 'section' | 'value' | 'size'>;

function idsOf({ kfuncs, listed }: ModuleTypes, { order }: Machine, newId: (id: number) => number) {
  const sorted = kfuncs.toSorted((a, b) => newId(a.id) - newId(b.id));
  const words = [newId(listed.id), kfuncs.length, 1, ...sorted.flatMap(({ id }, i) => [newId(id), i])];
  const writer = new ByteWriter(order);
  for (const value of words) writer.u32(value);
  const symbol = (name: string, value: number, size: number): Named => ({
    name,
    section: '.BTF_ids',
    value: BigInt(value),
    size,
  });
  return {
    bytes: writer.done(),
    symbols: [
      symbol('demo_ids', 0, 4),
      symbol(`__BTF_ID__struct__${listed.name}__1`, 0, 4),
      symbol('__BTF_ID__set8__demo_kfuncs', 4, 8 + kfuncs.length * 8),
      ...sorted.map(({ name }, i) => symbol(`__BTF_ID__func__${name}__${i + 2}`, 12 + i * 8, 4)),
    ],
  };
}

/** All local, so that the nth of them has the index n + 1. */
function symbolsOf(word: number, ids: readonly Named[], stubs: number): ObjectSymbol[] {
  const { STT_FUNC, STT_OBJECT, STB_LOCAL } = elf;
  const object = (name: string, section: string, value: number, size: number): ObjectSymbol => ({
    name,
    section,
    value: BigInt(value),
    size,
    type: STT_OBJECT,
    bind: STB_LOCAL,
  });
  const code = (name: string, value: number): ObjectSymbol => ({
    ...object(name, '.text', value, 16),
    type: STT_FUNC,
  });
  return [
    object('ops_name', '.rodata', 0, OPS.length + 1),
    object('ops_table', '.data', TABLE_AT * word, MEMBERS * word),
    object('demo_struct_ops', '.data', 0, OPS_WORDS.size * word),
    code('demo_first', 0),
    code('demo_second', 16),
    ...Array.from({ length: stubs }, (_, i) => code(`demo_f${i}`, 32)),
    ...ids.map(symbol => ({ ...symbol, type: STT_OBJECT, bind: STB_LOCAL })),
  ];
}
