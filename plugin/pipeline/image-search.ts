import { type BootImage, readBootImage } from '../boot/formats.js';
import { type FoundBtf, findKernelBtf } from '../boot/kernel-btf.js';
import { findStreams, type PackingName, packingAt } from '../boot/packings.js';
import { magicOrder } from '../btf/header.js';
import { PartSource } from '../bytes/part.js';
import type { ByteSource, FileSource } from '../bytes/source.js';
import { ET_REL } from '../elf/constants.js';
import { ElfFile } from '../elf/file.js';
import { CodedError } from '../errors.js';
import { UnpackLimit, unpackStream } from '../host/unpack-payload.js';

export const BTF_SECTION = '.BTF';
/** The kernel and libbpf take offsets up to 2^31; more than this is no BTF and is never read into memory. */
export const MAX_RAW_BTF = 256 << 20;
/** Bytes of a file that is searched. */
const MAX_IMAGE = 512 << 20;
/** Streams that are tried in one file where no header tells which it is: a magic may stand in code. */
const MOST_STREAMS = 32;
/** A uImage of a packed zImage has four. */
const MOST_LAYERS = 8;

/** Where a search ended. */
export interface Found {
  /** What the file was, from the outside in: names of formats and packings. */
  readonly layers: readonly string[];
  readonly content:
    | { readonly kind: 'elf'; readonly elf: ElfFile }
    | { readonly kind: 'btf'; readonly source: ByteSource }
    | { readonly kind: 'binary'; readonly found: FoundBtf };
}

/** What is looked into: the file, or what was in it. */
interface Layer {
  readonly source: ByteSource;
  readonly layers: readonly string[];
  /** Whether it came out of a compressed stream. */
  readonly unpacked: boolean;
}

/** True for an ELF file that has the BTF of a kernel or module in a section, or whose missing BTF is its own matter: an object. */
export function isPlainElf(elf: ElfFile): boolean {
  return elf.header.type === ET_REL || (elf.find(BTF_SECTION)?.size ?? 0) > 0;
}

export function looksLikeBtf(source: ByteSource): boolean {
  return source.size >= 4 && magicOrder(source.read(0, 2)) !== undefined;
}

/** Finds BTF in boot images and compressed files. Owns the temporary files that this takes: {@link close}. */
export class ImageSearch {
  readonly #file: string;
  readonly #limit = new UnpackLimit();
  readonly #open: FileSource[] = [];
  #streams = MOST_STREAMS;
  /** The largest that was unpacked without finding BTF in it. */
  #largest: Layer | undefined;
  /** Why streams that were only tried did not unpack, or what was wrong inside; the first counts, but for a missing program. */
  #complaint: CodedError | undefined;

  constructor(file: string) {
    this.#file = file;
  }

  /**
   * Undefined for a file that is no boot image, not compressed, and has neither in it. Throws `image-btf-missing`, `image-damaged`,
   * `image-unsupported`, `image-limit`, `tool-missing`, and what reading ELF files throws.
   */
  async find(source: ByteSource): Promise<Found | undefined> {
    if (source.size > MAX_IMAGE) return undefined;
    const image = ElfFile.isElf(source) ? undefined : readBootImage(source);
    const found = await this.#lookInto({ source, layers: [], unpacked: false });
    if (found !== undefined) return found;
    const largest = this.#largest;
    const known = image !== undefined || packingAt(source, 0) !== undefined;
    if (largest !== undefined && (known || largest.source.size > source.size)) {
      const { layers, source } = largest;
      throw new CodedError('image-btf-missing', `${layers.join(', ')}: ${source.size} bytes`, { file: this.#file });
    }
    // A stream in a file of an unknown kind may be none; a program that is missing is worth telling.
    if (this.#complaint !== undefined && (known || this.#complaint.code === 'tool-missing')) throw this.#complaint;
    if (image === undefined) return undefined;
    throw image.content.kind === 'search'
      ? new CodedError('image-damaged', `no packed kernel in the ${image.format}`, { file: this.#file })
      : new CodedError('image-btf-missing', `${image.format}, ${source.size} bytes`, { file: this.#file });
  }

  /** Whatever was found can no longer be read then. */
  close(): void {
    for (const source of this.#open.splice(0)) source.close();
  }

  async #lookInto(layer: Layer): Promise<Found | undefined> {
    const { source, layers, unpacked } = layer;
    if (layers.length > MOST_LAYERS)
      throw new CodedError('image-unsupported', `${layers.join(', ')} and more`, { file: this.#file });
    if (ElfFile.isElf(source)) {
      const elf = ElfFile.open(source);
      if (isPlainElf(elf)) return { layers, content: { kind: 'elf', elf } };
      // arch/mips/boot/compressed/ld.script: the payload is somewhere in the .data of an ELF file.
      return unpacked ? undefined : this.#searchStreams({ ...layer, layers: [...layers, 'ELF vmlinuz'] });
    }
    if (layers.length > 0 && looksLikeBtf(source)) return { layers, content: { kind: 'btf', source } };
    const packing = packingAt(source, 0);
    if (packing !== undefined) return this.#unpack(layer, packing);
    const image = readBootImage(source);
    if (image !== undefined) return this.#lookIntoImage(layer, image);
    return this.#searchBinary(layer) ?? (unpacked ? undefined : this.#searchStreams(layer));
  }

  async #lookIntoImage(layer: Layer, { format, content, packing }: BootImage): Promise<Found | undefined> {
    const { offset, length } = content.range;
    const layers = [...layer.layers, format];
    const inside = { ...layer, source: new PartSource(layer.source, length, offset), layers };
    if (content.kind === 'plain') return this.#searchBinary(inside);
    if (content.kind === 'search') return this.#searchStreams(inside);
    if (packing === 'none') return this.#lookInto(inside);
    const packed = packingAt(inside.source, 0);
    if (packed === undefined || packed !== (packing ?? packed))
      throw new CodedError('image-damaged', `the payload of the ${format} is not packed as its header says`, {
        file: this.#file,
        offset,
      });
    return this.#unpack(inside, packed);
  }

  #searchBinary({ source, layers }: Layer): Found | undefined {
    const found = findKernelBtf(source, MAX_RAW_BTF);
    return found && { layers: layers.length > 0 ? layers : ['binary'], content: { kind: 'binary', found } };
  }

  /** Tries every stream that may be one, in order. What is wrong with one of them is no error yet. */
  async #searchStreams(layer: Layer): Promise<Found | undefined> {
    for (const { packing, offset } of findStreams(layer.source)) {
      if (this.#streams-- <= 0) return undefined;
      try {
        const found = await this.#unpack(layer, packing, offset);
        if (found !== undefined) return found;
      } catch (error) {
        if (!(error instanceof CodedError) || error.code === 'image-limit' || error.code === 'write-failed')
          throw error;
        if (
          this.#complaint?.code !== 'tool-missing' &&
          (this.#complaint === undefined || error.code === 'tool-missing')
        )
          this.#complaint = error;
      }
    }
    return undefined;
  }

  async #unpack({ source, layers }: Layer, packing: PackingName, offset = 0): Promise<Found | undefined> {
    const inside = await unpackStream(source, packing, offset, this.#limit);
    if (typeof inside === 'string') throw new CodedError('image-damaged', inside, { file: this.#file, offset });
    this.#open.push(inside);
    const layer = { source: inside, layers: [...layers, packing], unpacked: true };
    const found = await this.#lookInto(layer);
    if (found !== undefined) return found;
    if (inside.size > (this.#largest?.source.size ?? 0)) this.#largest = layer;
    return undefined;
  }
}
