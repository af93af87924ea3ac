import type { Btf } from '../btf/btf.js';
import { KIND_STRUCT } from '../btf/kinds.js';
import type { NameIndex } from '../btf/names.js';
import { memberAt } from '../btf/resolve.js';
import { EndianReader } from '../bytes/endian.js';
import { SHN_ABS } from '../elf/constants.js';
import type { ElfFile } from '../elf/file.js';
import type { SymbolTable } from '../elf/symbols.js';
import { CodedError } from '../errors.js';

const MAX_VERMAGIC = 256;

/** What a kernel asks of a module before it reads anything else of it. */
export interface KernelAbi {
  /** `6.12.117 SMP preempt mod_unload modversions ARMv7 p2v8 `, with its last space. */
  readonly vermagic: string;
  /** sizeof(struct module) and offset of its `name`, in bytes. */
  readonly moduleSize: number;
  readonly moduleNameOffset: number;
  /** CRC of module_layout; undefined without MODVERSIONS. */
  readonly layoutCrc: number | undefined;
}

/**
 * Reads the ABI from a vmlinux: the vermagic from its data (or `override`), struct module from its BTF, the CRC from
 * `__crc_module_layout` when the vermagic says modversions. Throws `vermagic`, `module-layout`, `modversions`.
 */
export function readKernelAbi(
  elf: ElfFile,
  symbols: SymbolTable,
  btf: Btf,
  names: NameIndex,
  override?: string,
): KernelAbi {
  const place = { file: elf.source.name };
  const module = names.first('module', KIND_STRUCT);
  const name = module === 0 ? undefined : memberAt(btf, module, 'name');
  if (name === undefined)
    throw new CodedError('module-layout', module === 0 ? 'no struct module' : 'struct module has no name', {
      ...place,
      section: '.BTF',
    });
  const vermagic = override ?? readVermagic(elf, symbols);
  return {
    vermagic,
    moduleSize: btf.sizeOrType(module),
    moduleNameOffset: name.byteOffset,
    layoutCrc: /\bmodversions\b/.test(vermagic) ? readLayoutCrc(elf, symbols) : undefined,
  };
}

function readVermagic(elf: ElfFile, symbols: SymbolTable): string {
  const symbol = symbols.find('vermagic');
  if (symbol === undefined) throw new CodedError('vermagic', 'no symbol vermagic', { file: elf.source.name });
  return elf.readCString(symbol.value, MAX_VERMAGIC);
}

/** The CRC is the symbol's value (absolute, before 6.0) or the 32-bit word at its address. */
function readLayoutCrc(elf: ElfFile, symbols: SymbolTable): number {
  const symbol = symbols.find('__crc_module_layout');
  if (symbol === undefined)
    throw new CodedError('modversions', 'no symbol __crc_module_layout', { file: elf.source.name });
  if (symbol.section === SHN_ABS) return Number(BigInt.asUintN(32, symbol.value));
  return new EndianReader(elf.readAddress(symbol.value, 4), elf.header.order).u32(0);
}
