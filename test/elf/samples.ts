import type { ByteOrder } from '../../plugin/bytes/endian.js';
import { ByteWriter } from '../../plugin/bytes/writer.js';
import * as elf from '../../plugin/elf/constants.js';
import { type ObjectFile, writeObject } from '../../plugin/elf/write-object.js';

export interface Target {
  readonly label: string;
  readonly class: elf.ElfClass;
  readonly order: ByteOrder;
  readonly machine: number;
  readonly flags: number;
}

/** The four combinations of class and byte order, each with a machine of the kernel that has it. */
export const targets: readonly [Target, Target, Target, Target] = [
  { label: '32-bit little-endian', class: 32, order: 'little', machine: elf.EM_ARM, flags: 0x0500_0000 },
  { label: '32-bit big-endian', class: 32, order: 'big', machine: elf.EM_MIPS, flags: 0x7000_1001 },
  { label: '64-bit little-endian', class: 64, order: 'little', machine: elf.EM_AARCH64, flags: 0 },
  { label: '64-bit big-endian', class: 64, order: 'big', machine: elf.EM_S390, flags: 0 },
];

/** A small object with a bit of everything: alignment, NOBITS, empty sections, undefined, local and global symbols. */
export function sampleObject(target: Target): ObjectFile {
  const { SHF_ALLOC, SHF_WRITE, SHF_EXECINSTR, SHT_PROGBITS, SHT_NOBITS, STB_GLOBAL, STB_LOCAL } = elf;
  const top = target.class === 64 ? 0xffff_ffff_8080_0000n : 0xffff_fff0n;
  return {
    class: target.class,
    order: target.order,
    machine: target.machine,
    flags: target.flags,
    sections: [
      {
        name: '.text',
        type: SHT_PROGBITS,
        flags: SHF_ALLOC | SHF_EXECINSTR,
        align: 4,
        data: new Uint8Array(13).fill(7),
      },
      { name: '.plt', type: SHT_PROGBITS, flags: SHF_ALLOC, align: 1, data: new Uint8Array(0) },
      {
        name: '.data',
        type: SHT_PROGBITS,
        flags: SHF_ALLOC | SHF_WRITE,
        align: 128,
        data: new Uint8Array(300).fill(9),
      },
      { name: '.bss', type: SHT_NOBITS, flags: SHF_ALLOC | SHF_WRITE, align: 64, data: 4096 },
      { name: '.BTF', type: SHT_PROGBITS, flags: 0, align: 1, entsize: 1, data: Uint8Array.of(1, 2, 3, 4, 5) },
    ],
    symbols: [
      { name: 'main', section: '.text', value: 4n, size: 9, type: elf.STT_FUNC, bind: STB_GLOBAL },
      { name: 'local', section: '.data', value: 1n, size: 200_000, type: elf.STT_OBJECT, bind: STB_LOCAL },
      { name: 'printk', value: 0n, size: 0, type: 0, bind: STB_GLOBAL },
      { name: 'high', section: '.bss', value: top, size: 0, type: 0, bind: STB_LOCAL },
      { name: 'weak', section: '.data', value: 8n, size: 4, type: elf.STT_OBJECT, bind: 2 },
    ],
  };
}

export function sampleBytes(target: Target): Uint8Array<ArrayBuffer> {
  return writeObject(sampleObject(target));
}

/**
 * An object of `count` sections, by hand: the null section with the real counts, then .shstrtab, .symtab, .strtab,
 * .symtab_shndx, then empty PROGBITS. Its symbols: null, `last` and `clash` by SHN_XINDEX (in the last section and in
 * the one whose index is the number of SHN_ABS), `absolute`.
 */
export function manySections(elfClass: elf.ElfClass, order: ByteOrder, count: number): Uint8Array<ArrayBuffer> {
  const { ehdr, shdr, sym } = elf.ELF_SIZES[elfClass];
  const names = '\0.shstrtab\0.symtab\0.strtab\0.symtab_shndx\0s\0';
  const strings = '\0last\0clash\0absolute\0';
  const out = new ByteWriter(order, ehdr + count * shdr + 1024);
  const word = (value: number): unknown => (elfClass === 64 ? out.u64(BigInt(value)) : out.u32(value));
  const section = (name: number, type: number, offset: number, size: number, link: number, entsize: number): void => {
    out.u32(name).u32(type);
    for (const value of [0, 0, offset, size]) word(value);
    out.u32(link).u32(type === elf.SHT_SYMTAB ? 4 : 0);
    word(type === 0 ? 0 : 4);
    word(entsize);
  };
  const symbol = (name: number, shndx: number): void => {
    if (elfClass === 64) out.u32(name).u8(0).u8(0).u16(shndx).u64(0n).u64(0n);
    else out.u32(name).u32(0).u32(0).u8(0).u8(0).u16(shndx);
  };
  out.bytes(Uint8Array.of(0x7f, 0x45, 0x4c, 0x46, elfClass / 32, order === 'little' ? 1 : 2, 1)).align(16);
  out.u16(elf.ET_REL).u16(elf.EM_MIPS).u32(1);
  for (const value of [0, 0, ehdr]) word(value);
  out.u32(0).u16(ehdr).u16(0).u16(0).u16(shdr).u16(0).u16(elf.SHN_XINDEX);

  let at = ehdr + count * shdr;
  section(0, 0, 0, count, 1, 0);
  for (const [name, type, size, link, entsize] of [
    [1, elf.SHT_STRTAB, names.length, 0, 0],
    [11, elf.SHT_SYMTAB, 4 * sym, 3, sym],
    [19, elf.SHT_STRTAB, strings.length, 0, 0],
    [27, elf.SHT_SYMTAB_SHNDX, 16, 2, 4],
  ] as const) {
    at = Math.ceil(at / 8) * 8;
    section(name, type, at, size, link, entsize);
    at += size;
  }
  for (let index = 5; index < count; index++) section(41, elf.SHT_PROGBITS, at, 0, 0, 0);
  out.align(8).bytes(Buffer.from(names, 'latin1')).align(8);
  symbol(0, 0);
  symbol(1, elf.SHN_XINDEX);
  symbol(6, elf.SHN_XINDEX);
  symbol(12, elf.SHN_ABS);
  out.align(8).bytes(Buffer.from(strings, 'latin1')).align(8);
  out
    .u32(0)
    .u32(count - 1)
    .u32(elf.SHN_ABS)
    .u32(0);
  return out.done();
}
