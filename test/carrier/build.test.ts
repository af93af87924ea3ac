import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { carrierArchitecture } from '../../plugin/carrier/architectures.js';
import { buildCarrier } from '../../plugin/carrier/carrier.js';
import * as elf from '../../plugin/elf/constants.js';
import type { ElfHeader } from '../../plugin/elf/file.js';
import { CodedError } from '../../plugin/errors.js';
import { readelf, readelfHeader, readelfSections } from '../elf/readelf.js';
import { bpftoolRaw } from '../support/bpftool.js';
import { BtfBuilder } from '../support/build-btf.js';
import { type LoaderKernel, refusals } from '../support/kernel-loader.js';
import { scratchFolder } from '../support/scratch.js';
import { haveTool, toolEnvironment } from '../support/tools.js';

const folder = scratchFolder(test, 'build-carrier');

interface Target {
  readonly name: string;
  readonly machine: number;
  readonly class: elf.ElfClass;
  readonly order: 'little' | 'big';
  /** e_flags of vmlinux, and of its modules. */
  readonly flags: number;
  readonly moduleFlags: number;
  /** As readelf -h names the machine. */
  readonly told: string;
  /** Sections that module linker scripts make and the loader of the architecture looks for. */
  readonly sections: readonly string[];
}

const ARM_SECTIONS = ['.plt', '.init.plt'];
const ARM64_SECTIONS = [...ARM_SECTIONS, '.text.ftrace_trampoline', '.init.text.ftrace_trampoline'];
const RISCV_SECTIONS = ['.plt', '.got', '.got.plt'];

function target(
  name: string,
  machine: number,
  elfClass: elf.ElfClass,
  order: 'little' | 'big',
  told: string,
  flags = 0,
  sections: readonly string[] = [],
  moduleFlags = flags,
): Target {
  return { name, machine, class: elfClass, order, told, flags, sections, moduleFlags };
}

/** e_flags: O32 and MIPS32 release 2 with PIC bits; MIPS64 release 2; EABI 5, hard float, BE8; RVC with soft float. */
const TARGETS: readonly Target[] = [
  target('MIPS LE', elf.EM_MIPS, 32, 'little', 'MIPS R3000', 0x7000_1003),
  target('MIPS BE', elf.EM_MIPS, 32, 'big', 'MIPS R3000', 0x7000_1003),
  target('MIPS64 LE', elf.EM_MIPS, 64, 'little', 'MIPS R3000', 0x8000_0001),
  target('MIPS64 BE', elf.EM_MIPS, 64, 'big', 'MIPS R3000', 0x8000_0001),
  target('ARM LE', elf.EM_ARM, 32, 'little', 'ARM', 0x0500_0400, ARM_SECTIONS, 0x0500_0000),
  target('ARM BE', elf.EM_ARM, 32, 'big', 'ARM', 0x0580_0400, ARM_SECTIONS, 0x0500_0000),
  target('arm64 LE', elf.EM_AARCH64, 64, 'little', 'AArch64', 0, ARM64_SECTIONS),
  target('arm64 BE', elf.EM_AARCH64, 64, 'big', 'AArch64', 0, ARM64_SECTIONS),
  target('x86-64', elf.EM_X86_64, 64, 'little', 'Advanced Micro Devices X86-64'),
  target('RISC-V 64', elf.EM_RISCV, 64, 'little', 'RISC-V', 1, RISCV_SECTIONS),
  target('RISC-V 32', elf.EM_RISCV, 32, 'little', 'RISC-V', 1, RISCV_SECTIONS),
];

/** As of a linked kernel; only what the carrier takes of it counts. */
function header({ machine, class: elfClass, order, flags }: Target): ElfHeader {
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
  return { class: elfClass, order, type: elf.ET_EXEC, machine, flags, ...nothing };
}

/** A base with one int, and a rest with a struct of it. */
function parts(order: 'little' | 'big'): { base: Uint8Array; rest: Uint8Array } {
  const base = new BtfBuilder({ order });
  const int = base.int('int', 4);
  const rest = new BtfBuilder({ order, base });
  rest.struct('moved', 4, [{ name: 'member', type: int, bits: 0 }]);
  return { base: base.build(), rest: rest.build() };
}

const abi = { vermagic: '6.12 SMP modversions ', moduleSize: 704, moduleNameOffset: 24, layoutCrc: 0xf234_5678 };

function build(to: Target, kernelAbi: Parameters<typeof buildCarrier>[0]['abi'] = abi): Uint8Array {
  const kernel = header(to);
  const architecture = carrierArchitecture(kernel, 'vmlinux');
  const { rest } = parts(to.order);
  return buildCarrier({ header: kernel, architecture, abi: kernelAbi, rest, baseSha256: 'ab'.repeat(32) });
}

function kernelOf({ class: elfClass, order, machine }: Target): LoaderKernel {
  const { vermagic, layoutCrc, moduleSize, moduleNameOffset } = abi;
  return {
    class: elfClass,
    order,
    machine,
    vermagic,
    layoutCrc,
    moduleBytes: moduleSize,
    nameOffset: moduleNameOffset,
  };
}

for (const to of TARGETS) {
  test(`a carrier for ${to.name} is read by readelf, modinfo and bpftool`, async t => {
    if (!haveTool(t, 'readelf', 'binutils')) return;
    const path = join(folder, `${to.name}.ko`);
    const basePath = join(folder, `${to.name}.btf`);
    writeFileSync(path, build(to));
    writeFileSync(basePath, parts(to.order).base);

    t.regex(readelf('-a', path), /__this_module/);
    t.is(/^ *Machine: +(.*)$/m.exec(readelf('-h', path))?.[1], to.told);
    const { class: elfClass, order, type, flags } = readelfHeader(path);
    t.deepEqual([elfClass, order, type, flags], [to.class, to.order, 'REL', to.moduleFlags]);
    // Printed as it stands in the file: unsigned long, then the name.
    const wide = to.class === 64;
    const crc = to.order === 'little' ? `785634f2${wide ? ' 00000000' : ''}` : `${wide ? '00000000 ' : ''}f2345678`;
    t.regex(readelf('-x__versions', path), new RegExp(`0x0+ ${crc} 6d6f6475 6c655f`));
    const sections = readelfSections(path).map(line => line.split(' '));
    for (const name of to.sections)
      t.is(sections.filter(words => words[1] === name && words[5] === '1').length, 1, name);
    t.is(sections.filter(words => /plt|got|trampoline/.test(words[1])).length, to.sections.length);
    const [, , , , offset, size, , , , align] = sections.find(words => words[1] === '.gnu.linkonce.this_module') ?? [];
    t.deepEqual([Number(offset) % 128, size, align], [0, '704', '128']);

    if (haveTool(t, 'modinfo', 'kmod')) {
      const told = execFileSync('modinfo', ['-0', path], {
        encoding: 'latin1',
        env: { ...process.env, ...toolEnvironment },
      });
      const fields = told.split('\0').map(field => field.replace(/: +/, '='));
      t.deepEqual(fields.slice(1, -1).sort(), [
        `btf_base_sha256=${'ab'.repeat(32)}`,
        'depends=',
        'description=BTF type information that vmlinux does not carry itself',
        'license=GPL',
        'name=vmlinux_btf',
        ...(to.machine === elf.EM_X86_64 ? ['retpoline=Y'] : []),
        `vermagic=${abi.vermagic}`,
      ]);
    }
    if (!haveTool(t, 'bpftool', 'bpftool')) return;
    const { text, complaint } = await bpftoolRaw(path, basePath);
    t.regex(text ?? '', /^\[2\] STRUCT 'moved' size=4 vlen=1\n\t'member' type_id=1 bits_offset=0\n$/, complaint);
  });

  test(`the checks of the kernel's loader hold for a carrier for ${to.name}`, t => {
    t.deepEqual(refusals(build(to), kernelOf(to)), []);
    const { layoutCrc: _, ...withoutCrc } = kernelOf(to);
    const plain = { ...abi, vermagic: '6.12 SMP ', layoutCrc: undefined };
    t.deepEqual(refusals(build(to, plain), { ...withoutCrc, vermagic: '6.12 SMP ' }), []);
  });

  test(`the kernel's loader says what is wrong with a carrier for ${to.name} of another kernel`, t => {
    const kernel = kernelOf(to);
    const carrier = build(to);
    t.deepEqual(refusals(carrier, { ...kernel, layoutCrc: 1 }), ['disagrees about version of symbol module_layout']);
    t.deepEqual(refusals(carrier, { ...kernel, moduleBytes: 705 }), [
      '.gnu.linkonce.this_module section size must match',
    ]);
    t.deepEqual(refusals(carrier, { ...kernel, vermagic: '6.12 ' }), [
      `version magic '${abi.vermagic}' should be '6.12 '`,
    ]);
    t.deepEqual(refusals(carrier, { ...kernel, vermagic: '6.12.1 SMP modversions ' }), [], 'CRCs count, not releases');
    t.deepEqual(refusals(carrier, { ...kernel, machine: 4 }), ['Invalid architecture in ELF header']);
    const unnamed = refusals(carrier, { ...kernel, nameOffset: abi.moduleNameOffset + 100 });
    t.is(unnamed[0], 'no name in struct module');
    const bare = { ...carrierArchitecture(header(to), 'vmlinux'), sections: [], modinfo: {} };
    const input = { header: header(to), architecture: bare, abi, rest: parts(to.order).rest, baseSha256: '' };
    const missing = [
      ...(to.machine === elf.EM_X86_64 ? ['loading module not compiled with retpoline compiler'] : []),
      ...to.sections.map(name => `module section ${name} missing`),
    ];
    t.deepEqual(refusals(buildCarrier(input), kernel), missing);
  });
}

test('an architecture whose modules are not known is refused', t => {
  for (const [machine, width] of [
    [elf.EM_386, 32],
    [elf.EM_X86_64, 32],
    [elf.EM_AARCH64, 32],
    [elf.EM_ARM, 64],
    [elf.EM_S390, 64],
    [elf.EM_PPC64, 64],
    [elf.EM_LOONGARCH, 64],
    [4, 32],
  ] as const) {
    const kernel: ElfHeader = { ...header(TARGETS[0]), machine, class: width };
    const error = t.throws(() => carrierArchitecture(kernel, 'vmlinux'), { instanceOf: CodedError });
    t.is(error?.code, 'arch-unsupported');
    t.is(error?.place.file, 'vmlinux');
  }
});

test('the same input gives the same carrier', t => {
  for (const to of TARGETS) t.deepEqual(build(to), build(to));
});
