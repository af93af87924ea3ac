import { crc32 } from 'node:zlib';
import { EndianReader } from '../bytes/endian.js';
import type { ByteSource } from '../bytes/source.js';
import { CodedError } from '../errors.js';
import type { PackingName } from './packings.js';

/** A range of a file, in bytes. */
export interface Range {
  readonly offset: number;
  readonly length: number;
}

/** What the header of a boot image tells. */
export interface BootImage {
  /** The name that the kernel's documentation has for it. */
  readonly format: string;
  /**
   * `payload`: the header tells where the kernel is, packed or not. `search`: it is somewhere in the range, packed. `plain`: the image
   * is the kernel itself.
   */
  readonly content: { readonly kind: 'payload' | 'search' | 'plain'; readonly range: Range };
  /** What the payload is packed with, where the header says so; `none` for one that is not packed. */
  readonly packing?: PackingName | 'none';
}

/** Bytes that headers are read from: s390's is the last, at 64 KiB. */
const HEADER_BYTES = 0x10010;

/**
 * What the header of a boot image says; undefined for what has none that is known. Throws `image-damaged` for one that
 * promises more than the file has, and `image-unsupported`.
 */
export function readBootImage(source: ByteSource): BootImage | undefined {
  const header = Buffer.alloc(HEADER_BYTES);
  header.set(source.read(0, Math.min(source.size, HEADER_BYTES)));
  for (const read of [uImage, fit, bzImage, efiZboot, armZImage, image64, s390]) {
    const image = read(header, source);
    if (image === undefined) continue;
    const { offset, length } = image.content.range;
    if (length <= 0 || offset + length > source.size)
      throw damaged(source, `the header of the ${image.format} promises ${length} bytes at 0x${offset.toString(16)}`);
    return image;
  }
  return undefined;
}

function damaged(source: ByteSource, detail: string): CodedError {
  return new CodedError('image-damaged', `${detail}, the file has ${source.size}`, { file: source.name });
}

function text(header: Buffer, offset: number, length: number): string {
  return header.toString('latin1', offset, offset + length);
}

/** Documentation/arch/x86/boot.rst: setup_sects, payload_offset and payload_length, which protocol 2.08 brought (Linux 2.6.26). */
function bzImage(header: Buffer, source: ByteSource): BootImage | undefined {
  if (text(header, 0x202, 4) !== 'HdrS' || header.readUInt16LE(0x1fe) !== 0xaa55) return undefined;
  const protectedMode = ((header[0x1f1] || 4) + 1) * 512;
  const payload = { offset: protectedMode + header.readUInt32LE(0x248), length: header.readUInt32LE(0x24c) };
  return header.readUInt16LE(0x206) >= 0x208
    ? { format: 'bzImage', content: { kind: 'payload', range: payload } }
    : { format: 'bzImage', content: { kind: 'search', range: { offset: 0, length: source.size } } };
}

/** drivers/firmware/efi/libstub/zboot-header.S: arm64, LoongArch and RISC-V, vmlinuz.efi. The size word behind the payload is not counted. */
function efiZboot(header: Buffer): BootImage | undefined {
  if (text(header, 0, 2) !== 'MZ' || text(header, 4, 4) !== 'zimg') return undefined;
  const range = { offset: header.readUInt32LE(8), length: header.readUInt32LE(12) };
  return { format: 'EFI zboot image', content: { kind: 'payload', range } };
}

const ARM_MAGIC = 0x016f2818;

/** arch/arm/boot/compressed/head.S: magic, start and end, in the byte order of the data; behind the end may be a device tree. */
function armZImage(header: Buffer): BootImage | undefined {
  const order = header.readUInt32LE(0x24) === ARM_MAGIC ? 'little' : 'big';
  const reader = new EndianReader(header, order);
  if (reader.u32(0x24) !== ARM_MAGIC) return undefined;
  const range = { offset: 0, length: reader.u32(0x2c) - reader.u32(0x28) };
  return { format: 'zImage', content: { kind: 'search', range } };
}

/** Documentation/arch/arm64/booting.rst and arch/riscv/boot-image-header.rst: 64 bytes in front of the kernel as it runs. */
function image64(header: Buffer, source: ByteSource): BootImage | undefined {
  const magic = text(header, 0x38, 4);
  const format = magic === 'ARM\x64' ? 'arm64 Image' : magic === 'RSC\x05' ? 'RISC-V Image' : undefined;
  return format && { format, content: { kind: 'plain', range: { offset: 0, length: source.size } } };
}

/** arch/s390/boot/head.S: `S390EP` at 64 KiB and 8 bytes. */
function s390(header: Buffer, source: ByteSource): BootImage | undefined {
  if (text(header, 0x10008, 6) !== 'S390EP') return undefined;
  return { format: 's390 bzImage', content: { kind: 'search', range: { offset: 0, length: source.size } } };
}

const UIMAGE_MAGIC = 0x27051956;
const UIMAGE_HEADER = 64;
/** IH_COMP_* by number. */
const UIMAGE_PACKINGS = ['none', 'gzip', 'bzip2', 'lzma', 'lzo', 'lz4', 'zstd'] as const;
/** IH_TYPE_MULTI: the sizes of its parts, up to a zero, and the parts; the first is the kernel. */
const UIMAGE_MULTI = 4;
const UIMAGE_PARTS = 16;

/** U-Boot's legacy image, include/image.h: big-endian; the CRC of the header is made with its own field zero. */
function uImage(header: Buffer, source: ByteSource): BootImage | undefined {
  if (header.readUInt32BE(0) !== UIMAGE_MAGIC) return undefined;
  const zeroed = Buffer.from(header.subarray(0, UIMAGE_HEADER));
  zeroed.writeUInt32BE(0, 4);
  if (crc32(zeroed) !== header.readUInt32BE(4)) throw damaged(source, 'the checksum of the uImage header is wrong');
  const packing = UIMAGE_PACKINGS[header[31]];
  if (packing === undefined)
    throw new CodedError('image-unsupported', `uImage with compression ${header[31]}`, { file: source.name });
  let offset = UIMAGE_HEADER;
  let length = header.readUInt32BE(12);
  if (header[30] === UIMAGE_MULTI) {
    const sizes = Array.from({ length: UIMAGE_PARTS }, (_, i) => header.readUInt32BE(UIMAGE_HEADER + 4 * i));
    const parts = sizes.indexOf(0);
    if (parts < 1 || sizes[0] > length) throw damaged(source, 'the parts of the uImage are in no order');
    offset += 4 * (parts + 1);
    length = sizes[0];
  }
  return { format: 'uImage', content: { kind: 'payload', range: { offset, length } }, packing };
}

/** A device tree blob that wraps a kernel (U-Boot's FIT): the name says so, and nothing else is read. */
function fit(header: Buffer, source: ByteSource): undefined {
  if (header.readUInt32BE(0) === 0xd00dfeed)
    throw new CodedError('image-unsupported', 'a FIT image or a device tree: take its kernel out with dumpimage', {
      file: source.name,
    });
  return undefined;
}
