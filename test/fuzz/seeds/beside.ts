import { gzipSync } from 'node:zlib';
import { MemorySource } from '../../../plugin/bytes/source.js';
import * as elf from '../../../plugin/elf/constants.js';
import { ElfFile } from '../../../plugin/elf/file.js';
import { SymbolTable } from '../../../plugin/elf/symbols.js';
import type { Seed } from '../seed.js';
import { HISTORY } from './history.js';
import { writeImage } from './image.js';
import { ARM, kernelImage, type Machine, type More } from './kernel.js';

/** CRC of module_layout, which a System.map does not tell. */
export const LAYOUT_CRC = 0x1234_5678;

/** A vmlinux whose symbol table is no longer told from other sections, and its System.map. */
export function strippedKernel(machine: Machine, more: More = {}): Seed {
  const image = kernelImage(machine, undefined, more);
  const file = ElfFile.open(new MemorySource(image, 'vmlinux'));
  const symbols = SymbolTable.read(file);
  const btf = file.section('.BTF');
  const rows = Array.from({ length: symbols.count - 1 }, (_, i) => symbols.at(i + 1))
    .filter(({ name }) => name !== '' && !name.startsWith('__crc_'))
    .map(({ name, value, type }) => ({ name, value, letter: type === elf.STT_FUNC ? 't' : 'd' }));
  rows.push({ name: '__stop_BTF', value: btf.addr + BigInt(btf.size), letter: 'd' });
  rows.sort((a, b) => (a.value < b.value ? -1 : a.value > b.value ? 1 : 0));
  const digits = machine.class / 4;
  const map = rows.map(({ value, letter, name }) => `${value.toString(16).padStart(digits, '0')} ${letter} ${name}\n`);
  const { shoff, shentsize, order } = file.header;
  const at = shoff + file.section('.symtab').index * shentsize + 4;
  new DataView(image.buffer).setUint32(at, elf.SHT_PROGBITS, order === 'little');
  return { name: machine.name, parts: [image, Buffer.from(map.join(''))] };
}

const OPTIONS = [
  '# Linux/arm 6.12.117 Kernel Configuration',
  'CONFIG_MODULES=y',
  '# CONFIG_MODULE_SIG is not set',
  'CONFIG_MODULE_SIG_FORCE=y',
  'CONFIG_MODULE_SIG_HASH="sha512"',
  'CONFIG_LOCALVERSION="-a \\"quoted\\" one"',
];

/** A file with a configuration in its read-only data, with the symbols that tell where, and without. */
export function configuredKernels(): Seed[] {
  const packed = gzipSync(`${OPTIONS.join('\n')}\n`);
  const data = Buffer.concat([Buffer.alloc(40, 1), Buffer.from('IKCFG_ST'), packed, Buffer.from('IKCFG_ED')]);
  const address = ARM.start + 0x1000n;
  const symbol = (name: string, offset: number) => ({
    name,
    section: '.rodata',
    value: address + BigInt(offset),
    size: 0,
    type: elf.STT_OBJECT,
    bind: elf.STB_LOCAL,
  });
  const marks = [symbol('kernel_config_data', 48), symbol('kernel_config_data_end', 48 + packed.length)];
  return [marks, [symbol('none', 0)]].map((symbols, i) => ({
    name: i === 0 ? 'by symbols' : 'by marks',
    parts: [
      writeImage({
        ...ARM,
        type: elf.ET_EXEC,
        sections: [{ name: '.rodata', type: elf.SHT_PROGBITS, flags: elf.SHF_ALLOC, align: 4, data, addr: address }],
        symbols,
      }),
    ],
  }));
}

const SYMVERS = [
  ['0x12345678', 'module_layout', 'vmlinux', 'EXPORT_SYMBOL', ''],
  ['0x9abcdef0', 'tcp_slow_start', 'vmlinux', 'EXPORT_SYMBOL_GPL', ''],
  ['0x00000000', 'demo', 'drivers/demo', 'EXPORT_SYMBOL_GPL', 'DEMO'],
].map(fields => `${fields.join('\t')}\n`);

const CONFIG = {
  $schema: 'vmlinux-btf.config.schema.json',
  keep: ['struct:list_head', 'func:*', '*_ops', 'percpu', 'core-types', 'rest_?'],
  keepFor: ['app.bpf.o'],
};

/** Texts of each form, with the name of it in front. */
export function texts(): Seed[] {
  const forms = {
    symvers: SYMVERS.join(''),
    kconfig: `${OPTIONS.join('\n')}\n`,
    config: JSON.stringify(CONFIG, null, 2),
    keep: CONFIG.keep.join('\n'),
    history: HISTORY,
    roots: 'struct:list_head # why\nfunc:bpf_iter_task\n\n1\n7\nenum:bpf_cmd\n',
  };
  return Object.entries(forms).map(([name, text]) => ({ name, parts: [Buffer.from(name), Buffer.from(text)] }));
}
