import { readFileSync } from 'node:fs';
import { readelfHeader, readelfSections, readelfSymbols } from '../elf/readelf.js';

export interface ToldSection {
  readonly index: number;
  readonly name: string;
  /** Without bytes in the file. */
  readonly empty: boolean;
  readonly addr: number;
  readonly offset: number;
  readonly size: number;
}

export interface ToldSymbol {
  readonly value: number;
  readonly size: number;
  /** As readelf prints it, such as `FUNC`. */
  readonly type: string;
  /** Index of its section, or ABS, UND … */
  readonly section: string;
  readonly name: string;
}

/** A 32-bit ELF file as readelf tells of it, and its bytes at addresses: nothing of the plugin takes part. */
export class IndependentElf {
  readonly sections: readonly ToldSection[];
  readonly symbols: readonly ToldSymbol[];
  readonly #view: DataView;
  readonly #little: boolean;

  static readonly #read = new Map<string, IndependentElf>();

  /** Read once a process. */
  static of(path: string): IndependentElf {
    const elf = IndependentElf.#read.get(path) ?? new IndependentElf(path);
    IndependentElf.#read.set(path, elf);
    return elf;
  }

  private constructor(path: string) {
    const bytes = readFileSync(path);
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#little = readelfHeader(path).order === 'little';
    this.sections = readelfSections(path).map(line => {
      const [index, name, type, addr, offset, size] = line.split(' ');
      return {
        index: Number(index),
        name,
        empty: type === 'NOBITS' || Number(addr) === 0,
        addr: Number(addr),
        offset: Number(offset),
        size: Number(size),
      };
    });
    this.symbols = (readelfSymbols(path) ?? []).map(line => {
      const [, value, size, type, , section, name] = line.split(' ');
      return { value: Number(value), size: Number(size), type, section, name };
    });
  }

  section(name: string): ToldSection {
    const found = this.sections.find(section => section.name === name);
    if (found === undefined) throw new Error(`no section ${name}`);
    return found;
  }

  symbol(name: string): ToldSymbol {
    const found = this.symbols.find(symbol => symbol.name === name);
    if (found === undefined) throw new Error(`no symbol ${name}`);
    return found;
  }

  /** The word at an address of a section with bytes. */
  word(address: number): number {
    const holder = this.sections.find(
      ({ addr, size, empty }) => !empty && address >= addr && address + 4 <= addr + size,
    );
    if (holder === undefined) throw new Error(`no section holds 0x${address.toString(16)}`);
    return this.#view.getUint32(holder.offset + address - holder.addr, this.#little);
  }

  words({ value, size }: ToldSymbol): number[] {
    return Array.from({ length: size / 4 }, (_, i) => this.word(value + i * 4));
  }
}
