import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { MemorySource } from '../../plugin/bytes/source.js';
import { ElfFile } from '../../plugin/elf/file.js';
import { Relocations } from '../../plugin/elf/relocations.js';
import { scratchFolder } from '../support/scratch.js';
import { haveTool } from '../support/tools.js';
import { readelf } from './readelf.js';

const folder = scratchFolder(test, 'relocations');

interface Toolchain {
  readonly prefix: string;
  readonly package: string;
  /** Directive for a pointer. */
  readonly word: '.quad' | '.long';
  readonly options?: readonly string[];
  /** Whether lld 14 knows the machine. */
  readonly lld: boolean;
  /** What its linker calls a RELATIVE relocation. */
  readonly relative: string;
}

const TOOLCHAINS: readonly Toolchain[] = [
  {
    prefix: 'aarch64-linux-gnu',
    package: 'aarch64-linux-gnu',
    word: '.quad',
    lld: true,
    relative: 'R_AARCH64_RELATIVE',
  },
  { prefix: 'riscv64-linux-gnu', package: 'riscv64-linux-gnu', word: '.quad', lld: true, relative: 'R_RISCV_RELATIVE' },
  { prefix: 's390x-linux-gnu', package: 's390x-linux-gnu', word: '.quad', lld: false, relative: 'R_390_RELATIVE' },
  {
    prefix: 'powerpc64-linux-gnu',
    package: 'powerpc64-linux-gnu',
    word: '.quad',
    lld: true,
    relative: 'R_PPC64_RELATIVE',
  },
  {
    prefix: 'mips64-linux-gnuabi64',
    package: 'mips64-linux-gnuabi64',
    word: '.quad',
    lld: true,
    relative: 'R_MIPS_REL32',
  },
  {
    prefix: 'mips64el-linux-gnuabi64',
    package: 'mips64el-linux-gnuabi64',
    word: '.quad',
    lld: true,
    relative: 'R_MIPS_REL32',
  },
  { prefix: 'mips-linux-gnu', package: 'mips-linux-gnu', word: '.long', lld: true, relative: 'R_MIPS_REL32' },
  {
    prefix: 'arm-linux-gnueabihf',
    package: 'arm-linux-gnueabihf',
    word: '.long',
    lld: true,
    relative: 'R_ARM_RELATIVE',
  },
  { prefix: 'x86_64-linux-gnu', package: 'x86-64-linux-gnu', word: '.quad', lld: true, relative: 'R_X86_64_RELATIV' },
];

/** Pointers near each other and far apart (RELR needs a second address), into code, into data, into the middle. */
const POINTERS: Readonly<Record<string, readonly [target: string, addend: number]>> = {
  p0: ['f0', 0],
  p1: ['f1', 0],
  p2: ['f2', 0],
  itself: ['itself', 0],
  distant: ['f0', 0],
  middle: ['f1', 4],
};
const PLAIN = 0x1234;

function source(word: string): string {
  const pointer = (name: string): string => {
    const [target, addend] = POINTERS[name];
    return `.globl ${name}\n${name}: ${word} ${target}${addend === 0 ? '' : `+${addend}`}\n`;
  };
  return [
    '.text\n',
    ...['f0', 'f1', 'f2'].map(name => `.globl ${name}\n${name}: .long 0, 0\n`),
    `.data\n.balign 8\n${pointer('p0')}${pointer('p1')}.globl plain\nplain: ${word} ${PLAIN}\n`,
    `${pointer('p2')}${pointer('itself')}.skip 800\n${pointer('distant')}${pointer('middle')}`,
  ].join('');
}

/** Address of each symbol, as nm tells: MIPS32 ones sign-extended. */
function addresses(path: string): Map<string, bigint> {
  const lines = execFileSync('nm', [path], { encoding: 'latin1' }).matchAll(/^([0-9a-f]+) \w (\w+)$/gm);
  return new Map([...lines].map(([, address, name]) => [name, BigInt.asUintN(64, BigInt(`0x${address}`))]));
}

interface Link {
  readonly what: string;
  readonly linker: string;
  readonly package: string;
  readonly options: readonly string[];
  /** The kind of section that must have come of it. */
  readonly section: RegExp;
}

function links({ prefix, package: name, lld }: Toolchain): Link[] {
  const common = ['-shared', '-Bsymbolic', '-z', 'notext'];
  // arch/arm64/Makefile asks for it; GNU ld would fill the words in as well.
  const bare = prefix.startsWith('aarch64') ? ['--no-apply-dynamic-relocs'] : [];
  const gnu = {
    what: 'GNU ld',
    linker: `${prefix}-ld`,
    package: `binutils-${name}`,
    options: [...common, ...bare, '-Ttext=0x80010000'],
    section: /\] \.rela? ?\S* +RELA? /,
  };
  const llvm = {
    ...gnu,
    what: 'lld',
    linker: 'ld.lld',
    package: 'lld',
    options: [...common, '--image-base=0x80000000'],
  };
  const packed = {
    ...llvm,
    what: 'lld, packed',
    options: [...llvm.options, '--pack-dyn-relocs=relr'],
    section: /\] \.relr\.dyn +RELR /,
  };
  return lld ? [gnu, llvm, packed] : [gnu];
}

for (const toolchain of TOOLCHAINS) {
  for (const { what, linker, package: name, options, section } of links(toolchain)) {
    const { prefix, word, relative } = toolchain;
    test(`pointers are what the linker meant: ${prefix}, ${what}`, t => {
      if (!haveTool(t, `${prefix}-as`, `binutils-${toolchain.package}`) || !haveTool(t, linker, name)) return;
      const path = join(folder, `${prefix}-${what.replace(/\W/g, '')}`);
      writeFileSync(`${path}.s`, source(word));
      execFileSync(`${prefix}-as`, [`${path}.s`, '-o', `${path}.o`], { stdio: 'pipe' });
      execFileSync(linker, [...options, `${path}.o`, '-o', path], { stdio: 'pipe' });
      t.regex(readelf('-S', path), section);
      if (!what.includes('packed')) t.true(readelf('-r', path).includes(relative));

      const elf = ElfFile.open(new MemorySource(readFileSync(path), path));
      const relocations = Relocations.read(elf);
      const symbols = addresses(path);
      const at = (symbol: string): bigint => BigInt.asUintN(elf.header.class, symbols.get(symbol) ?? 0n);
      for (const [pointer, [target, addend]] of Object.entries(POINTERS))
        t.is(relocations.readPointer(at(pointer)), at(target) + BigInt(addend), pointer);
      t.is(relocations.readPointer(at('plain')), BigInt(PLAIN));
      if (/^(aarch64|riscv)/.test(prefix) && !what.includes('packed'))
        t.is(elf.readPointer(at('p0')), 0n, 'the word itself tells nothing');
    });
  }
}
