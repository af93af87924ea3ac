import type { ByteOrder } from '../../plugin/bytes/endian.js';
import { MemorySource } from '../../plugin/bytes/source.js';
import { type ElfClass, ET_EXEC } from '../../plugin/elf/constants.js';
import { ElfFile } from '../../plugin/elf/file.js';
import { type ObjectSection, type ObjectSymbol, writeObject } from '../../plugin/elf/write-object.js';

export interface LinkedSection extends ObjectSection {
  /** Virtual address. */
  readonly addr: bigint;
}

export interface LinkedFile {
  readonly class: ElfClass;
  readonly order: ByteOrder;
  readonly machine: number;
  /** ET_*; ET_EXEC when left out. */
  readonly type?: number;
  readonly sections: readonly LinkedSection[];
  /** Values are addresses. */
  readonly symbols?: readonly ObjectSymbol[];
}

/** A linked file as far as sections tell: the writer of objects, with a type and addresses put in afterwards. */
export function linkedBytes(file: LinkedFile): Uint8Array {
  const bytes = writeObject({ ...file, flags: 0, symbols: file.symbols ?? [] });
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const little = file.order === 'little';
  const { shoff, shentsize } = ElfFile.open(new MemorySource(bytes, 'object')).header;
  view.setUint16(16, file.type ?? ET_EXEC, little);
  for (const [i, { addr }] of file.sections.entries()) {
    const at = shoff + (i + 1) * shentsize;
    if (file.class === 64) view.setBigUint64(at + 16, addr, little);
    else view.setUint32(at + 12, Number(addr), little);
  }
  return bytes;
}

/** Words of the class's size, one after the other. */
export function words({ class: elfClass, order }: LinkedFile, ...values: readonly bigint[]): Uint8Array {
  const size = elfClass / 8;
  const view = new DataView(new ArrayBuffer(values.length * size));
  for (const [i, value] of values.entries()) {
    if (elfClass === 64) view.setBigUint64(i * size, BigInt.asUintN(64, value), order === 'little');
    else view.setUint32(i * size, Number(BigInt.asUintN(32, value)), order === 'little');
  }
  return new Uint8Array(view.buffer);
}
