import type { Btf } from '../btf/btf.js';
import { KIND_ENUM, KIND_FUNC, KIND_STRUCT } from '../btf/kinds.js';
import { type NameIndex, typesWithPrefix, typesWithSuffix } from '../btf/names.js';
import type { Reason, Root } from './root.js';

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

/** FUNCs that attach by name: iterators (bpf_iter_reg_target) and LSM hooks (bpf_lsm_verify_prog). */
const FUNCTION_PREFIXES: readonly (readonly [string, Reason])[] = [
  ['bpf_iter_', 'iterator'],
  ['bpf_lsm_', 'lsm'],
];

/** `kfuncs`: roots that are kfuncs, for their `_impl` (implicit arguments, 7.x). */
export function rootsByName(btf: Btf, names: NameIndex, kfuncs: readonly Root[]): Root[] {
  const roots: Root[] = [];
  for (const { kind, name, source } of NAMED_TYPES) {
    const id = names.first(name, kind);
    if (id !== 0) roots.push({ id, reason: 'by-name', source });
  }
  for (const suffix of TRUST_SUFFIXES) {
    for (const id of typesWithSuffix(btf, KIND_STRUCT, suffix))
      roots.push({ id, reason: 'by-name', source: `kernel/bpf/verifier.c ${suffix}` });
  }
  for (const [prefix, reason] of FUNCTION_PREFIXES) {
    for (const id of typesWithPrefix(btf, KIND_FUNC, prefix)) roots.push({ id, reason, source: `${prefix}*` });
  }
  for (const kfunc of kfuncs) {
    const implementation = names.first(`${btf.name(kfunc.id)}_impl`, KIND_FUNC);
    if (implementation !== 0) roots.push({ id: implementation, reason: 'kfunc', source: kfunc.source });
  }
  return roots;
}
