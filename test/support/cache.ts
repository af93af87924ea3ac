import { homedir } from 'node:os';
import { join } from 'node:path';

/** Where kernels, unpacked fixtures and Debian's BTF are kept between runs; scripts use the same folder. */
export const cacheFolder = process.env.VMLINUX_BTF_CACHE ?? join(homedir(), '.cache', 'vmlinux-btf');
