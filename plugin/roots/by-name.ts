import type { Btf } from '../btf/btf.js';
import { HEAD_WORDS, KIND_ENUM, KIND_FUNC, KIND_FUNC_PROTO, KIND_INT, KIND_PTR, KIND_STRUCT } from '../btf/kinds.js';
import { type NameIndex, typesWithPrefix, typesWithSuffix } from '../btf/names.js';
import { skipModifiers } from '../btf/resolve.js';
import type { Root } from './root.js';

interface NamedType {
  readonly kind: number;
  readonly name: string;
  /** The kernel source that looks the name up. */
  readonly source: string;
}

/**
 * Types that the kernel looks up by name at run time and that no `.BTF_ids` word names. A name that a kernel's BTF has
 * not is skipped: that kernel lacks the code as well. Read from Linux 6.1, 6.12 and 7.2.
 */
const NAMED_TYPES: readonly NamedType[] = [
  { kind: KIND_STRUCT, name: 'sock', source: 'net/ipv4/bpf_tcp_ca.c' },
  { kind: KIND_STRUCT, name: 'tcp_sock', source: 'net/ipv4/bpf_tcp_ca.c' },
  { kind: KIND_STRUCT, name: 'tcp_congestion_ops', source: 'net/ipv4/bpf_tcp_ca.c' },
  { kind: KIND_STRUCT, name: 'bpf_dummy_ops_state', source: 'net/bpf/bpf_dummy_struct_ops.c' },
  { kind: KIND_STRUCT, name: 'task_struct', source: 'kernel/sched/ext.c' },
  { kind: KIND_STRUCT, name: 'sk_buff', source: 'net/netfilter/nf_bpf_link.c' },
  { kind: KIND_STRUCT, name: 'nf_hook_state', source: 'net/netfilter/nf_bpf_link.c' },
  { kind: KIND_STRUCT, name: 'hid_bpf_ctx', source: 'drivers/hid/bpf/hid_bpf_struct_ops.c' },
  { kind: KIND_STRUCT, name: 'hid_device', source: 'drivers/hid/bpf/hid_bpf_struct_ops.c' },
  { kind: KIND_STRUCT, name: 'iou_loop_params', source: 'io_uring/bpf-ops.c' },
  { kind: KIND_STRUCT, name: 'module', source: 'kernel/bpf/bpf_struct_ops.c' },
  { kind: KIND_ENUM, name: 'bpf_cmd', source: 'kernel/bpf/inode.c' },
  { kind: KIND_ENUM, name: 'bpf_map_type', source: 'kernel/bpf/inode.c' },
  { kind: KIND_ENUM, name: 'bpf_prog_type', source: 'kernel/bpf/inode.c' },
  { kind: KIND_ENUM, name: 'bpf_attach_type', source: 'kernel/bpf/inode.c' },
];

/** `struct T<suffix>`: the fields of T that the verifier trusts (btf_nested_type_is_trusted). */
const TRUST_SUFFIXES = ['__safe_rcu', '__safe_rcu_or_null', '__safe_trusted', '__safe_trusted_or_null'] as const;

const ITERATOR_PREFIX = 'bpf_iter_';
/** First parameter of every FUNC that DEFINE_BPF_ITER_FUNC (include/linux/bpf.h) makes; it returns int. */
const ITERATOR_META = 'bpf_iter_meta';
const LSM_PREFIX = 'bpf_lsm_';
/** The set of `.BTF_ids` with every hook that a program can attach to (bpf_lsm_verify_prog). */
const LSM_HOOKS = 'bpf_lsm_hooks';

/** `known`: the roots of `.BTF_ids`. kfuncs among them take their `_impl` along (implicit arguments, 7.x). */
export function rootsByName(btf: Btf, names: NameIndex, known: readonly Root[]): Root[] {
  const roots: Root[] = [];
  for (const { kind, name, source } of NAMED_TYPES) {
    const id = names.first(name, kind);
    if (id !== 0) roots.push({ id, reason: 'by-name', source });
  }
  for (const suffix of TRUST_SUFFIXES) {
    for (const id of typesWithSuffix(btf, KIND_STRUCT, suffix))
      roots.push({ id, reason: 'by-name', source: `kernel/bpf/verifier.c ${suffix}` });
  }
  roots.push(...iterators(btf), ...lsmHooks(btf, known));
  for (const kfunc of known) {
    if (kfunc.reason !== 'kfunc') continue;
    const implementation = names.first(`${btf.name(kfunc.id)}_impl`, KIND_FUNC);
    if (implementation !== 0) roots.push({ id: implementation, reason: 'kfunc', source: kfunc.source });
  }
  return roots;
}

/**
 * FUNCs that programs of iterators attach to (bpf_iter_prog_supported). The kernel's own functions of that prefix, such as
 * bpf_iter_get_func_proto, are none: what they refer to would stay for nothing.
 */
function iterators(btf: Btf): Root[] {
  return typesWithPrefix(btf, KIND_FUNC, ITERATOR_PREFIX)
    .filter(id => isIterator(btf, id))
    .map(id => ({ id, reason: 'iterator', source: `${ITERATOR_PREFIX}*` }));
}

/** `id`: a FUNC, of the kernel or of a module. */
export function isIterator(btf: Btf, id: number): boolean {
  const proto = btf.sizeOrType(id);
  if (!btf.name(id).startsWith(ITERATOR_PREFIX) || proto === 0) return false;
  if (btf.kind(proto) !== KIND_FUNC_PROTO || btf.vlen(proto) === 0) return false;
  const result = skipModifiers(btf, btf.sizeOrType(proto));
  const pointer = skipModifiers(btf, btf.owner(proto).words[btf.start(proto) + HEAD_WORDS + 1]);
  if (result === 0 || btf.kind(result) !== KIND_INT || pointer === 0 || btf.kind(pointer) !== KIND_PTR) return false;
  const meta = skipModifiers(btf, btf.sizeOrType(pointer));
  return meta !== 0 && btf.name(meta) === ITERATOR_META;
}

/** By their names only where no set tells them: bpf_lsm_func_proto and the like have the prefix as well. */
function lsmHooks(btf: Btf, known: readonly Root[]): Root[] {
  if (known.some(({ source }) => source === LSM_HOOKS)) return [];
  return typesWithPrefix(btf, KIND_FUNC, LSM_PREFIX).map(id => ({ id, reason: 'lsm', source: `${LSM_PREFIX}*` }));
}
