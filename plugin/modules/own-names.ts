import type { Btf } from '../btf/btf.js';

/** Ids of a module's own types of a kind whose name fits, ascending. Names may stand in the strings of vmlinux. */
export function ownTypes(btf: Btf, kind: number, fits: (name: string) => boolean): number[] {
  return Array.from(btf.ofKind(kind)).filter(id => fits(btf.name(id)));
}
