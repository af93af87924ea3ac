import type { Btf } from '../btf/btf.js';
import { IS_COMPOSITE, KIND_FUNC, KIND_FUNC_PROTO, KIND_PTR, KIND_STRUCT, ROLE_TYPE } from '../btf/kinds.js';
import { functionPointer, members, skipModifiers } from '../btf/resolve.js';
import type { Reason, Root } from '../roots/root.js';

/** btf_check_iter_arg (kernel/bpf/btf.c) wants a STRUCT of this prefix behind the first argument of an iterator's kfuncs. */
const ITERATOR_PREFIX = 'bpf_iter_';

/**
 * Structs and unions behind pointers that the kernel looks into when it registers something, or that programs which
 * attach by BTF are given: as a FWD, registration fails or the programs are refused.
 * - kfuncs: arguments of type `struct bpf_iter_*` (registration returns -22 otherwise);
 * - struct_ops: arguments and results of every member and of every stub (prepare_func_args looks for structs);
 * - iterators and LSM hooks: parameters and results (btf_ctx_access refuses an argument that is no struct).
 * Ids in no order, possibly repeated.
 */
export function pointeesThatStay(btf: Btf, roots: readonly Root[]): number[] {
  const whole = new Set<number>();
  const iterators = new Set<number>();
  for (const { id, reason } of roots) {
    const isFunction = btf.kind(id) === KIND_FUNC;
    if (isFunction && reason === 'kfunc') iterators.add(btf.sizeOrType(id));
    else if (isFunction ? WHOLE_FUNCTIONS.includes(reason) : reason === 'struct_ops')
      for (const proto of prototypesOf(btf, id)) whole.add(proto);
  }
  return [
    ...[...whole].flatMap(proto => protoPointees(btf, proto)),
    ...[...iterators]
      .flatMap(proto => protoPointees(btf, proto))
      .filter(pointee => btf.name(pointee).startsWith(ITERATOR_PREFIX)),
  ];
}

const WHOLE_FUNCTIONS: readonly Reason[] = ['stub', 'iterator', 'lsm'];

/** The FUNC_PROTO of a FUNC, or those of the members of a struct that are pointers to functions. */
export function prototypesOf(btf: Btf, id: number): number[] {
  const kind = btf.kind(id);
  if (kind === KIND_FUNC) return [btf.sizeOrType(id)];
  if (kind !== KIND_STRUCT) return [];
  return members(btf, id)
    .map(({ type }) => functionPointer(btf, type))
    .filter(proto => proto !== 0);
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
