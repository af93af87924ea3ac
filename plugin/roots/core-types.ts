import { KIND_ENUM, KIND_STRUCT } from '../btf/kinds.js';

/**
 * The kernel types that CO-RE programs of everyday tools relocate against: every type that the programs of libbpf-tools
 * (github.com/iovisor/bcc, commit 6d0a964c of 2026-05-27) have a relocation for, as `explain --prog` lists them; 53 of its
 * 58 programs were compiled, the others want headers of the host. What these types refer to comes along.
 */
const STRUCTS = [
  'bio',
  'block_device',
  'bpf_perf_event_data',
  'bpf_pidns_info',
  'bpf_ringbuf',
  'cfs_rq',
  'dentry',
  'file',
  'folio',
  'fs_struct',
  'gendisk',
  'inet_sock',
  'inode',
  'ipv6_pinfo',
  'irqaction',
  'kiocb',
  'kmem_cache',
  'mnt_namespace',
  'mount',
  'net',
  'netlink_sock',
  'nlmsghdr',
  'nsproxy',
  'oom_control',
  'open_how',
  'path',
  'pid',
  'pid_namespace',
  'pt_regs',
  'qstr',
  'renamedata',
  'request',
  'request_queue',
  'rq',
  'sk_buff',
  'sock',
  'socket',
  'super_block',
  'syscall_trace_enter',
  'syscall_trace_exit',
  'task_struct',
  'tcp_sock',
  'tcphdr',
  'trace_event_raw_block_rq_complete',
  'trace_event_raw_block_rq_completion',
  'trace_event_raw_inet_sock_set_state',
  'trace_event_raw_sys_exit',
  'trace_event_raw_tcp_event_sk',
  'upid',
  'vfsmount',
] as const;

const ENUMS = ['bpf_func_id'] as const;

/** A name that a kernel has not is skipped: tools ask before they use it. */
export const CORE_TYPES: readonly { readonly kind: number; readonly name: string }[] = [
  ...STRUCTS.map(name => ({ kind: KIND_STRUCT, name })),
  ...ENUMS.map(name => ({ kind: KIND_ENUM, name })),
];
