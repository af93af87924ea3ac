import type { ByteSource } from '../bytes/source.js';
import { CodedError } from '../errors.js';

/** A kernel has some 20,000 exports of 80 bytes. */
const MAX_BYTES = 64 << 20;

/**
 * CRC of module_layout in a Module.symvers (scripts/mod/modpost.c, write_dump): a line an export, with the fields CRC,
 * symbol, module, kind and namespace, separated by tabs. Undefined where vmlinux exports no module_layout, which is so
 * without MODVERSIONS. Throws `module-symvers` for a line of another form.
 */
export function readLayoutCrc(source: ByteSource): number | undefined {
  const file = source.name;
  if (source.size > MAX_BYTES) throw new CodedError('module-symvers', `${source.size} bytes`, { file });
  const text = Buffer.from(source.read(0, source.size)).toString('latin1');
  let found: number | undefined;
  let line = 0;
  for (let start = 0; start < text.length; ) {
    const newline = text.indexOf('\n', start);
    const end = newline < 0 ? text.length : newline;
    line++;
    const [crc, symbol, module, kind] = text.slice(start, Math.min(end, start + 4096)).split('\t');
    if (!/^0x[0-9a-f]{8}$/.test(crc) || symbol === '' || kind === undefined || !kind.startsWith('EXPORT_SYMBOL'))
      throw new CodedError('module-symvers', `line ${line}: ${text.slice(start, Math.min(end, start + 80))}`, {
        file,
        offset: start,
      });
    if (symbol === 'module_layout' && module === 'vmlinux') found = Number(crc);
    start = end + 1;
  }
  return found;
}
