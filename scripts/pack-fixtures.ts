/**
 * Packs stripped kernels and modules into test/fixtures with brotli, which Node unpacks itself, and lists them in
 * manifest.json. Arguments: pairs of fixture name and file, such as `armv7-virt/vmlinux /tmp/vmlinux`.
 */
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { brotliCompressSync, constants } from 'node:zlib';
import { ensureDirSync } from 'fs-extra/esm';

interface FixtureEntry {
  /** Path below test/fixtures, without `.br`. */
  readonly name: string;
  readonly bytes: number;
  readonly sha256: string;
}

const folder = join(import.meta.dirname, '..', '..', 'test', 'fixtures');
const pairs = process.argv.slice(2);
const fixtures: FixtureEntry[] = [];
for (let i = 0; i + 1 < pairs.length; i += 2) {
  const [name, file] = [pairs[i], pairs[i + 1]];
  const bytes = readFileSync(file);
  const packed = brotliCompressSync(bytes, {
    params: {
      [constants.BROTLI_PARAM_QUALITY]: 11,
      [constants.BROTLI_PARAM_LGWIN]: 24,
      [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
    },
  });
  ensureDirSync(dirname(join(folder, name)));
  writeFileSync(join(folder, `${name}.br`), packed);
  fixtures.push({ name, bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') });
  process.stdout.write(`${name}: ${bytes.length} -> ${packed.length} bytes\n`);
}
fixtures.sort((a, b) => (a.name < b.name ? -1 : 1));
writeFileSync(join(folder, 'manifest.json'), `${JSON.stringify({ fixtures }, null, 2)}\n`);
