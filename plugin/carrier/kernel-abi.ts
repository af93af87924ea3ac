import type { Btf } from '../btf/btf.js';
import { KIND_STRUCT } from '../btf/kinds.js';
import type { NameIndex } from '../btf/names.js';
import { memberAt } from '../btf/resolve.js';
import { EndianReader } from '../bytes/endian.js';
import { SHN_ABS } from '../elf/constants.js';
import type { ElfFile } from '../elf/file.js';
import type { Symbols } from '../elf/symbols.js';
import { CodedError } from '../errors.js';

const MAX_VERMAGIC = 256;
const MAX_BANNER = 512;
/** Where it stands, a module brings the CRCs of what it uses. */
const MODVERSIONS = /\bmodversions\b/;
/** struct module has 500 to 2,000 bytes. A carrier holds one, so a size that lies would be a file of gigabytes. */
const MAX_MODULE = 1 << 16;
/** Bytes that a name takes at least: the carrier's own, with its NUL. MODULE_NAME_LEN is 56 and more. */
const MODULE_NAME_BYTES = 12;

/** What a kernel asks of a module before it reads anything else of it. */
export interface KernelAbi {
  /** `6.12.117 SMP preempt mod_unload modversions ARMv7 p2v8 `, with its last space; a character a byte (latin1). */
  readonly vermagic: string;
  /** sizeof(struct module) and offset of its `name`, in bytes. */
  readonly moduleSize: number;
  readonly moduleNameOffset: number;
  /** CRC of module_layout; undefined without MODVERSIONS. */
  readonly layoutCrc: number | undefined;
}

/** What was given on the command line, for kernels that do not tell. */
export interface GivenAbi {
  readonly vermagic?: string | undefined;
  /** CRC of module_layout, from Module.symvers. */
  readonly layoutCrc?: number | undefined;
}

/**
 * Reads the ABI from a vmlinux: the vermagic from its data (or as given), struct module from its BTF, the CRC from
 * `__crc_module_layout` (or as given where there is no such symbol) when the vermagic says modversions. Throws `vermagic`,
 * `module-layout`, `modversions`.
 */
export function readKernelAbi(
  elf: ElfFile,
  symbols: Symbols,
  btf: Btf,
  names: NameIndex,
  given: GivenAbi = {},
): KernelAbi {
  const place = { file: elf.source.name };
  const module = names.first('module', KIND_STRUCT);
  const name = module === 0 ? undefined : memberAt(btf, module, 'name');
  if (name === undefined)
    throw new CodedError('module-layout', module === 0 ? 'no struct module' : 'struct module has no name', {
      ...place,
      section: '.BTF',
    });
  const moduleSize = btf.sizeOrType(module);
  if (moduleSize > MAX_MODULE || name.byteOffset + MODULE_NAME_BYTES > moduleSize)
    throw new CodedError(
      'module-layout',
      `struct module has ${moduleSize} bytes, its name starts at ${name.byteOffset}`,
      {
        ...place,
        section: '.BTF',
      },
    );
  const vermagic = given.vermagic ?? readVermagic(elf, symbols);
  return {
    vermagic,
    moduleSize,
    moduleNameOffset: name.byteOffset,
    layoutCrc: MODVERSIONS.test(vermagic) ? layoutCrc(elf, symbols, given.layoutCrc) : undefined,
  };
}

/** What a person reads: a release may have UTF-8 in it. */
export function shownVermagic({ vermagic }: KernelAbi): string {
  return Buffer.from(vermagic, 'latin1').toString('utf8').trim();
}

function readVermagic(elf: ElfFile, symbols: Symbols): string {
  const symbol = symbols.find('vermagic');
  if (symbol === undefined) throw new CodedError('vermagic', 'no symbol vermagic', { file: elf.source.name });
  return elf.readCString(symbol.value, MAX_VERMAGIC);
}

/** Text of the kernel itself; undefined when it has no such symbol, or not its bytes. */
function textOf(elf: ElfFile, symbols: Symbols, name: string, limit: number): string | undefined {
  const symbol = symbols.find(name);
  if (symbol === undefined) return undefined;
  try {
    return elf.readCString(symbol.value, limit);
  } catch (error) {
    if (error instanceof CodedError) return undefined;
    throw error;
  }
}

/** `6.12.117` and what follows, from the banner or the vermagic of the kernel itself; undefined when it has neither. */
export function kernelVersion(elf: ElfFile, symbols: Symbols): string | undefined {
  const banner = textOf(elf, symbols, 'linux_banner', MAX_BANNER);
  const version = /^Linux version (.*)/s.exec(banner ?? '')?.[1];
  return version ?? textOf(elf, symbols, 'vermagic', MAX_VERMAGIC);
}

/**
 * What a kernel does with a carrier of a vermagic that was given: it compares them byte for byte, without the release where the
 * module brings CRCs (same_magic, kernel/module/version.c). Undefined when it takes it, or does not tell its own.
 */
export function givenVermagicWarning(elf: ElfFile, symbols: Symbols, given: string | undefined): string | undefined {
  const own = given === undefined ? undefined : textOf(elf, symbols, 'vermagic', MAX_VERMAGIC);
  if (given === undefined || own === undefined) return undefined;
  const compared = (vermagic: string): string =>
    MODVERSIONS.test(given) ? vermagic.slice(Math.max(vermagic.indexOf(' '), 0)) : vermagic;
  if (compared(given) === compared(own)) return undefined;
  return `this kernel refuses the carrier: its vermagic is '${own}', the given one '${given}'`;
}

/** What is given may not contradict the kernel: it would be the Module.symvers of another build. */
function layoutCrc(elf: ElfFile, symbols: Symbols, given: number | undefined): number {
  const file = elf.source.name;
  const own = readLayoutCrc(elf, symbols);
  const crc = own ?? given;
  if (crc === undefined) throw new CodedError('modversions', 'no symbol __crc_module_layout', { file });
  if (given !== undefined && given !== crc)
    throw new CodedError('modversions', `0x${given.toString(16)} was given, the kernel has 0x${crc.toString(16)}`, {
      file,
    });
  return crc;
}

/** The CRC is the symbol's value (absolute, before 6.0) or the 32-bit word at its address. */
function readLayoutCrc(elf: ElfFile, symbols: Symbols): number | undefined {
  const symbol = symbols.find('__crc_module_layout');
  if (symbol === undefined) return undefined;
  if (symbol.section === SHN_ABS) return Number(BigInt.asUintN(32, symbol.value));
  return new EndianReader(elf.readAddress(symbol.value, 4), elf.header.order).u32(0);
}
