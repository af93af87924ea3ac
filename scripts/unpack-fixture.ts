/** Unpacks a fixture of test/fixtures: node unpack-fixture.js armv7-virt/vmlinux FILE */
import { createReadStream, createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createBrotliDecompress } from 'node:zlib';

const [name, output] = process.argv.slice(2);
const packed = join(import.meta.dirname, '..', '..', 'test', 'fixtures', `${name}.br`);
await pipeline(createReadStream(packed), createBrotliDecompress(), createWriteStream(output));
