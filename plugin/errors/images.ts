import type { CatalogueEntry } from './entry.js';

/** Errors of boot images and compressed files; part of the catalogue in errors.ts. */
export const IMAGE_ERRORS = {
  'image-packed': {
    exit: 3,
    what: 'a boot image or a packed file, not the vmlinux of the build',
    hint: 'pass the ELF vmlinux from the top of the object tree; inspect, dump and diff read boot images as well, report with --roots',
  },
  'image-damaged': { exit: 3, what: 'the boot image is damaged', hint: 'copy or build the image again' },
  'image-unsupported': {
    exit: 3,
    what: 'a kind of boot image that is not read',
    hint: 'pass the kernel inside it, or the vmlinux of the build; docs/images.md lists what is read',
  },
  'image-limit': {
    exit: 3,
    what: 'the boot image is larger than any kernel',
    hint: 'pass the vmlinux of the build',
  },
  'image-btf-missing': {
    exit: 3,
    what: 'no BTF in this image',
    hint: 'build the kernel with CONFIG_DEBUG_INFO_BTF=y, or pass the image of another kernel',
  },
} as const satisfies Record<string, CatalogueEntry>;
