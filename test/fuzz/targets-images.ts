import { gzipSync } from 'node:zlib';
import { inspect } from '../../plugin/commands/inspect.js';
import * as image from '../support/boot-image.js';
import { quietContext } from './quiet.js';
import type { Seed } from './seed.js';
import { kernelTypes } from './seeds/kernel-btf.js';
import { withFile } from './target.js';

/** A boot image or a compressed file, by the command. */
export async function readImage([bytes]: readonly Uint8Array[], folder: string): Promise<void> {
  await withFile(folder, 'image', bytes, file => inspect({ file, json: false }, quietContext));
}

/** One of each kind of image, packed by gzip or not at all: other programs are the host's. */
export function imageFiles(): Seed[] {
  const kernel = image.kernelBinary(kernelTypes('little', 8).bytes);
  const packed = gzipSync(kernel, { level: 0 });
  const images: Readonly<Record<string, Uint8Array>> = {
    'arm64 Image': image.arm64Image(kernel),
    bzImage: image.bzImage(packed),
    zImage: image.armZImage(packed),
    'EFI zboot': image.efiZboot(packed),
    vmlinuz: image.mipsVmlinuz(packed),
    uImage: image.uImage(packed, image.UIMAGE.gzip),
    'uImage of parts': image.uImage(image.parts(packed), image.UIMAGE.gzip, 4),
    packed,
  };
  return Object.entries(images).map(([name, bytes]) => ({ name, parts: [bytes] }));
}
