import type { ByteOrder } from '../../../plugin/bytes/endian.js';

/**
 * BPF instructions (linux/bpf.h, struct bpf_insn). `r(10)` is the frame pointer; offsets of jumps count instructions, of
 * which a 64-bit immediate is two.
 */
export type Instruction = readonly [code: number, registers: number, offset: number, immediate: number];

export const FP = 10;
const PSEUDO_BTF_ID = 3;
const PSEUDO_KFUNC_CALL = 2;

const registers = (dst: number, src = 0): number => (src << 4) | dst;

export const mov = (dst: number, value: number): Instruction => [0xb7, registers(dst), 0, value];
export const copy = (dst: number, src: number): Instruction => [0xbf, registers(dst, src), 0, 0];
export const add = (dst: number, value: number): Instruction => [0x07, registers(dst), 0, value];
export const and = (dst: number, value: number): Instruction => [0x57, registers(dst), 0, value];
export const load32 = (dst: number, src: number, offset: number): Instruction => [0x61, registers(dst, src), offset, 0];
export const load64 = (dst: number, src: number, offset: number): Instruction => [0x79, registers(dst, src), offset, 0];
export const put32 = (dst: number, offset: number, value: number): Instruction => [0x62, registers(dst), offset, value];
export const store64 = (dst: number, offset: number, src: number): Instruction => [
  0x7b,
  registers(dst, src),
  offset,
  0,
];
export const ifZero = (dst: number, offset: number): Instruction => [0x15, registers(dst), offset, 0];
export const ifNegative = (dst: number, offset: number): Instruction => [0xc5, registers(dst), offset, 0];
export const exit: Instruction = [0x95, 0, 0, 0];
/** Number of a helper in enum bpf_func_id. */
export const helper = (number: number): Instruction => [0x85, 0, 0, number];
/** `btf`: 0 for vmlinux, or the place of the module's BTF in the list that the program comes with. */
export const kfunc = (id: number, btf = 0): Instruction => [0x85, registers(0, PSEUDO_KFUNC_CALL), btf, id];
/** The address of a kernel variable; `btf` as in `kfunc`. */
export const variable = (dst: number, id: number, btf = 0): readonly Instruction[] => [
  [0x18, registers(dst, PSEUDO_BTF_ID), 0, id],
  [0, 0, 0, btf],
];
/** dst = FP + offset */
export const stack = (dst: number, offset: number): readonly Instruction[] => [copy(dst, FP), add(dst, offset)];

/** For a kernel of that byte order. The registers are bit fields: a big-endian machine has the destination in the upper half. */
export function assemble(instructions: readonly Instruction[], order: ByteOrder = 'little'): Buffer {
  const bytes = Buffer.alloc(instructions.length * 8);
  for (const [i, [code, both, offset, immediate]] of instructions.entries()) {
    bytes[i * 8] = code;
    if (order === 'little') {
      bytes[i * 8 + 1] = both;
      bytes.writeInt16LE(offset, i * 8 + 2);
      bytes.writeInt32LE(immediate | 0, i * 8 + 4);
    } else {
      bytes[i * 8 + 1] = registers(both >> 4, both & 15);
      bytes.writeInt16BE(offset, i * 8 + 2);
      bytes.writeInt32BE(immediate | 0, i * 8 + 4);
    }
  }
  return bytes;
}
