import type { Btf } from './btf.js';
import { KIND_INT } from './kinds.js';

/** `long` as compilers spell it (libbpf's determine_ptr_size). */
const LONG_NAMES = [
  'long',
  'long int',
  'int long',
  'unsigned long',
  'long unsigned',
  'unsigned long int',
  'unsigned int long',
  'long unsigned int',
  'long int unsigned',
  'int unsigned long',
  'int long unsigned',
].map(name => Uint8Array.from(`${name}\0`, character => character.charCodeAt(0)));

/** Bytes of a pointer, which BTF does not say: as many as its `long`, or that of its base, has; 8 without one. */
export function pointerBytesOf(btf: Btf): number {
  for (let side: Btf | undefined = btf; side !== undefined; side = side.base)
    for (const id of side.ofKind(KIND_INT)) {
      const bytes = side.sizeOrType(id);
      if ((bytes === 4 || bytes === 8) && isLong(side, side.nameOffset(id))) return bytes;
    }
  return 8;
}

/** Compares bytes: a string is not made of each name, for names may share a long end. */
function isLong(btf: Btf, offset: number): boolean {
  let holder = btf;
  while (offset < holder.stringBase && holder.base !== undefined) holder = holder.base;
  const { strings, stringBase } = holder;
  return LONG_NAMES.some(name => name.every((byte, i) => strings[offset - stringBase + i] === byte));
}
