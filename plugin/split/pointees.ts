import type { Btf } from '../btf/btf.js';
import { KIND_FUNC, KIND_STRUCT } from '../btf/kinds.js';
import { functionPointer, members, protoPointees } from '../btf/resolve.js';
import type { Reason, Root } from '../roots/root.js';

/** btf_check_iter_arg (kernel/bpf/btf.c) wants a STRUCT of this prefix behind the first argument of an iterator's kfuncs. */
const ITERATOR_PREFIX = 'bpf_iter_';

/**
 * Structs and unions behind pointers that the kernel looks into when it registers something, or that programs which
 * attach by BTF are given: as a FWD, registration fails or the programs are refused.
 * - kfuncs: arguments of type `struct bpf_iter_*` (registration returns -22 otherwise);
 * - struct_ops: arguments and results of every member and of every stub (prepare_func_args looks for structs);
 * - iterators: parameters and results (btf_ctx_access refuses an argument that is no struct).
 * LSM hooks attach without: a program that reads through an argument wants the keep rule `lsm`. Ids in no order, possibly
 * repeated.
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

const WHOLE_FUNCTIONS: readonly Reason[] = ['stub', 'iterator'];

/** The FUNC_PROTO of a FUNC, or those of the members of a struct that are pointers to functions. */
export function prototypesOf(btf: Btf, id: number): number[] {
  const kind = btf.kind(id);
  if (kind === KIND_FUNC) return [btf.sizeOrType(id)];
  if (kind !== KIND_STRUCT) return [];
  return members(btf, id)
    .map(({ type }) => functionPointer(btf, type))
    .filter(proto => proto !== 0);
}
