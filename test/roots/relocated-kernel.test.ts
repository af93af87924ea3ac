import { readFileSync } from 'node:fs';
import test from 'ava';
import { Btf } from '../../plugin/btf/btf.js';
import { NameIndex } from '../../plugin/btf/names.js';
import { MemorySource } from '../../plugin/bytes/source.js';
import { SHF_ALLOC, SHT_NOBITS, SHT_PROGBITS, SHT_RELR } from '../../plugin/elf/constants.js';
import { ElfFile } from '../../plugin/elf/file.js';
import { Relocations } from '../../plugin/elf/relocations.js';
import { SymbolTable } from '../../plugin/elf/symbols.js';
import { CodedError } from '../../plugin/errors.js';
import { readStructOps, type StructOps } from '../../plugin/roots/struct-ops.js';
import { fixture } from '../support/fixtures.js';

const RELATIVE = 1027n;
const RELA_BYTES = 24;
/** Words that one bitmap of RELR covers. */
const BITMAP_WORDS = 63n;

const original = readFileSync(fixture('arm64-virt/vmlinux'));

function structOps(bytes: Uint8Array): StructOps {
  const elf = ElfFile.open(new MemorySource(bytes, 'vmlinux'));
  const btf = Btf.decode(elf.data(elf.section('.BTF')));
  return readStructOps(elf, Relocations.read(elf), SymbolTable.read(elf), btf, new NameIndex(btf));
}

/** A copy of the arm64 kernel whose relocations are changed by hand. */
class RelocatedKernel {
  readonly bytes = Buffer.from(original);
  readonly #elf = ElfFile.open(new MemorySource(original, 'vmlinux'));
  readonly #table = this.#elf.section('.rela.dyn');

  /** Offset in the file, place and addend of each RELATIVE entry. */
  entries(): { readonly at: number; readonly place: bigint; readonly addend: bigint }[] {
    const { offset, size } = this.#table;
    const all = Array.from({ length: size / RELA_BYTES }, (_, i) => offset + i * RELA_BYTES);
    return all
      .filter(at => this.bytes.readBigUInt64LE(at + 8) === RELATIVE)
      .map(at => ({ at, place: this.bytes.readBigUInt64LE(at), addend: this.bytes.readBigUInt64LE(at + 16) }));
  }

  fileOffset(address: bigint): number {
    const holder = this.#elf.sections.find(
      ({ flags, type, addr, size }) =>
        (flags & SHF_ALLOC) !== 0 && type !== SHT_NOBITS && address >= addr && address < addr + BigInt(size),
    );
    if (holder === undefined) throw new Error(`no section holds 0x${address.toString(16)}`);
    return holder.offset + Number(address - holder.addr);
  }

  table(change: { readonly type: number; readonly size: number; readonly entsize: number }): void {
    const { shoff, shentsize } = this.#elf.header;
    const at = shoff + this.#table.index * shentsize;
    this.bytes.writeUInt32LE(change.type, at + 4);
    this.bytes.writeBigUInt64LE(BigInt(change.size), at + 32);
    this.bytes.writeBigUInt64LE(BigInt(change.entsize), at + 56);
  }

  /** As lld packs them under CONFIG_RELR: values in the words, addresses and bitmaps in the section. */
  pack(): number {
    const entries = this.entries().sort((a, b) => (a.place < b.place ? -1 : 1));
    for (const { place, addend } of entries) this.bytes.writeBigUInt64LE(addend, this.fileOffset(place));
    const packed: bigint[] = [];
    for (let i = 0; i < entries.length; ) {
      packed.push(entries[i].place);
      let next = entries[i++].place + 8n;
      for (;;) {
        let bitmap = 0n;
        for (; i < entries.length && entries[i].place < next + BITMAP_WORDS * 8n; i++)
          bitmap |= 1n << ((entries[i].place - next) / 8n);
        if (bitmap === 0n) break;
        packed.push((bitmap << 1n) | 1n);
        next += BITMAP_WORDS * 8n;
      }
    }
    for (const [i, entry] of packed.entries()) this.bytes.writeBigUInt64LE(entry, this.#table.offset + i * 8);
    this.table({ type: SHT_RELR, size: packed.length * 8, entsize: 8 });
    return packed.length;
  }
}

test('packed relocations of a whole kernel give the same struct_ops as those with addends', t => {
  const kernel = new RelocatedKernel();
  const entries = kernel.entries();
  t.true(entries.length > 40_000);
  t.true(entries.every(({ place }) => place % 8n === 0n));
  const plain = structOps(original);
  t.deepEqual(plain.names, ['bpf_dummy_ops', 'sched_ext_ops', 'tcp_congestion_ops']);
  t.true(plain.roots.filter(root => root.reason === 'stub').length > 40);
  const packed = kernel.pack();
  t.true(packed < entries.length / 4);
  t.deepEqual(structOps(kernel.bytes), plain);
});

test('without its relocations the kernel has no struct_ops, and that is an error', t => {
  const gone = new RelocatedKernel();
  gone.table({ type: SHT_PROGBITS, size: 0, entsize: 0 });
  t.is(t.throws(() => structOps(gone.bytes), { instanceOf: CodedError })?.code, 'relocations-missing');
  const none = new RelocatedKernel();
  for (const { at } of none.entries()) none.bytes.writeBigUInt64LE(0n, at + 8);
  const error = t.throws(() => structOps(none.bytes), { instanceOf: CodedError });
  t.is(error?.code, 'struct-ops');
  t.regex(error?.detail ?? '', /^no variable found for \w+, \w+, \w+$/);
});

test('a relocation of another kind over one word of a table of stubs is told, wherever it stands', t => {
  const elf = ElfFile.open(new MemorySource(original, 'vmlinux'));
  const symbols = SymbolTable.read(elf);
  for (const name of ['__bpf_ops_tcp_congestion_ops', 'bpf_tcp_congestion_ops', '__bpf_ops_sched_ext_ops']) {
    const kernel = new RelocatedKernel();
    const { value, size } = symbols.find(name) ?? { value: 0n, size: 0 };
    const inside = kernel.entries().filter(({ place }) => place >= value && place < value + BigInt(size));
    t.true(inside.length >= 3, name);
    // R_AARCH64_ABS64.
    for (const { at } of inside) kernel.bytes.writeBigUInt64LE(257n, at + 8);
    const error = t.throws(() => structOps(kernel.bytes), { instanceOf: CodedError });
    t.is(error?.code, 'elf-relocations', name);
    t.regex(error?.detail ?? '', /^a relocation of type 257 at 0xffff8000/);
  }
});
