import * as elf from '../../../plugin/elf/constants.js';
import type { ObjectSymbol } from '../../../plugin/elf/write-object.js';
import { type ImageSection, writeImage } from './image.js';
import { type KernelTypes, KFUNCS, kernelTypes, OPS_WORDS, STUBS } from './kernel-btf.js';

/** A machine whose kernels have BTF. */
export interface Machine {
  readonly name: string;
  readonly class: elf.ElfClass;
  readonly order: 'little' | 'big';
  readonly machine: number;
  readonly flags: number;
  /** Address of the image. */
  readonly start: bigint;
  /** The type of its *_RELATIVE relocations, where its kernels are relocatable. */
  readonly relative?: number;
}

export const ARM: Machine = {
  name: 'arm',
  class: 32,
  order: 'little',
  machine: elf.EM_ARM,
  flags: 0x0500_0000,
  start: 0xc000_0000n,
};
export const MACHINES: readonly Machine[] = [
  ARM,
  { name: 'mips32-be', class: 32, order: 'big', machine: elf.EM_MIPS, flags: 0x7000_1001, start: 0x8010_0000n },
  {
    name: 'arm64',
    class: 64,
    order: 'little',
    machine: elf.EM_AARCH64,
    flags: 0,
    start: 0xffff_8000_8000_0000n,
    relative: 1027,
  },
  { name: 'x86-64', class: 64, order: 'little', machine: elf.EM_X86_64, flags: 0, start: 0xffff_ffff_8100_0000n },
  {
    name: 'mips64-be',
    class: 64,
    order: 'big',
    machine: elf.EM_MIPS,
    flags: 0x8000_0007,
    start: 0xffff_ffff_8010_0000n,
  },
  {
    name: 'riscv64',
    class: 64,
    order: 'little',
    machine: elf.EM_RISCV,
    flags: 5,
    start: 0xffff_ffff_8000_0000n,
    relative: 3,
  },
  { name: 's390x', class: 64, order: 'big', machine: elf.EM_S390, flags: 0, start: 0x10_0000n, relative: 12 },
];

const TEXT = 0n;
const RODATA = 0x1000n;
const DATA = 0x2000n;
/** Of `.BTF_ids`, from the start of the image. */
export const IDS = 0x4_0000n;
const BTF = 0x10_0000n;
const VERMAGIC_AT = 64;
const STUBS_AT = 64;
const CRC_AT = 32;

/** What a kernel has besides. */
export interface More {
  readonly symbols?: readonly ObjectSymbol[];
  /** In front of all others. */
  readonly sections?: readonly ImageSection[];
  /** Behind the words of `.BTF_ids`. */
  readonly ids?: Uint8Array;
}

/**
 * A vmlinux of a few KB in which a split finds all that it looks for. `types`: other BTF in place of its own.
 */
export function kernelImage(machine: Machine, types?: Uint8Array, more: More = {}): Uint8Array {
  const word = machine.class === 64 ? 8 : 4;
  const own = kernelTypes(machine.order, word);
  const ids = btfIds(own, machine);
  const at = (offset: bigint): bigint => machine.start + offset;
  const { SHT_PROGBITS, SHF_ALLOC, SHF_WRITE, SHF_EXECINSTR } = elf;
  const section = (name: string, offset: bigint, data: Uint8Array, flags = 0): ImageSection => ({
    name,
    type: SHT_PROGBITS,
    flags: SHF_ALLOC | flags,
    align: 4,
    data,
    addr: at(offset),
  });
  return writeImage({
    ...machine,
    type: elf.ET_EXEC,
    sections: [
      ...(more.sections ?? []),
      section('.text', TEXT, new Uint8Array(256).fill(0x90), SHF_EXECINSTR),
      section('.rodata', RODATA, rodata()),
      section('.data', DATA, data(machine, word), SHF_WRITE),
      ...relocations(machine),
      section('.BTF', BTF, types ?? own.bytes),
      section('.BTF_ids', IDS, Buffer.concat([ids.bytes, more.ids ?? new Uint8Array(0)])),
      { name: '.bss', type: elf.SHT_NOBITS, flags: SHF_ALLOC | SHF_WRITE, align: 64, data: 4096, addr: at(0x8_0000n) },
    ],
    symbols: [...symbols(machine, word, ids.symbols), ...(more.symbols ?? [])],
  });
}

const VERMAGIC = '6.12.117 SMP mod_unload modversions test ';

function rodata(): Uint8Array {
  const bytes = new Uint8Array(160);
  bytes.set(Buffer.from('tcp_congestion_ops\0'));
  bytes.set(Buffer.from(`${VERMAGIC}\0`), VERMAGIC_AT);
  return bytes;
}

/** The variable of type struct bpf_struct_ops, the CRC, and the table of stubs. */
function data({ start, order, class: elfClass }: Machine, word: number): Uint8Array {
  const bytes = new Uint8Array(192);
  const view = new DataView(bytes.buffer);
  const put = (offset: number, value: bigint): void =>
    elfClass === 64
      ? view.setBigUint64(offset, value, order === 'little')
      : view.setUint32(offset, Number(value), order === 'little');
  put(OPS_WORDS.name * word, start + RODATA);
  put(OPS_WORDS.stubs * word, start + DATA + BigInt(STUBS_AT));
  view.setUint32(CRC_AT, 0x1234_5678, order === 'little');
  for (const [i, slot] of [0, 1, 3].entries()) put(STUBS_AT + slot * word, start + TEXT + BigInt(i * 16));
  return bytes;
}

/** `.rela.dyn` of a relocatable kernel: each pointer of `.data` once more. */
function relocations({ class: elfClass, order, start, relative }: Machine): ImageSection[] {
  if (elfClass !== 64 || relative === undefined) return [];
  const entries = [
    [8, RODATA],
    [16, DATA + BigInt(STUBS_AT)],
    ...[0, 1, 3].map((slot, i) => [STUBS_AT + slot * 8, TEXT + BigInt(i * 16)] as const),
  ] as const;
  const view = new DataView(new ArrayBuffer(entries.length * 24));
  for (const [i, [offset, addend]] of entries.entries()) {
    view.setBigUint64(i * 24, start + DATA + BigInt(offset), order === 'little');
    view.setBigUint64(i * 24 + 8, BigInt(relative), order === 'little');
    view.setBigUint64(i * 24 + 16, BigInt.asUintN(64, start + addend), order === 'little');
  }
  return [
    {
      name: '.rela.dyn',
      type: elf.SHT_RELA,
      flags: elf.SHF_ALLOC,
      align: 8,
      entsize: 24,
      data: new Uint8Array(view.buffer),
      addr: start + 0x6_0000n,
    },
  ];
}

interface Ids {
  readonly bytes: Uint8Array;
  readonly symbols: readonly Omit<ObjectSymbol, 'type' | 'bind'>[];
}

/** A list of ids, a set8 of kfuncs with flags, a set. */
function btfIds({ kfuncs, listed }: KernelTypes, { order, start }: Machine): Ids {
  const words: number[] = [];
  const symbols: Ids['symbols'][number][] = [];
  const symbol = (name: string, size: number): unknown =>
    symbols.push({ name, section: '.BTF_ids', value: start + IDS + BigInt(words.length * 4), size });
  symbol('bpf_ctx_convert_btf_id', 0);
  for (const [i, { kind, name, id }] of listed.entries()) {
    symbol(`__BTF_ID__${kind}__${name}__${i}`, 4);
    words.push(id);
  }
  symbol('__BTF_ID__set8__kfunc_set', 8 + kfuncs.length * 8);
  words.push(kfuncs.length, 1);
  for (const [i, id] of kfuncs.entries()) {
    symbol(`__BTF_ID__func__${KFUNCS[i]}__${10 + i}`, 4);
    words.push(id, i);
  }
  symbol('__BTF_ID__set__deny', 12);
  words.push(2);
  for (const [i, id] of kfuncs.slice(0, 2).entries()) {
    symbol(`__BTF_ID__func__${KFUNCS[i]}__${20 + i}`, 4);
    words.push(id);
  }
  const view = new DataView(new ArrayBuffer(words.length * 4));
  for (const [i, value] of words.entries()) view.setUint32(i * 4, value, order === 'little');
  return { bytes: new Uint8Array(view.buffer), symbols };
}

function symbols({ start }: Machine, word: number, ids: Ids['symbols']): ObjectSymbol[] {
  const { STT_FUNC, STT_OBJECT, STB_GLOBAL, STB_LOCAL } = elf;
  const object = (name: string, section: string, value: bigint, size: number): ObjectSymbol => ({
    name,
    section,
    value: start + value,
    size,
    type: STT_OBJECT,
    bind: STB_GLOBAL,
  });
  return [
    ...STUBS.map((name, i) => ({
      name,
      section: '.text',
      value: start + TEXT + BigInt(i * 16),
      size: 16,
      type: STT_FUNC,
      bind: STB_LOCAL,
    })),
    object('bpf_tcp_congestion_ops', '.data', DATA, OPS_WORDS.size * word),
    object('__bpf_ops_tcp_congestion_ops', '.data', DATA + BigInt(STUBS_AT), 7 * word),
    object('vermagic', '.rodata', RODATA + BigInt(VERMAGIC_AT), VERMAGIC.length + 1),
    object('__crc_module_layout', '.data', DATA + BigInt(CRC_AT), 4),
    object('__start_BTF', '.BTF', BTF, 0),
    ...ids.map(symbol => ({ ...symbol, type: STT_OBJECT, bind: STB_LOCAL })),
  ];
}
