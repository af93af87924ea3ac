/**
 * Packs stripped kernels and modules into test/fixtures with brotli, which Node unpacks itself, and lists them in
 * manifest.json; what the manifest lists already stays. Arguments: pairs of fixture name and file, such as
 * `armv7-virt/vmlinux /tmp/vmlinux`; `--trim` before a pair has that kernel trimmed first (see trim-kernel.ts).
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { brotliCompressSync, constants } from 'node:zlib';
import { ensureDirSync } from 'fs-extra/esm';
import { trimKernel } from './trim-kernel.js';

interface FixtureEntry {
  /** Path below test/fixtures, without `.br`. */
  readonly name: string;
  readonly bytes: number;
  readonly sha256: string;
  /** Present when bytes that no test reads were zeroed: the file is no whole kernel and does not boot. */
  readonly trimmed?: true;
}

const folder = join(import.meta.dirname, '..', '..', 'test', 'fixtures');
const manifest = join(folder, 'manifest.json');

function pack(name: string, bytes: Uint8Array): FixtureEntry {
  const packed = brotliCompressSync(bytes, {
    params: {
      [constants.BROTLI_PARAM_QUALITY]: 11,
      [constants.BROTLI_PARAM_LGWIN]: 24,
      [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
    },
  });
  ensureDirSync(dirname(join(folder, name)));
  writeFileSync(join(folder, `${name}.br`), packed);
  process.stdout.write(`${name}: ${bytes.length} -> ${packed.length} bytes\n`);
  return { name, bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
}

const listed: FixtureEntry[] = existsSync(manifest) ? JSON.parse(readFileSync(manifest, 'utf8')).fixtures : [];
const fixtures = new Map(
  listed.filter(({ name }) => existsSync(join(folder, `${name}.br`))).map(entry => [entry.name, entry]),
);
const rest = process.argv.slice(2);
while (rest.length > 0) {
  const trim = rest[0] === '--trim';
  const [name, file] = rest.splice(0, trim ? 3 : 2).slice(trim ? 1 : 0);
  const bytes = readFileSync(file);
  fixtures.set(name, trim ? { ...pack(name, trimKernel(bytes)), trimmed: true } : pack(name, bytes));
}
const sorted = [...fixtures.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
writeFileSync(manifest, `${JSON.stringify({ fixtures: sorted }, null, 2)}\n`);
