import { readFileSync } from 'node:fs';
import { readelf, readelfHeader, readelfSections, readelfSymbols } from '../elf/readelf.js';

/** Addresses count from {@link IndependentElf.base}, so that those of 64-bit kernels are exact numbers. */
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

/** An ELF file as readelf tells of it, and its bytes at addresses: nothing of the plugin takes part. */
export class IndependentElf {
  /** Subtracted from every address: 0 in 32-bit files, the lowest address of a section in 64-bit ones. */
  readonly base: bigint;
  readonly wordSize: 4 | 8;
  readonly sections: readonly ToldSection[];
  readonly symbols: readonly ToldSymbol[];
  readonly #view: DataView;
  readonly #little: boolean;
  /** Address of each word that a RELATIVE relocation with an addend writes, as readelf -r lists them. */
  readonly #relocated: ReadonlyMap<number, number>;

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
    const header = readelfHeader(path);
    this.#little = header.order === 'little';
    this.wordSize = header.class === 64 ? 8 : 4;
    const sections = readelfSections(path).map(line => line.split(' '));
    const addresses = sections.map(words => BigInt(words[3])).filter(address => address > 0n);
    this.base = this.wordSize === 4 ? 0n : addresses.reduce((low, address) => (address < low ? address : low));
    this.sections = sections.map(([index, name, type, addr, offset, size]) => ({
      index: Number(index),
      name,
      empty: type === 'NOBITS' || Number(addr) === 0,
      addr: this.#relative(BigInt(addr)),
      offset: Number(offset),
      size: Number(size),
    }));
    this.symbols = (readelfSymbols(path) ?? []).map(line => {
      const [, value, size, type, , section, name] = line.split(' ');
      return { value: this.#relative(BigInt(value)), size: Number(size), type, section, name };
    });
    // readelf shows an addend with its sign, and without 0x.
    const entries = readelf('-r', path).matchAll(/^([0-9a-f]+) +[0-9a-f]+ R_\w+_RELATIVE +(-?)([0-9a-f]+)$/gm);
    this.#relocated = new Map(
      [...entries].map(([, place, minus, digits]) => {
        const addend = BigInt(`0x${digits}`);
        const value = BigInt.asUintN(64, minus === '' ? addend : -addend);
        return [this.#relative(BigInt(`0x${place}`)), this.#relative(value)];
      }),
    );
  }

  #relative(address: bigint): number {
    return Number(address - this.base);
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
    return this.#view.getUint32(this.#offsetOf(address), this.#little);
  }

  #offsetOf(address: number): number {
    const holder = this.sections.find(
      ({ addr, size, empty }) => !empty && address >= addr && address + 4 <= addr + size,
    );
    if (holder === undefined) throw new Error(`no section holds 0x${address.toString(16)}`);
    return holder.offset + address - holder.addr;
  }

  /** The pointers of an object that are not null, relocated, as addresses. */
  pointers({ value, size }: ToldSymbol): number[] {
    const places = Array.from({ length: size / this.wordSize }, (_, i) => value + i * this.wordSize);
    if (this.wordSize === 4) return places.map(place => this.word(place)).filter(pointer => pointer !== 0);
    if (this.#relocated.size > 0) return places.flatMap(place => this.#relocated.get(place) ?? []);
    return places
      .map(place => this.#view.getBigUint64(this.#offsetOf(place), this.#little))
      .flatMap(pointer => (pointer === 0n ? [] : [this.#relative(pointer)]));
  }
}
