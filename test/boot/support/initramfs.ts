import { gzipSync } from 'node:zlib';

export interface InitramfsFile {
  /** Relative to the root, such as `lib/modules/x.ko`; folders above it are made. */
  readonly path: string;
  readonly data: Uint8Array;
  /** Permission bits; 0o644 when left out. */
  readonly mode?: number;
}

const FOLDER = 0o040755;
const REGULAR = 0o100000;
const TRAILER = 'TRAILER!!!';

/**
 * A cpio archive of the "newc" kind (Documentation/driver-api/early-userspace/buffer-format.rst of Linux): owned by
 * root, times 0, entries in the order given. The same files give the same bytes. Throws on a path that is absolute, empty or
 * repeated: the kernel would unpack something else than was meant.
 */
export function cpio(files: readonly InitramfsFile[]): Buffer {
  const seen = new Set<string>();
  const entries: Buffer[] = [];
  const add = (path: string, mode: number, data: Uint8Array): void => {
    seen.add(path);
    entries.push(entry(seen.size, path, mode, data));
  };
  for (const { path, data, mode = 0o644 } of files) {
    const parts = path.split('/');
    if (parts.some(part => part === '' || part === '.' || part === '..') || path === TRAILER)
      throw new Error(`no path for an initramfs: '${path}'`);
    if (seen.has(path)) throw new Error(`twice in the initramfs: '${path}'`);
    for (let depth = 1; depth < parts.length; depth++) {
      const folder = parts.slice(0, depth).join('/');
      if (!seen.has(folder)) add(folder, FOLDER, new Uint8Array(0));
    }
    add(path, REGULAR | mode, data);
  }
  entries.push(entry(0, TRAILER, 0, new Uint8Array(0)));
  return Buffer.concat(entries);
}

/** What `-initrd` of QEMU takes: the archive, gzip'd. */
export function initramfs(files: readonly InitramfsFile[]): Buffer {
  return gzipSync(cpio(files), { level: 6 });
}

/** Header of 110 characters, name with NUL, data; name and data each padded to four bytes. */
function entry(inode: number, path: string, mode: number, data: Uint8Array): Buffer {
  const name = Buffer.from(`${path}\0`, 'utf8');
  const links = mode === FOLDER ? 2 : 1;
  // ino mode uid gid nlink mtime filesize devmajor devminor rdevmajor rdevminor namesize check
  const fields = [inode, mode, 0, 0, links, 0, data.length, 0, 0, 0, 0, name.length, 0];
  const header = `070701${fields.map(field => field.toString(16).padStart(8, '0')).join('')}`;
  return Buffer.concat([padded(Buffer.concat([Buffer.from(header, 'latin1'), name])), padded(data)]);
}

function padded(bytes: Uint8Array): Buffer {
  return Buffer.concat([bytes], Math.ceil(bytes.length / 4) * 4);
}
