import { Btf } from '../../plugin/btf/btf.js';
import { KIND_FUNC, KIND_FUNC_PROTO, KIND_INT } from '../../plugin/btf/kinds.js';
import { MemorySource } from '../../plugin/bytes/source.js';
import { ByteWriter } from '../../plugin/bytes/writer.js';
import * as elf from '../../plugin/elf/constants.js';
import { ElfFile } from '../../plugin/elf/file.js';
import { type ObjectSection, writeObject } from '../../plugin/elf/write-object.js';
import { BtfBuilder } from '../support/build-btf.js';
import { equalHashes, type Hostile, MANY, sharedNames, upTo } from './hostile.js';
import { strippedKernel } from './seeds/beside.js';
import { ARM, IDS, kernelImage } from './seeds/kernel.js';
import { kernelTypes } from './seeds/kernel-btf.js';
import { kernelModule } from './seeds/module.js';

const HALF = MANY / 2;
const { SHT_PROGBITS, SHT_NOBITS, SHF_ALLOC, STT_OBJECT, STB_LOCAL } = elf;

const section = (name: string, data: Uint8Array | number, flags = 0): ObjectSection => ({
  name,
  type: typeof data === 'number' ? SHT_NOBITS : SHT_PROGBITS,
  flags,
  align: 1,
  data,
});

/** FUNCs that share one FUNC_PROTO of many parameters. */
function sharedProto(): Uint8Array {
  const b = new BtfBuilder();
  const int = b.int('int', 4);
  const name = b.string('a');
  const proto = b.record(KIND_FUNC_PROTO, '', { vlen: MANY }, int, ...upTo(MANY).flatMap(() => [name, int]));
  for (const nth of upTo(MANY)) b.func(`f${nth}`, proto);
  return b.build();
}

/** Objects of the size of struct bpf_struct_ops, behind as many sections. */
function manySections(): Uint8Array {
  const sections = upTo(HALF).map(nth => ({
    ...section(`s${nth}`, new Uint8Array(4), SHF_ALLOC),
    addr: ARM.start + 0x100_0000n + BigInt(nth * 16),
  }));
  const symbol = { section: '.data', value: ARM.start + 0x2000n, size: 16, type: STT_OBJECT, bind: STB_LOCAL };
  const symbols = upTo(HALF).map(nth => ({ ...symbol, value: symbol.value + BigInt(64 + (nth % 4)), name: `v${nth}` }));
  return kernelImage(ARM, undefined, { sections, symbols });
}

/** Empty sets, one behind the other, in a kernel whose symbols have no sizes. */
function manySets(): Uint8Array[] {
  const start = ARM.start + IDS;
  const own = 56n;
  const symbols = upTo(MANY).map(nth => ({
    name: `__BTF_ID__set__s${nth}`,
    section: '.BTF_ids',
    value: start + own + BigInt(nth * 4),
    size: 4,
    type: STT_OBJECT,
    bind: STB_LOCAL,
  }));
  return [...strippedKernel(ARM, { symbols, ids: new Uint8Array(MANY * 4) }).parts];
}

/** A set as long as the section, under many names. */
function oneSetOften(): Uint8Array {
  const words = new ByteWriter('little').u32(HALF);
  for (const _ of upTo(HALF)) words.u32(0);
  const ids = words.done();
  const symbol = { section: '.BTF_ids', value: ARM.start + IDS + 56n, type: STT_OBJECT, bind: STB_LOCAL };
  const symbols = upTo(HALF).map(nth => ({ ...symbol, name: `__BTF_ID__set__s${nth}`, size: ids.length }));
  return kernelImage(ARM, undefined, { symbols, ids });
}

const OWN = kernelTypes('little', 4).bytes;
const PRUNE = Buffer.from('prune');

/** A module of nothing but these sections. */
function bareModule(sections: readonly ObjectSection[]): Uint8Array {
  return writeObject({
    class: 32,
    order: 'little',
    machine: ARM.machine,
    flags: ARM.flags,
    sections: [section('.modinfo', Buffer.from('license=GPL\0'), SHF_ALLOC), ...sections],
    symbols: [{ name: 'a', section: '.modinfo', value: 0n, size: 0, type: STT_OBJECT, bind: STB_LOCAL }],
  });
}

const sameNames = (b: BtfBuilder): void => upTo(HALF).forEach(() => void b.struct('same', 4, []));

/** `.BTF.base` with one name as often as vmlinux has it. */
function sameNamesTwice(): Uint8Array[] {
  const base = new BtfBuilder();
  sameNames(base);
  const bytes = base.build();
  const own = new BtfBuilder({ onto: Btf.decode(bytes) });
  own.ptr(1);
  const module = bareModule([section('.BTF', own.build()), section('.BTF.base', bytes)]);
  return [kernelTypes('little', 4, 24, sameNames).bytes, module, PRUNE];
}

const OWN_MODULE_BTF = (): Uint8Array => {
  const own = new BtfBuilder({ onto: Btf.decode(OWN) });
  own.ptr(1);
  return own.build();
};

/** Names of a module's functions that share a long end. */
function longNames(): Uint8Array {
  const own = new BtfBuilder({ onto: Btf.decode(OWN) });
  const start = own.ownString('__bpf_trace_'.repeat(80_000));
  const proto = own.funcProto(0, []);
  for (const nth of upTo(MANY)) own.record(KIND_FUNC, start + 12 * nth, {}, proto);
  return bareModule([section('.BTF', own.build())]);
}

/** Behind a `.BTF` that grows by what it refers to, a section aligned to a gigabyte. */
function hugeAlignment(): Uint8Array {
  const kernel = Btf.decode(OWN);
  const own = new BtfBuilder({ onto: kernel });
  for (const nth of upTo(8)) own.ptr(kernel.endId - 1 - nth);
  const bytes = bareModule([section('.BTF', own.build()), section('.data', new Uint8Array(4))]);
  const { header, sections } = ElfFile.open(new MemorySource(bytes, 'module'));
  const data = sections.findIndex(({ name }) => name === '.data');
  new DataView(bytes.buffer).setUint32(header.shoff + data * header.shentsize + 32, 2 ** 30, true); // sh_addralign
  return bytes;
}

function emptySections(): Uint8Array {
  const many = upTo(HALF / 2).flatMap(nth => [section(`a${nth}`, new Uint8Array(1)), section(`b${nth}`, 1)]);
  return bareModule([section('.BTF', OWN_MODULE_BTF()), ...many]);
}

/** A BPF object with CO-RE relocations of one kind; `relocations`: local type and access string. */
function program(
  make: (b: BtfBuilder) => readonly (readonly [type: number, access: string])[],
  kind: number,
): Uint8Array {
  const b = new BtfBuilder();
  const relocations = make(b).map(([type, access]) => [type, b.string(access)]);
  const records = new ByteWriter('little').u32(16).u32(b.string('kprobe')).u32(relocations.length);
  for (const [type, access] of relocations) records.u32(0).u32(type).u32(access).u32(kind);
  const words = records.done();
  const ext = new ByteWriter('little').u16(0xeb9f).u8(1).u8(0).u32(32);
  for (const [offset, length] of [
    [0, 0],
    [0, 0],
    [0, words.length],
  ])
    ext.u32(offset).u32(length);
  return writeObject({
    class: 64,
    order: 'little',
    machine: elf.EM_BPF,
    flags: 0,
    sections: [section('.BTF', b.build()), section('.BTF.ext', ext.bytes(words).done())],
    symbols: [],
  });
}

const BYTE_OFFSET = 0;
const TYPE_EXISTS = 8;
const TYPE_MATCHES = 12;
const MEMBERS = 5000;

/** One struct, its members in either order; the name of each is long, and most of it is that of all. */
function wide(b: BtfBuilder, order: 1 | -1): number {
  const int = b.int('int', 4);
  const members = upTo(MEMBERS).map(nth => ({ name: `member_of_a_long_name_${nth}`, type: int, bits: 0 }));
  return b.struct('wide', 4, order === 1 ? members : members.toReversed());
}

const built = (make: (b: BtfBuilder) => unknown): Uint8Array => {
  const b = new BtfBuilder();
  make(b);
  return b.build();
};

const named = (b: BtfBuilder): number[] =>
  upTo(HALF / 4).map(nth => b.struct(`task_${'of_a_long_name_'.repeat(15)}${nth}`, 4, []));

export const HOSTILE_MORE: readonly Hostile[] = [
  {
    name: 'functions that share one prototype of many parameters',
    target: 'lint',
    parts: () => [sharedProto()],
    comesTo: 'fine',
  },
  {
    name: 'integers named by the tails of one long name',
    target: 'lint',
    parts: () => [sharedNames((b, name) => upTo(MANY).map(nth => b.record(KIND_INT, name(nth), {}, 4, 32)))],
    comesTo: 'fine',
  },
  { name: 'many sections, and many candidates', target: 'kernel', parts: () => [manySections()], comesTo: 'fine' },
  { name: 'many sets without sizes', target: 'system-map', parts: manySets, comesTo: 'fine' },
  { name: 'a long set of many names', target: 'kernel', parts: () => [oneSetOften()], comesTo: 'btf-ids' },
  {
    name: 'one line of a roots file, and one name, very often',
    target: 'partition',
    parts: () => [built(sameNames), Buffer.from('struct:same\n'.repeat(HALF))],
    comesTo: 'fine',
  },
  {
    name: 'a module with many kfuncs',
    target: 'rebase',
    parts: () => [OWN, kernelModule(ARM, OWN, {}, { kfuncs: HALF / 2 }), PRUNE],
    comesTo: 'fine',
  },
  {
    name: 'a module with many stubs and functions',
    target: 'rebase',
    parts: () => [OWN, kernelModule(ARM, OWN, {}, { stubs: HALF }), PRUNE],
    comesTo: 'fine',
  },
  { name: 'one name very often in .BTF.base and vmlinux', target: 'rebase', parts: sameNamesTwice, comesTo: 'fine' },
  {
    name: 'types of a module named by the tails of one long name',
    target: 'rebase',
    parts: () => [OWN, longNames(), PRUNE],
    comesTo: 'btf-strings',
  },
  {
    name: 'a module on a base whose names have one hash',
    target: 'rebase',
    parts: () => {
      const kernel = new BtfBuilder();
      kernel.struct(
        'root',
        4,
        equalHashes(MANY).map(name => ({ name, type: 2, bits: 0 })),
      );
      kernel.int('int', 4);
      const bytes = kernel.build();
      const own = new BtfBuilder({ onto: Btf.decode(bytes) });
      own.ptr(1);
      return [bytes, bareModule([section('.BTF', own.build())]), Buffer.from('keep')];
    },
    comesTo: 'fine',
  },
  {
    name: 'a section of a module aligned to a gigabyte',
    target: 'rebase',
    parts: () => [OWN, hugeAlignment(), Buffer.from('keep')],
    comesTo: 'elf-sections',
  },
  {
    name: 'a module with many sections without bytes',
    target: 'rebase',
    parts: () => [OWN, emptySections(), Buffer.from('strip')],
    comesTo: 'fine',
  },
  {
    name: 'many relocations of one struct with many members',
    target: 'program',
    parts: () => [
      program(b => {
        const id = wide(b, 1);
        return upTo(MEMBERS).map(() => [id, `0:${MEMBERS - 1}`]);
      }, BYTE_OFFSET),
      built(b => wide(b, 1)),
    ],
    comesTo: 'fine',
  },
  {
    name: 'a struct matched with its mirror',
    target: 'program',
    parts: () => [program(b => [[wide(b, 1), '0']], TYPE_MATCHES), built(b => wide(b, -1))],
    comesTo: 'fine',
  },
  {
    name: 'many types asked for by names with one start',
    target: 'program',
    parts: () => [program(b => named(b).map(id => [id, '0']), TYPE_EXISTS), built(named)],
    comesTo: 'fine',
  },
];
