import type { Btf } from './btf.js';
import { IS_COMPOSITE, IS_MODIFIER, KIND_FUNC_PROTO, KIND_PTR, ROLE_TYPE } from './kinds.js';

/** Longer than any chain that the kernel resolves (MAX_RESOLVE_DEPTH is 32). */
const MAX_CHAIN = 256;

/** Follows typedefs and modifiers. 0 (void) at the end of a chain, and for one that is too long or leads to itself. */
export function skipModifiers(btf: Btf, id: number): number {
  for (let steps = 0; steps < MAX_CHAIN; steps++) {
    if (id === 0 || IS_MODIFIER[btf.kind(id)] === 0) return id;
    id = btf.sizeOrType(id);
  }
  return 0;
}

/** The FUNC_PROTO that a type is a pointer to, or 0. */
export function functionPointer(btf: Btf, id: number): number {
  const pointer = skipModifiers(btf, id);
  if (pointer === 0 || btf.kind(pointer) !== KIND_PTR) return 0;
  const target = skipModifiers(btf, btf.sizeOrType(pointer));
  return target !== 0 && btf.kind(target) === KIND_FUNC_PROTO ? target : 0;
}

/**
 * Structs and unions to which the pointers among result and parameters of a FUNC_PROTO lead; nothing for another kind. The BTF
 * may have a base.
 */
export function protoPointees(btf: Btf, proto: number): number[] {
  if (proto === 0 || btf.kind(proto) !== KIND_FUNC_PROTO) return [];
  const start = btf.start(proto);
  const owner = btf.owner(proto);
  const { words, roles } = owner;
  const found: number[] = [];
  for (let i = start + 2; i < start + owner.recordBytes(proto) / 4; i++) {
    if (roles[i] !== ROLE_TYPE) continue;
    const pointer = skipModifiers(btf, words[i]);
    if (pointer === 0 || btf.kind(pointer) !== KIND_PTR) continue;
    const target = skipModifiers(btf, btf.sizeOrType(pointer));
    if (target !== 0 && IS_COMPOSITE[btf.kind(target)] !== 0) found.push(target);
  }
  return found;
}

export interface Member {
  readonly name: string;
  readonly type: number;
  /** From the start of the struct. */
  readonly bitOffset: number;
  /** 0 when the member is no bit field. */
  readonly bitfieldSize: number;
}

/** Members of a STRUCT or UNION, in order; anonymous ones too. Other kinds have none. */
export function members(btf: Btf, id: number): Member[] {
  if (IS_COMPOSITE[btf.kind(id)] === 0) return [];
  const owner = btf.owner(id);
  const start = btf.start(id) + 3;
  const packed = btf.kindFlag(id);
  return Array.from({ length: btf.vlen(id) }, (_, i) => {
    const at = start + i * 3;
    const offset = owner.words[at + 2];
    return {
      name: btf.string(owner.words[at]),
      type: owner.words[at + 1],
      bitOffset: packed ? offset & 0xffffff : offset,
      bitfieldSize: packed ? offset >>> 24 : 0,
    };
  });
}

/** The member of this name, with its byte offset; undefined when there is none or it is no whole byte. */
export function memberAt(
  btf: Btf,
  id: number,
  name: string,
): { readonly byteOffset: number; readonly type: number } | undefined {
  const found = members(btf, id).find(
    member => member.name === name && member.bitfieldSize === 0 && member.bitOffset % 8 === 0,
  );
  return found === undefined ? undefined : { byteOffset: found.bitOffset / 8, type: found.type };
}
