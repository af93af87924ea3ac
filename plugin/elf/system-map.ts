import type { ByteSource } from '../bytes/source.js';
import { CodedError } from '../errors.js';
import { SHF_ALLOC, SHN_ABS, STB_GLOBAL, STB_LOCAL, STT_FUNC, STT_OBJECT } from './constants.js';
import type { ElfFile, ElfSection } from './file.js';
import type { ElfSymbol, Symbols } from './symbols.js';

/** A kernel with everything built in stays below both; what lies about itself must not cost memory. */
const MAX_BYTES = 128 << 20;
const MAX_SYMBOLS = 1 << 22;

const UNKNOWN = 0x3f; // ?
const SPACE = 0x20;
const NEWLINE = 0x0a;
/** What of a map may lie outside all sections: page tables between and behind them, which the linker script leaves room for. */
const STRAY_SHARE = 0.01;

const FUNCTION_LETTERS = 'tTW';
const OBJECT_LETTERS = 'dDrRbBgGsSvV';

/**
 * The symbols of a stripped vmlinux as its System.map has them: `nm -n`, filtered by scripts/mksysmap. There are no sizes,
 * no `__crc_*`, and functions are told from objects by the letter of their section.
 */
export class SystemMap implements Symbols {
  readonly count: number;
  readonly sized = false;
  readonly #elf: ElfFile;
  readonly #text: Buffer;
  /** By index, ascending; the others likewise. Names are from `#starts` up to the end of the line. */
  readonly #values: BigUint64Array;
  readonly #letters: Uint8Array;
  readonly #starts: Uint32Array;
  readonly #ends: Uint32Array;
  /** Bytes to the next address that another symbol has, clamped. */
  readonly #rooms: Float64Array;

  private constructor(elf: ElfFile, text: Buffer, lines: Lines) {
    this.#elf = elf;
    this.#text = text;
    this.count = lines.count;
    this.#values = lines.values;
    this.#letters = lines.letters;
    this.#starts = lines.starts;
    this.#ends = lines.ends;
    this.#rooms = roomsOf(lines.values, lines.count);
  }

  /**
   * Reads the map that belongs to `elf`. Throws `system-map` for a line that is not `address letter name`, for addresses
   * that do not ascend, and for the map of another kernel; `file-unreadable`, `file-changed`.
   */
  static read(source: ByteSource, elf: ElfFile): SystemMap {
    const place = { file: source.name };
    if (source.size > MAX_BYTES) throw new CodedError('system-map', `${source.size} bytes`, place);
    const bytes = source.read(0, source.size);
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    const map = new SystemMap(elf, text, readLines(text, elf, source.name));
    map.#checkKernel(source.name);
    return map;
  }

  name(index: number): string {
    return this.#text.toString('latin1', this.#starts[index], this.#ends[index]);
  }

  nameStartsWith(index: number, prefix: Uint8Array): boolean {
    const start = this.#starts[index];
    // One byte more than the name: its end, as a NUL ends a name in a string table.
    if (start + prefix.length > this.#ends[index] + 1) return false;
    for (let i = 0; i < prefix.length; i++) {
      const byte = start + i === this.#ends[index] ? 0 : this.#text[start + i];
      if (byte !== prefix[i]) return false;
    }
    return true;
  }

  value(index: number): bigint {
    return this.#values[index];
  }

  /** Bytes up to the next symbol with another address. */
  size(index: number): number {
    return this.#rooms[index];
  }

  /** STT_FUNC, STT_OBJECT, or 0 where the letter does not tell. */
  type(index: number): number {
    const letter = String.fromCharCode(this.#letters[index]);
    if (FUNCTION_LETTERS.includes(letter)) return STT_FUNC;
    return OBJECT_LETTERS.includes(letter) ? STT_OBJECT : 0;
  }

  *inSection(section: ElfSection): Generator<ElfSymbol> {
    const end = section.addr + BigInt(section.size);
    for (let index = 1; index < this.count; index++) {
      const value = this.#values[index];
      if (value < section.addr || value >= end || this.#isAbsolute(index)) continue;
      // A symbol that ends the section before has the address at which this one starts.
      if (value === section.addr && this.name(index).startsWith('__stop_')) continue;
      yield this.#at(index, section.index);
    }
  }

  find(name: string): ElfSymbol | undefined {
    const wanted = Buffer.from(`${name}\0`, 'latin1');
    for (let index = 1; index < this.count; index++)
      if (this.nameStartsWith(index, wanted)) return this.#at(index, this.#sectionOf(index));
    return undefined;
  }

  #at(index: number, section: number): ElfSymbol {
    const letter = String.fromCharCode(this.#letters[index]);
    return {
      index,
      name: this.name(index),
      value: this.value(index),
      size: this.size(index),
      type: this.type(index),
      bind: letter === letter.toLowerCase() ? STB_LOCAL : STB_GLOBAL,
      section,
    };
  }

  #isAbsolute(index: number): boolean {
    return (this.#letters[index] | 0x20) === 0x61;
  }

  #sectionOf(index: number): number {
    if (this.#isAbsolute(index)) return SHN_ABS;
    const value = this.#values[index];
    const holder = allocated(this.#elf).find(({ addr, size }) => value >= addr && value < addr + BigInt(size));
    return holder?.index ?? 0;
  }

  /** Every kernel with BTF has the two symbols at both ends of `.BTF` (include/asm-generic/vmlinux.lds.h). */
  #checkKernel(file: string): void {
    const section = this.#elf.find('.BTF');
    for (const [name, address] of [
      ['__start_BTF', section?.addr],
      ['__stop_BTF', section === undefined ? undefined : section.addr + BigInt(section.size)],
    ] as const) {
      const found = this.find(name)?.value;
      if (found === undefined) throw new CodedError('system-map', `no ${name} in it`, { file });
      if (found !== address)
        throw new CodedError(
          'system-map',
          `${name} is 0x${found.toString(16)}, in this kernel 0x${(address ?? 0n).toString(16)}`,
          { file },
        );
    }
    const ranges = allocated(this.#elf)
      .map(({ addr, size }) => [addr, addr + BigInt(size)] as const)
      .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
    let at = 0;
    const strays: number[] = [];
    for (let index = 1; index < this.count; index++) {
      const value = this.#values[index];
      while (at < ranges.length && value > ranges[at][1]) at++;
      if (this.type(index) !== 0 && (at === ranges.length || value < ranges[at][0])) strays.push(index);
    }
    if (strays.length > this.count * STRAY_SHARE)
      throw new CodedError(
        'system-map',
        `${strays.length} of ${this.count - 1} symbols lie in no section, ${this.name(strays[0])} is the first`,
        { file },
      );
  }
}

function allocated(elf: ElfFile): ElfSection[] {
  return elf.sections.filter(({ flags, size }) => (flags & SHF_ALLOC) !== 0 && size > 0);
}

/** From index 1 on; `count` is one more than there are lines. */
interface Lines {
  readonly count: number;
  readonly values: BigUint64Array;
  readonly letters: Uint8Array;
  readonly starts: Uint32Array;
  readonly ends: Uint32Array;
}

function readLines(text: Buffer, elf: ElfFile, file: string): Lines {
  let count = 1;
  for (let at = text.indexOf(NEWLINE); at >= 0; at = text.indexOf(NEWLINE, at + 1)) count++;
  const ended = text.length === 0 || text[text.length - 1] === NEWLINE;
  if (!ended) count++;
  if (count > MAX_SYMBOLS) throw new CodedError('system-map', `${count - 1} lines`, { file });
  const lines = {
    count,
    values: new BigUint64Array(count),
    letters: new Uint8Array(count),
    starts: new Uint32Array(count),
    ends: new Uint32Array(count),
  };
  let start = 0;
  for (let index = 1; index < count; index++) {
    const newline = text.indexOf(NEWLINE, start);
    const end = newline < 0 ? text.length : newline;
    const bad = (what: string): CodedError =>
      new CodedError(
        'system-map',
        `line ${index}: ${what}: ${text.toString('latin1', start, Math.min(end, start + 80))}`,
        {
          file,
          offset: start,
        },
      );
    const digits = text.indexOf(SPACE, start) - start;
    const name = start + digits + 3;
    if (digits < 1 || digits > 16 || name > end || text[name - 1] !== SPACE || !isName(text, name, end))
      throw bad('not an address, a letter and a name');
    const value = parseAddress(text, start, digits);
    if (value === undefined) throw bad('not a hexadecimal address');
    const address = elf.is64 ? value : narrow(value);
    if (address === undefined) throw bad('an address of more than 32 bits');
    if (address < lines.values[index - 1]) throw bad('an address below the one before');
    lines.values[index] = address;
    lines.letters[index] = text[name - 2];
    lines.starts[index] = name;
    lines.ends[index] = end;
    start = end + 1;
  }
  return lines;
}

/** A letter or `?` (nm knows no letter) stands before it, and no blank or control character in it. Labels of ARM assembly have no name at all. */
function isName(text: Buffer, start: number, end: number): boolean {
  const letter = text[start - 2] | 0x20;
  if ((letter < 0x61 || letter > 0x7a) && text[start - 2] !== UNKNOWN) return false;
  for (let at = start; at < end; at++) if (text[at] <= SPACE) return false;
  return true;
}

function parseAddress(text: Buffer, start: number, digits: number): bigint | undefined {
  let high = 0;
  let low = 0;
  for (let i = 0; i < digits; i++) {
    const byte = text[start + i];
    const lower = byte | 0x20;
    const digit = byte >= 0x30 && byte <= 0x39 ? byte - 0x30 : lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
    if (digit < 0) return undefined;
    if (digits - i > 8) high = high * 16 + digit;
    else low = low * 16 + digit;
  }
  return high === 0 ? BigInt(low) : (BigInt(high) << 32n) | BigInt(low);
}

/** nm prints 32-bit MIPS addresses sign-extended. */
function narrow(value: bigint): bigint | undefined {
  const low = BigInt.asUintN(32, value);
  return value === low || value === BigInt.asUintN(64, BigInt.asIntN(32, value)) ? low : undefined;
}

function roomsOf(values: BigUint64Array, count: number): Float64Array {
  const rooms = new Float64Array(count);
  let next = values[count - 1];
  for (let index = count - 1; index > 0; index--) {
    const value = values[index];
    const above = index + 1 < count ? values[index + 1] : value;
    if (above !== value) next = above;
    rooms[index] = next === value ? Number.MAX_SAFE_INTEGER : Math.min(Number(next - value), Number.MAX_SAFE_INTEGER);
  }
  return rooms;
}
