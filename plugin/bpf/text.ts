import type { Btf } from '../btf/btf.js';
import { MAX_NAME_BYTES } from '../btf/names.js';
import { CodedError } from '../errors.js';

/**
 * A string of a BTF without a base, of at most MAX_NAME_BYTES: many types may share one long string, so a small file could
 * else cost gigabytes. The caller has checked the offset. Throws `btf-strings`.
 */
export function shortString(btf: Btf, offset: number): string {
  const bytes = btf.strings.subarray(offset, offset + MAX_NAME_BYTES);
  const end = bytes.indexOf(0);
  if (end < 0)
    throw new CodedError('btf-strings', `a name of ${MAX_NAME_BYTES} bytes or more`, {
      section: '.BTF',
      offset: btf.header.length + btf.header.strings.offset + offset,
    });
  return Buffer.from(bytes.buffer, bytes.byteOffset, end).toString('latin1');
}

export function typeName(btf: Btf, id: number): string {
  return id === 0 ? '' : shortString(btf, btf.nameOffset(id));
}
