/**
 * Parts of the kernel by what their sets and functions are called: BTF does not say which source file a type is from. The first
 * pattern that fits counts, first for the set of a root and then for its type.
 */
const SUBSYSTEMS: readonly (readonly [name: string, pattern: RegExp])[] = [
  ['sched_ext', /\bscx_|sched_ext/],
  ['netfilter', /\bnf_|nf_conn|nft_|netfilter|_nf_|bpf_(xdp|skb)_ct_|flowtable/],
  ['tcp', /tcp|bbr|cubic|dctcp/],
  ['xdp', /xdp|xsk/],
  ['mptcp', /mptcp/],
  ['hid', /hid_|\bhid/],
  ['lsm', /lsm/],
  ['io_uring', /io_uring|\biou_|io_ring/],
  ['crypto', /crypt/],
  ['net', /skb|sock|\bsk_|_sk_|net|\bdst_|udp|unix|qdisc|fou|xfrm|ipv[46]|fib|route/],
  ['cgroup', /cgroup|cgrp|css_/],
  ['fs', /file|inode|dentry|path|vfs|\bfs_|_fs_|super|xattr|verity|vma/],
  ['mm', /mm_|\bmm|page|slab|kmem|arena|memcg/],
  ['trace', /kprobe|uprobe|kretprobe|trace|perf|fprobe|session/],
  ['sched', /task|sched|cpumask|rcu|preempt|irq/],
  ['bpf', /bpf|btf|verifier|map|prog|helper|kptr|dynptr|iter|stub/],
];

/** `source`: of a root; `name`: of its type. `other` when nothing fits. */
export function subsystemOf(source: string, name: string): string {
  // What a set is for says more than where it is from: every one of them belongs to BPF.
  const text = (value: string): string => value.replace(/\bbpf_(kfunc_set_)?|_?(kfunc_)?(btf_)?(set_)?ids?\b/g, '');
  for (const value of [text(source), text(name), source, name])
    for (const [subsystem, pattern] of SUBSYSTEMS) if (pattern.test(value)) return subsystem;
  return 'other';
}
