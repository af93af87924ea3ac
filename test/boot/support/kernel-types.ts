import { readFileSync } from 'node:fs';
import { Btf } from '../../../plugin/btf/btf.js';
import type { ByteOrder } from '../../../plugin/bytes/endian.js';
import { MemorySource } from '../../../plugin/bytes/source.js';
import { ElfFile } from '../../../plugin/elf/file.js';

/** A type as a program's loader names it: the file of /sys/kernel/btf and the id. */
export interface Place {
  readonly btf: string;
  readonly id: number;
}

/** `.BTF` of an ELF file; a bare BTF is given back as it is. */
function btfBytes(path: string): Uint8Array {
  const bytes = readFileSync(path);
  if (bytes.readUInt32BE(0) !== 0x7f454c46) return bytes;
  const elf = ElfFile.open(new MemorySource(bytes, path));
  return elf.data(elf.section('.BTF'));
}

/** The BTF that a booted kernel has, read from its files, so that programs can name ids. */
export class KernelTypes {
  readonly #btfs = new Map<string, Btf>();

  /** `vmlinux`: an ELF or bare BTF; `on`: what is split BTF on it, by module name. */
  constructor(vmlinux: string, on: ReadonlyMap<string, string>) {
    const base = Btf.decode(btfBytes(vmlinux));
    this.#btfs.set('vmlinux', base);
    for (const [name, path] of on) this.#btfs.set(name, Btf.decode(btfBytes(path), base));
  }

  get order(): ByteOrder {
    return this.#btf('vmlinux').header.order;
  }

  has(name: string, kind: number, btf: string): boolean {
    return this.#look(name, kind, btf) !== 0;
  }

  /** The first own type of that name and kind in one BTF. Throws when there is none. */
  id(name: string, kind: number, btf = 'vmlinux'): number {
    const id = this.#look(name, kind, btf);
    if (id === 0) throw new Error(`no ${name} of kind ${kind} in the BTF of ${btf}`);
    return id;
  }

  /** The first of some BTFs that has it. */
  place(name: string, kind: number, btfs: readonly string[]): Place {
    const btf = btfs.find(each => this.has(name, kind, each)) ?? btfs[0];
    return { btf, id: this.id(name, kind, btf) };
  }

  size(id: number): number {
    return this.#btf('vmlinux').sizeOrType(id);
  }

  /** Place of a member in a struct of vmlinux: its number, and its offset in bytes. */
  member(id: number, name: string): { index: number; offset: number } {
    const btf = this.#btf('vmlinux');
    const { words } = btf;
    for (let index = 0; index < btf.vlen(id); index++) {
      const at = btf.start(id) + 3 + 3 * index;
      // The upper byte is the size of a bit field, where the struct has any.
      if (btf.string(words[at]) === name) return { index, offset: (words[at + 2] & 0xffffff) / 8 };
    }
    throw new Error(`${btf.name(id)} has no member ${name}`);
  }

  #btf(name: string): Btf {
    const btf = this.#btfs.get(name);
    if (btf === undefined) throw new Error(`no BTF of ${name}`);
    return btf;
  }

  #look(name: string, kind: number, in_: string): number {
    const btf = this.#btf(in_);
    for (let id = btf.endId - btf.count; id < btf.endId; id++)
      if (btf.kind(id) === kind && btf.name(id) === name) return id;
    return 0;
  }
}
