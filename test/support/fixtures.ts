import { createHash, randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliDecompressSync } from 'node:zlib';
import { cacheFolder } from './cache.js';

/** The repository's root: this file runs from build/test/support. */
export const repository = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..');

/**
 * Path of an unpacked fixture, such as `armv7-virt/vmlinux` or `mips32-malta-be/tcp_bbr.ko`. It is unpacked once into
 * the cache, under the hash of the packed file, so that a changed fixture is never mistaken for its predecessor.
 */
export function fixture(name: string): string {
  const packed = readFileSync(join(repository, 'test', 'fixtures', `${name}.br`));
  const key = createHash('sha256').update(packed).digest('hex').slice(0, 16);
  const path = join(cacheFolder, 'fixtures', key, basename(name));
  if (!existsSync(path)) {
    mkdirSync(dirname(path), { recursive: true });
    const partial = `${path}.${randomUUID()}`;
    writeFileSync(partial, brotliDecompressSync(packed));
    renameSync(partial, path);
  }
  return path;
}
