import { KIND_FUNC, KIND_INT, KIND_STRUCT, KIND_TYPEDEF, KIND_VAR } from '../../../plugin/btf/kinds.js';
import {
  add,
  and,
  copy,
  exit,
  FP,
  helper,
  type Instruction,
  ifNegative,
  ifZero,
  kfunc,
  load32,
  load64,
  mov,
  put32,
  stack,
  variable,
} from './bpf-assembler.js';
import { portablePrograms, typedPointer, writingIterators } from './iterators.js';
import type { KernelTypes, Place } from './kernel-types.js';
import {
  LSM,
  LSM_MAC,
  MODIFY_RETURN,
  type ProbeProgram,
  program,
  SCHED_CLS,
  type Shape,
  STRUCT_OPS,
  TRACE_FENTRY,
  TRACE_FEXIT,
  TRACE_RAW_TP,
  TRACING,
  XDP,
} from './probe-program.js';

const snprintf_btf = helper(149);
const per_cpu_ptr = helper(153);
const get_current_task_btf = helper(158);

const NOTHING = [mov(0, 0), exit];

/** Programs that need nothing but what every base has to hold, and the two modules. They name types of vmlinux alone. */
export function mandatoryPrograms(types: KernelTypes): ProbeProgram[] {
  const func = (name: string): Place => ({ btf: 'vmlinux', id: types.id(name, KIND_FUNC) });
  const task = types.id('task_struct', KIND_STRUCT);
  const pid = types.member(task, 'pid').offset;
  const on = (name: string, attachType: number, type = TRACING): Shape => ({
    type,
    attachType,
    attach: func(name),
    use: 'attach',
  });
  return [
    // The process with number 1 has number 1.
    program('kfunc', { type: SCHED_CLS, use: 'run' }, [
      mov(1, 1),
      kfunc(func('bpf_task_from_pid').id),
      ifZero(0, 5),
      copy(6, 0),
      load32(7, 0, pid),
      copy(1, 6),
      kfunc(func('bpf_task_release').id),
      copy(0, 7),
      exit,
    ]),
    program('no_kfunc', { type: SCHED_CLS, use: 'run' }, [kfunc(func('bpf_lsm_file_open').id), ...NOTHING]),
    program('fentry', on('bpf_fentry_test1', TRACE_FENTRY), NOTHING),
    program('fexit', on('bpf_fentry_test1', TRACE_FEXIT), NOTHING),
    program('fmod_ret', on('bpf_modify_return_test', MODIFY_RETURN), NOTHING),
    program('lsm', on('bpf_lsm_file_open', LSM_MAC, LSM), NOTHING),
    ...portablePrograms(types),
    ...writingIterators(types),
    ...conntrackPrograms(types),
    printingProgram('print', types.id('int', KIND_INT)),
    ...congestionControl(types),
  ];
}

/** The first four letters of "(int)42", if the type is int, or -ERRNO. */
function printing(id: number): Instruction[] {
  return [
    ...typedPointer(3, id),
    ...stack(1, -88),
    mov(2, 64),
    mov(4, 16),
    mov(5, 0),
    snprintf_btf,
    ifNegative(0, 1),
    load32(0, FP, -88),
    exit,
  ];
}

/** struct bpf_ct_opts: this network namespace, TCP; and struct bpf_sock_tuple of IPv4. */
const CT_ARGUMENTS = [
  put32(FP, -16, -1),
  put32(FP, -12, 0),
  put32(FP, -8, 6),
  put32(FP, -4, 0),
  put32(FP, -32, 0x0101010a),
  put32(FP, -28, 0x0201010a),
  put32(FP, -24, 0x00010002),
  ...stack(2, -32),
  mov(3, 12),
  ...stack(4, -16),
  mov(5, 16),
];
const IPS_SRC_NAT = 1 << 4;
/** Milliseconds that the connection is kept: it is looked up again once the carrier is loaded, on machines as slow as they may be. */
const CT_TIMEOUT = 600_000;

/**
 * A connection is made with a kfunc of nf_conntrack, translated with one of nf_nat (they have to agree what a struct
 * nf_conn___init is), entered, and found again by a program that reads from it that it is translated.
 */
function conntrackPrograms(types: KernelTypes): ProbeProgram[] {
  const btfs = ['nf_conntrack', 'nf_nat'];
  const call = (name: string, btf = 1): Instruction => kfunc(types.id(name, KIND_FUNC, btfs[btf - 1]), btf);
  const { offset } = types.member(types.id('nf_conn', KIND_STRUCT), 'status');
  return [
    program('conntrack', { type: XDP, btfs, use: 'run' }, [
      ...CT_ARGUMENTS,
      call('bpf_xdp_ct_alloc'),
      ifZero(0, 20),
      copy(6, 0),
      ...[-64, -60, -56, -52].map(at => put32(FP, at, at === -64 ? 0x0301010a : 0)),
      copy(1, 6),
      ...stack(2, -64),
      mov(3, 4000),
      mov(4, 0),
      call('bpf_ct_set_nat_info', 2),
      copy(1, 6),
      mov(2, CT_TIMEOUT),
      call('bpf_ct_set_timeout'),
      copy(1, 6),
      call('bpf_ct_insert_entry'),
      ifZero(0, 4),
      copy(1, 0),
      call('bpf_ct_release'),
      mov(0, 1),
      exit,
      load32(0, FP, -12),
      exit,
    ]),
    program('lookup', { type: SCHED_CLS, btfs, use: 'run' }, [
      ...CT_ARGUMENTS,
      call('bpf_skb_ct_lookup'),
      ifZero(0, 6),
      load64(6, 0, offset),
      and(6, IPS_SRC_NAT),
      copy(1, 0),
      call('bpf_ct_release'),
      copy(0, 6),
      exit,
      load32(0, FP, -12),
      exit,
    ]),
  ];
}

/** A TCP congestion control of programs, the struct_ops of net/ipv4/bpf_tcp_ca.c. Its `init` reads a field of struct tcp_sock. */
function congestionControl(types: KernelTypes): ProbeProgram[] {
  const ops = types.id('tcp_congestion_ops', KIND_STRUCT);
  const value = types.id('bpf_struct_ops_tcp_congestion_ops', KIND_STRUCT);
  const data = types.member(value, 'data').offset;
  const window = types.member(types.id('tcp_sock', KIND_STRUCT), 'snd_cwnd').offset;
  const name = 'boot_test';
  const bytes = Buffer.alloc(types.size(value));
  bytes.write(name, data + types.member(ops, 'name').offset);
  const member = (of: string, instructions: readonly Instruction[]): ProbeProgram => {
    const { index, offset } = types.member(ops, of);
    const attach = { btf: 'vmlinux', id: ops };
    return program(of, { type: STRUCT_OPS, attachType: index, attach, use: `member:${data + offset}` }, instructions);
  };
  return [
    member('init', [load64(1, 1, 0), load32(0, 1, window), ...NOTHING]),
    member('ssthresh', [mov(0, 2), exit]),
    member('undo_cwnd', [mov(0, 2), exit]),
    member('cong_avoid', NOTHING),
    { name, line: `struct_ops ${name} ${value}`, data: bytes },
  ];
}

/** Keep rules for what `optionalPrograms` name. */
export const OPTIONAL_RULES = ['func:bpf_fentry_test2', 'typedef:btf_trace_task_newtask', 'percpu'];

/**
 * Programs that name types which no base has to hold: each from the first of `btfs` that has it. Their names end with
 * `suffix`. `original` is the unsplit kernel's BTF, for offsets. `from`: the BTF that a program says the types are from.
 */
export function optionalPrograms(
  original: KernelTypes,
  types: KernelTypes,
  btfs: readonly string[],
  suffix = '',
  from?: string,
): ProbeProgram[] {
  const place = (name: string, kind: number): Place => {
    const found = types.place(name, kind, btfs);
    return { btf: from ?? found.btf, id: found.id };
  };
  const offset = (struct: string, member: string): number =>
    original.member(original.id(struct, KIND_STRUCT), member).offset;
  const attach = place('bpf_fentry_test2', KIND_FUNC);
  const event = place('btf_trace_task_newtask', KIND_TYPEDEF);
  const tracepoint = { type: TRACING, attachType: TRACE_RAW_TP, attach: event, use: 'attach' };
  const task = [load64(1, 1, 0)];
  const pid = load32(0, 1, offset('task_struct', 'pid'));
  const queues = place('runqueues', KIND_VAR);
  const modules = queues.btf === 'vmlinux' ? [] : [queues.btf];
  return [
    program(`entry${suffix}`, { type: TRACING, attachType: TRACE_FENTRY, attach, use: 'attach' }, NOTHING),
    program(`newtask${suffix}`, tracepoint, [...task, pid, ...NOTHING]),
    program(`newtask_or_null${suffix}`, tracepoint, [...task, ifZero(1, 1), pid, ...NOTHING]),
    // The number of processor 0, and 5.
    program(`variable${suffix}`, { type: SCHED_CLS, btfs: modules, use: 'run' }, [
      ...variable(1, queues.id, modules.length),
      mov(2, 0),
      per_cpu_ptr,
      ifZero(0, 2),
      load32(0, 0, offset('rq', 'cpu')),
      add(0, 5),
      exit,
    ]),
  ];
}

/** Follows a pointer out of struct task_struct to a struct that no root asks for, and reads: the threads of this process. */
export function walkingProgram(original: KernelTypes): ProbeProgram {
  const offset = (struct: string, member: string): number =>
    original.member(original.id(struct, KIND_STRUCT), member).offset;
  return program('walk', { type: SCHED_CLS, use: 'run' }, [
    get_current_task_btf,
    load64(1, 0, offset('task_struct', 'signal')),
    load32(0, 1, offset('signal_struct', 'nr_threads')),
    exit,
  ]);
}

/** Prints a number as the type of some id. */
export function printingProgram(name: string, id: number): ProbeProgram {
  return program(name, { type: SCHED_CLS, use: 'run' }, printing(id));
}
