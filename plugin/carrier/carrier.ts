import { ByteWriter } from '../bytes/writer.js';
import { SHF_ALLOC, SHF_WRITE, SHT_PROGBITS, STB_GLOBAL, STT_OBJECT } from '../elf/constants.js';
import type { ElfHeader } from '../elf/file.js';
import { type ObjectSection, writeObject } from '../elf/write-object.js';
import { architectureSections, type CarrierArchitecture } from './architectures.js';
import type { KernelAbi } from './kernel-abi.js';
import { BASE_HASH_KEY, encodeModinfo, MODINFO_SECTION } from './modinfo.js';

/** Name of the module, and of its file under /sys/kernel/btf: no dot, and not `vmlinux`. */
const CARRIER_NAME = 'vmlinux_btf';

const THIS_MODULE = '.gnu.linkonce.this_module';
/** BTF knows no alignment; struct module is ____cacheline_aligned, at most 128 bytes on the supported machines. */
const MODULE_ALIGN = 128;
/** struct modversion_info is 64 bytes: an unsigned long and a name. */
const MODVERSION_BYTES = 64;

export interface CarrierInput {
  /** Header of the vmlinux. */
  readonly header: ElfHeader;
  readonly architecture: CarrierArchitecture;
  readonly abi: KernelAbi;
  /** `.BTF` of the module. */
  readonly rest: Uint8Array;
  /** Hex SHA-256 of the vmlinux `.BTF` that the rest is split on: what a loader compares before it loads. */
  readonly baseSha256: string;
}

/**
 * `vmlinux_btf.ko`: a module without code whose `.BTF` is the rest. What the kernel asks of it stands in
 * kernel/module/main.c: vermagic and license in `.modinfo`, a `struct module` of the exact size that carries the name,
 * a symbol table, and under MODVERSIONS the CRC of module_layout.
 */
export function buildCarrier(input: CarrierInput): Uint8Array {
  const { header, architecture, abi, rest } = input;
  const sections: ObjectSection[] = [
    { name: MODINFO_SECTION, type: SHT_PROGBITS, flags: SHF_ALLOC, align: 1, data: modinfo(input) },
    ...(abi.layoutCrc === undefined
      ? []
      : [
          {
            name: '__versions',
            type: SHT_PROGBITS,
            flags: SHF_ALLOC,
            align: header.class / 8,
            data: versions(header, abi.layoutCrc),
          },
        ]),
    { name: THIS_MODULE, type: SHT_PROGBITS, flags: SHF_ALLOC | SHF_WRITE, align: MODULE_ALIGN, data: thisModule(abi) },
    ...architectureSections(architecture),
    // Not SHF_ALLOC: the kernel copies it while it loads the module and keeps no second copy.
    { name: '.BTF', type: SHT_PROGBITS, flags: 0, align: 4, data: rest },
  ];
  return writeObject({
    class: header.class,
    order: header.order,
    machine: header.machine,
    flags: architecture.flags(header.flags),
    sections,
    symbols: [
      {
        name: '__this_module',
        section: THIS_MODULE,
        value: 0n,
        size: abi.moduleSize,
        type: STT_OBJECT,
        bind: STB_GLOBAL,
      },
    ],
  });
}

function modinfo({ header, architecture, abi, baseSha256 }: CarrierInput): Uint8Array {
  const entries = {
    license: 'GPL',
    description: 'BTF type information that vmlinux does not carry itself',
    [BASE_HASH_KEY]: baseSha256,
    depends: '',
    ...architecture.modinfo,
    name: CARRIER_NAME,
    vermagic: abi.vermagic,
  };
  return encodeModinfo(entries, header.order);
}

function versions(header: ElfHeader, layoutCrc: number): Uint8Array {
  const writer = new ByteWriter(header.order, MODVERSION_BYTES);
  if (header.class === 64) writer.u64(BigInt(layoutCrc));
  else writer.u32(layoutCrc);
  return writer.cstring('module_layout').align(MODVERSION_BYTES).done();
}

function thisModule(abi: KernelAbi): Uint8Array {
  const bytes = new Uint8Array(abi.moduleSize);
  bytes.set(Buffer.from(CARRIER_NAME, 'latin1'), abi.moduleNameOffset);
  return bytes;
}
