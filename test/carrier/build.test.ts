import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { carrierArchitecture } from '../../plugin/carrier/architectures.js';
import { buildCarrier } from '../../plugin/carrier/carrier.js';
import { EM_AARCH64, EM_ARM, EM_MIPS, EM_X86_64, ET_EXEC } from '../../plugin/elf/constants.js';
import type { ElfHeader } from '../../plugin/elf/file.js';
import { CodedError } from '../../plugin/errors.js';
import { readelf, readelfHeader } from '../elf/readelf.js';
import { bpftoolRaw } from '../support/bpftool.js';
import { BtfBuilder } from '../support/build-btf.js';
import { scratchFolder } from '../support/scratch.js';
import { haveTool } from '../support/tools.js';

const folder = scratchFolder(test, 'build-carrier');

/** As of a linked kernel; only what the carrier takes of it counts. */
function header(machine: number, order: 'little' | 'big', flags: number): ElfHeader {
  const nothing = {
    osabi: 0,
    entry: 0n,
    shoff: 0,
    shentsize: 40,
    shnum: 0,
    shstrndx: 0,
    phoff: 0,
    phentsize: 32,
    phnum: 0,
  };
  return { class: 32, order, type: ET_EXEC, machine, flags, ...nothing };
}

/** A base with one int, and a rest with a struct of it. */
function parts(order: 'little' | 'big'): { base: Uint8Array; rest: Uint8Array } {
  const base = new BtfBuilder({ order });
  const int = base.int('int', 4);
  const rest = new BtfBuilder({ order, base });
  rest.struct('moved', 4, [{ name: 'member', type: int, bits: 0 }]);
  return { base: base.build(), rest: rest.build() };
}

const abi = { vermagic: '6.12 modversions ', moduleSize: 704, moduleNameOffset: 12, layoutCrc: 0x1234_5678 };
/** O32, MIPS32 release 2 with PIC bits; EABI 5, hard float. */
const MIPS_FLAGS = 0x7000_1003;
const ARM_FLAGS = 0x0500_0400;

for (const [name, machine, order, flags, moduleFlags] of [
  ['MIPS, little-endian', EM_MIPS, 'little', MIPS_FLAGS, MIPS_FLAGS],
  ['MIPS, big-endian', EM_MIPS, 'big', MIPS_FLAGS, MIPS_FLAGS],
  ['ARM, little-endian', EM_ARM, 'little', ARM_FLAGS, 0x0500_0000],
  ['ARM, big-endian', EM_ARM, 'big', ARM_FLAGS, 0x0500_0000],
] as const) {
  test(`a carrier for ${name} is read by readelf and bpftool`, async t => {
    if (!haveTool(t, 'readelf', 'binutils')) return;
    const kernel = header(machine, order, flags);
    const { base, rest } = parts(order);
    const architecture = carrierArchitecture(kernel, 'vmlinux');
    const bytes = buildCarrier({ header: kernel, architecture, abi, rest, baseSha256: 'ab'.repeat(32) });
    const path = join(folder, `${machine}-${order}.ko`);
    const basePath = join(folder, `${machine}-${order}.btf`);
    writeFileSync(path, bytes);
    writeFileSync(basePath, base);

    t.regex(readelf('-a', path), /__this_module/);
    const seen = readelfHeader(path);
    t.is(seen.class, 32);
    t.is(seen.order, order);
    t.is(seen.type, 'REL');
    t.is(seen.flags, moduleFlags);
    // Printed as it stands in the file: unsigned long, then the name.
    const crc = order === 'little' ? '78563412' : '12345678';
    t.regex(readelf('-x__versions', path), new RegExp(`0x0+ ${crc} 6d6f6475 6c655f6c 61796f75`));
    const modinfo = readelf('-p.modinfo', path);
    for (const text of [
      'license=GPL',
      'name=vmlinux_btf',
      'vermagic=6.12 modversions ',
      `btf_base_sha256=${'ab'.repeat(32)}`,
    ])
      t.true(modinfo.includes(text), text);
    if (!haveTool(t, 'bpftool', 'bpftool')) return;
    const { text, complaint } = await bpftoolRaw(path, basePath);
    t.regex(text ?? '', /^\[2\] STRUCT 'moved' size=4 vlen=1\n\t'member' type_id=1 bits_offset=0\n$/, complaint);
  });
}

test('an architecture whose modules are not known is refused', t => {
  for (const [machine, width] of [
    [EM_X86_64, 64],
    [EM_AARCH64, 64],
    [EM_MIPS, 64],
    [EM_ARM, 64],
    [4, 32],
  ] as const) {
    const kernel: ElfHeader = { ...header(machine, 'little', 0), class: width };
    const error = t.throws(() => carrierArchitecture(kernel, 'vmlinux'), { instanceOf: CodedError });
    t.is(error?.code, 'arch-unsupported');
    t.is(error?.place.file, 'vmlinux');
  }
});

test('the same input gives the same carrier', t => {
  const kernel = header(EM_MIPS, 'little', MIPS_FLAGS);
  const make = (): Uint8Array =>
    buildCarrier({
      header: kernel,
      architecture: carrierArchitecture(kernel, 'vmlinux'),
      abi,
      rest: parts('little').rest,
      baseSha256: '',
    });
  t.deepEqual(make(), make());
});
