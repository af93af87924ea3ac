import { gunzipSync } from 'node:zlib';
import { pieces } from '../bytes/source.js';
import type { ElfFile } from '../elf/file.js';
import type { Symbols } from '../elf/symbols.js';
import { CodedError } from '../errors.js';

const START = Buffer.from('IKCFG_ST', 'latin1');
const END = Buffer.from('IKCFG_ED', 'latin1');
/** A .config has some 200 kB. */
const MAX_CONFIG = 16 << 20;

/** The options of a kernel's .config that are set: `MODULE_SIG` → `y`; text without its quotes. */
export type KernelConfig = ReadonlyMap<string, string>;

export function parseConfig(text: string): KernelConfig {
  const options = new Map<string, string>();
  for (const [, name, value] of text.matchAll(/^CONFIG_(\w+)=(.*?)\r?$/gm))
    options.set(name, value.replace(/^"(.*)"$/, '$1').replace(/\\(["\\])/g, '$1'));
  return options;
}

/**
 * The configuration that CONFIG_IKCONFIG=y puts into vmlinux (kernel/configs.c): gzip'd, between two marks. Undefined when
 * there is none. Throws `kconfig` when it does not unpack.
 */
export function readIkconfig(elf: ElfFile, symbols: Symbols): KernelConfig | undefined {
  const packed = bySymbols(elf, symbols) ?? byMarks(elf);
  if (packed === undefined) return undefined;
  try {
    return parseConfig(gunzipSync(packed, { maxOutputLength: MAX_CONFIG }).toString('latin1'));
  } catch (error) {
    throw new CodedError('kconfig', 'the configuration in it does not unpack', { file: elf.source.name }, error);
  }
}

function bySymbols(elf: ElfFile, symbols: Symbols): Uint8Array | undefined {
  const start = symbols.find('kernel_config_data');
  const end = symbols.find('kernel_config_data_end');
  if (start === undefined || end === undefined) return undefined;
  const length = Number(end.value - start.value);
  return length > 0 && length <= MAX_CONFIG ? elf.readAddress(start.value, length) : undefined;
}

/** Without symbols: the first marks in read-only data, where the kernel keeps it. */
function byMarks(elf: ElfFile): Uint8Array | undefined {
  const section = elf.find('.rodata');
  if (section === undefined) return undefined;
  let start = -1;
  let before = Buffer.alloc(0);
  for (const { offset, bytes } of pieces(elf.source, section.offset, section.size)) {
    const window = Buffer.concat([before, bytes]);
    const at = offset - before.length;
    if (start < 0) {
      const found = window.indexOf(START);
      if (found >= 0) start = at + found + START.length;
    }
    if (start >= 0) {
      const found = window.indexOf(END, Math.max(start - at, 0));
      if (found >= 0) return elf.source.read(start, at + found - start);
    }
    before = window.subarray(-START.length);
  }
  return undefined;
}

/** Which options, if any, make the kernel refuse a module without a valid signature. */
export function forcedBy(config: KernelConfig): string | undefined {
  const names = ['MODULE_SIG_FORCE', 'LOCK_DOWN_KERNEL_FORCE_INTEGRITY', 'LOCK_DOWN_KERNEL_FORCE_CONFIDENTIALITY'];
  const found = names.find(name => config.get(name) === 'y');
  return found === undefined ? undefined : `CONFIG_${found}=y`;
}
