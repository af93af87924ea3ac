import type { ByteOrder } from '../../../plugin/bytes/endian.js';
import { assemble, type Instruction } from './bpf-assembler.js';
import type { Place } from './kernel-types.js';
import { type Step, step } from './steps.js';

/** A step of `test/boot/probe/programs.c` or `struct-ops.c`, and the file that goes with it. */
export interface ProbeProgram {
  readonly name: string;
  readonly line: string;
  readonly data: Uint8Array;
}

// enum bpf_prog_type and enum bpf_attach_type of linux/bpf.h.
export const SCHED_CLS = 3;
export const XDP = 6;
export const RAW_TRACEPOINT = 17;
export const TRACING = 26;
export const STRUCT_OPS = 27;
export const LSM = 29;
export const TRACE_RAW_TP = 23;
export const TRACE_FENTRY = 24;
export const TRACE_FEXIT = 25;
export const MODIFY_RETURN = 26;
export const LSM_MAC = 27;
export const TRACE_ITER = 28;

export interface Shape {
  readonly type: number;
  readonly attachType?: number;
  readonly attach?: Place;
  /** Of modules: calls name them by their place here, from 1 on. */
  readonly btfs?: readonly string[];
  readonly use: string;
  /** Of the kernel; little when left out. */
  readonly order?: ByteOrder;
}

export function program(name: string, shape: Shape, instructions: readonly Instruction[]): ProbeProgram {
  const { type, attachType = 0, attach = { btf: 'vmlinux', id: 0 }, btfs = [], use, order } = shape;
  const line = `program ${name} ${type} ${attachType} ${attach.btf} ${attach.id} ${btfs.join() || '-'} ${use}`;
  return { name, line, data: assemble(instructions, order) };
}

/** The same program under another name, for a second time in one boot. */
export function renamed({ name, line, data }: ProbeProgram, suffix: string): ProbeProgram {
  return { name: `${name}${suffix}`, line: line.replace(` ${name} `, ` ${name}${suffix} `), data };
}

export function programSteps(programs: readonly ProbeProgram[]): Step[] {
  return programs.map(({ name, line, data }) => step(line, { path: `programs/${name}`, data }));
}
