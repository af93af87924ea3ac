import { ByteWriter } from '../../../plugin/bytes/writer.js';
import * as elf from '../../../plugin/elf/constants.js';
import { BtfBuilder } from '../../support/build-btf.js';
import { writeImage } from './image.js';

const EM_BPF = 247;

/**
 * A BPF object as clang makes them: an XDP program with one call of a kfunc, a map, and `.BTF.ext` with one function, one
 * line and two CO-RE relocations.
 */
export function bpfObject(order: 'little' | 'big'): Uint8Array {
  const b = new BtfBuilder({ order });
  const int = b.int('int', 4, { encoding: 1 });
  const task = b.struct('task_struct', 8, [{ name: 'pid', type: int, bits: 0 }]);
  const proto = b.funcProto(int, [{ name: 'ctx', type: b.ptr(task) }]);
  const program = b.func('prog', proto, 1);
  b.datasec('.ksyms', 0, [{ type: b.func('bpf_rdonly_cast', proto, 2), offset: 0, size: 0 }]);
  b.datasec('.maps', 16, [
    { type: b.var('map', b.struct('', 16, [{ name: 'type', type: b.ptr(int), bits: 0 }]), 1), offset: 0, size: 16 },
  ]);
  const names = ['xdp', '0:0', 'prog.c', 'int prog(void)'].map(name => b.string(name));
  const { SHT_PROGBITS, SHF_ALLOC, SHF_WRITE, SHF_EXECINSTR, STB_GLOBAL, STT_FUNC, STT_OBJECT } = elf;
  const section = (name: string, data: Uint8Array, flags = 0) => ({ name, type: SHT_PROGBITS, flags, align: 8, data });
  const relocation = new ByteWriter(order)
    .u64(8n)
    .u64((2n << 32n) | 10n)
    .done();
  return writeImage({
    class: 64,
    order,
    machine: EM_BPF,
    flags: 0,
    type: elf.ET_REL,
    sections: [
      section('xdp', new Uint8Array(64).fill(0x95), SHF_ALLOC | SHF_EXECINSTR),
      { ...section('.relxdp', relocation), type: elf.SHT_REL, entsize: 16, link: 7, info: 1 },
      section('license', Buffer.from('GPL\0'), SHF_ALLOC | SHF_WRITE),
      section('.maps', new Uint8Array(16), SHF_ALLOC | SHF_WRITE),
      section('.BTF', b.build()),
      section('.BTF.ext', btfExt(order, task, program, names)),
    ],
    symbols: [
      { name: 'prog', section: 'xdp', value: 0n, size: 64, type: STT_FUNC, bind: STB_GLOBAL },
      { name: 'bpf_rdonly_cast', value: 0n, size: 0, type: 0, bind: STB_GLOBAL },
      { name: 'map', section: '.maps', value: 0n, size: 16, type: STT_OBJECT, bind: STB_GLOBAL },
    ],
  });
}

/** `names`: offsets of the section, the access string, the file and the line. */
function btfExt(order: 'little' | 'big', task: number, program: number, names: readonly number[]): Uint8Array {
  const [section, access, file, line] = names;
  const list = (record: readonly (readonly number[])[]): Uint8Array => {
    const writer = new ByteWriter(order)
      .u32(record[0].length * 4)
      .u32(section)
      .u32(record.length);
    for (const value of record.flat()) writer.u32(value);
    return writer.done();
  };
  const functions = list([[0, program]]);
  const lines = list([[0, file, line, (7 << 10) | 3]]);
  const relocations = list([
    [8, task, access, 0],
    [16, task, access, 8],
  ]);
  const writer = new ByteWriter(order).u16(0xeb9f).u8(1).u8(0).u32(32);
  let offset = 0;
  for (const { length } of [functions, lines, relocations]) {
    writer.u32(offset).u32(length);
    offset += length;
  }
  return writer.bytes(functions).bytes(lines).bytes(relocations).done();
}
