import { KIND_FUNC, KIND_INT, KIND_STRUCT } from '../../../plugin/btf/kinds.js';
import {
  exit,
  FP,
  helper,
  type Instruction,
  ifZero,
  load32,
  load64,
  mov,
  put32,
  stack,
  store64,
} from './bpf-assembler.js';
import type { KernelTypes } from './kernel-types.js';
import { type ProbeProgram, program, RAW_TRACEPOINT, type Shape, TRACE_ITER, TRACING } from './probe-program.js';

const seq_write = helper(127);
const seq_printf_btf = helper(150);

const NOTHING = [mov(0, 0), exit];

function taskIterator(types: KernelTypes): Shape {
  const attach = { btf: 'vmlinux', id: types.id('bpf_iter_task', KIND_FUNC) };
  return { type: TRACING, attachType: TRACE_ITER, attach, use: 'attach', order: types.order };
}

/** The instructions in `each` have the task in r6 and the iterator's struct bpf_iter_meta in r7; after the last there is no task. */
const onTask = (each: readonly Instruction[]): Instruction[] => [
  load64(6, 1, 8),
  load64(7, 1, 0),
  ifZero(6, each.length),
  ...each,
  ...NOTHING,
];

const pidOffset = (types: KernelTypes): number => types.member(types.id('task_struct', KIND_STRUCT), 'pid').offset;

/** Programs that run on every architecture: without a trampoline, and without a pointer of the kernel in a helper's hands. */
export function portablePrograms(types: KernelTypes): ProbeProgram[] {
  const { order } = types;
  // A pointer of 32 bits stands in the upper half of its 64 where the byte order is big: a kernel that follows it dies.
  const follow = order === 'big' ? [] : [load32(0, 6, pidOffset(types))];
  const raw = { type: RAW_TRACEPOINT, use: 'tracepoint:sched_process_fork', order };
  return [
    program('iter', taskIterator(types), onTask(follow)),
    program('raw_tracepoint', raw, [load64(1, 1, 0), ...NOTHING]),
  ];
}

/** Iterators that write something for each task: 8 bytes with its number, and a number as an int. */
export function writingIterators(types: KernelTypes): ProbeProgram[] {
  return [
    program(
      'seq_write',
      taskIterator(types),
      onTask([
        load32(2, 6, pidOffset(types)),
        store64(FP, -8, 2),
        load64(1, 7, 0),
        ...stack(2, -8),
        mov(3, 8),
        seq_write,
      ]),
    ),
    typedIterator('seq_print', types, types.id('int', KIND_INT)),
  ];
}

/** Writes a number as the type of some id, for each task. */
export function typedIterator(name: string, types: KernelTypes, id: number): ProbeProgram {
  return program(
    name,
    taskIterator(types),
    onTask([...typedPointer(2, id), load64(1, 7, 0), mov(3, 16), mov(4, 0), seq_printf_btf]),
  );
}

/** A struct btf_ptr (a pointer, an id, flags) on the stack, which says that the number 42 is of a type. Takes r1 as well. */
export function typedPointer(register: number, id: number): Instruction[] {
  return [
    put32(FP, -4, 42),
    ...stack(register, -24),
    ...stack(1, -4),
    store64(register, 0, 1),
    put32(register, 8, id),
    put32(register, 12, 0),
  ];
}
