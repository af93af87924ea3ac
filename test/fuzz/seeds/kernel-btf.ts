import { BtfBuilder, type Parameter } from '../../support/build-btf.js';

/** The parts of a kernel's BTF that the readers of roots look for, and the ids that its `.BTF_ids` would name. */
export interface KernelTypes {
  readonly bytes: Uint8Array;
  readonly kfuncs: readonly number[];
  readonly listed: readonly { readonly kind: 'struct' | 'func'; readonly name: string; readonly id: number }[];
}

/** Byte offsets and sizes that the image has to agree on, in words of the class. */
export const OPS_WORDS = { verifierOps: 0, name: 1, stubs: 2, size: 4 } as const;
export const STUBS = ['bpf_tcp_ca_ssthresh', 'bpf_tcp_ca_cong_avoid', 'bpf_tcp_ca_release'] as const;
export const KFUNCS = ['bpf_rdonly_cast', 'tcp_reno_ssthresh', 'tcp_slow_start'] as const;

/** `word`: bytes of a pointer; `more` adds types behind all others. */
export function kernelTypes(
  order: 'little' | 'big',
  word: 4 | 8,
  header: 24 | 32 = 24,
  more: (b: BtfBuilder) => void = () => {},
): KernelTypes {
  const b = new BtfBuilder({ order, header });
  const bits = word * 8;
  const int = b.int('int', 4, { encoding: 1 });
  const char = b.int('char', 1, { encoding: 2 });
  const text = b.ptr(b.const(char));
  const pointer = b.ptr(0);
  // struct sock and struct tcp_sock point to each other, as the kernel's do.
  const sock = b.endId;
  b.struct('sock', word * 2, [
    { name: 'sk_prot', type: b.endId + 2, bits: 0 },
    { name: 'flags', type: int, bits },
  ]);
  const tcpSock = b.struct('tcp_sock', word * 3, [{ name: 'inet', type: sock, bits: 0 }]);
  const toTcp = b.ptr(tcpSock);
  const toSock = b.typedef('sockp', b.ptr(sock));
  const call = (...parameters: Parameter[]): number => b.funcProto(int, parameters);
  const proto = call({ name: 'sk', type: toSock }, { name: 'ack', type: int });
  const callback = b.ptr(proto);
  const ops = b.struct('tcp_congestion_ops', word * 7, [
    { name: 'ssthresh', type: callback, bits: 0 },
    { name: 'cong_avoid', type: callback, bits },
    { name: 'key', type: toTcp, bits: bits * 2 },
    { name: 'release', type: callback, bits: bits * 3 },
    { name: 'name', type: b.endId + 1, bits: bits * 4 },
  ]);
  b.array(char, int, 16);
  const common = b.struct('bpf_struct_ops_common_value', 8, [{ name: 'refcnt', type: int, bits: 0 }]);
  b.struct('bpf_struct_ops_tcp_congestion_ops', 8 + word * 7, [
    { name: 'common', type: common, bits: 0 },
    { name: 'data', type: ops, bits: 64 },
  ]);
  b.struct('bpf_struct_ops', OPS_WORDS.size * word, [
    { name: 'verifier_ops', type: pointer, bits: OPS_WORDS.verifierOps * bits },
    { name: 'name', type: text, bits: OPS_WORDS.name * bits },
    { name: 'cfi_stubs', type: pointer, bits: OPS_WORDS.stubs * bits },
  ]);
  b.struct('module', 192, [
    { name: 'state', type: int, bits: 0 },
    { name: 'name', type: b.array(char, int, 56), bits: 96 },
    { name: 'init', type: callback, bits: 1024 },
  ]);
  for (const name of STUBS) b.func(name, proto);
  const kfuncs = KFUNCS.map(name => b.func(name, call({ name: 'sk', type: toTcp })));
  for (const id of kfuncs) b.declTag('bpf_kfunc', id);
  b.func(`${KFUNCS[0]}_impl`, proto);
  const convert = b.struct('bpf_ctx_convert', 8, [{ name: 'prog', type: sock, bits: 0 }]);
  const task = b.struct('task_struct', 16, [
    { name: 'pid', type: int, bits: 0 },
    { name: 'flags', type: b.enum('bpf_cmd', 4, [{ name: 'BPF_MAP_CREATE', value: 0n }]), bits: 32 },
  ]);
  b.struct('task_struct__safe_rcu', 8, [{ name: 'real_parent', type: b.ptr(task), bits: 0 }]);
  const iterator = b.func('bpf_iter_task', call({ name: 'meta', type: pointer }));
  b.func('bpf_lsm_file_open', proto);
  b.typedef('btf_trace_sched_switch', b.ptr(proto));
  b.func('__bpf_trace_sched_switch', proto);
  addRest(b, int, task);
  more(b);
  return {
    bytes: b.build(),
    kfuncs,
    listed: [
      { kind: 'struct', name: 'bpf_ctx_convert', id: convert },
      { kind: 'struct', name: 'task_struct', id: task },
      { kind: 'func', name: 'bpf_iter_task', id: iterator },
    ],
  };
}

/** What no root needs, in all remaining kinds; flavours and a per-cpu variable that must stay together. */
function addRest(b: BtfBuilder, int: number, task: number): void {
  b.struct('list_head', 8, [{ name: 'next', type: b.ptr(b.endId + 1), bits: 0 }]);
  b.struct('list_head___new', 8, [{ name: 'next', type: int, bits: 3, width: 5 }], true);
  const variable = b.var('runqueues', b.volatile(int), 1);
  b.datasec('.data..percpu', 64, [{ type: variable, offset: 8, size: 4 }]);
  b.union('fwd_user', 8, [{ name: '', type: b.ptr(b.fwd('opaque')), bits: 0 }]);
  b.enum64('wide', 8, [{ name: 'HUGE', value: 1n << 40n }], true);
  b.float('double', 8);
  b.restrict(b.ptr(b.typeTag('rcu', task)));
  for (let i = 0; i < 24; i++)
    b.struct(`rest_${i}`, 8, [
      { name: 'a', type: int, bits: 0 },
      { name: `b${i}`, type: b.endId - (i % 5), bits: 32 },
    ]);
}
