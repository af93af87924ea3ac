import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import fc from 'fast-check';
import { PartSource } from '../../plugin/bytes/part.js';
import { GrowingSource, MemorySource, passingPieces, withFile } from '../../plugin/bytes/source.js';
import { CodedError } from '../../plugin/errors.js';
import { hashSource, sha256 } from '../../plugin/host/hash.js';
import { scratchFolder } from '../support/scratch.js';

const folder = scratchFolder(test, 'source');

const bytes = randomBytes((3 << 20) + 17);

test('bytes that come in pieces of any length are read as if they stood in one', t => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1000, max: 2 << 20 }),
      fc.array(fc.tuple(fc.nat(bytes.length), fc.nat(bytes.length))),
      (step, ranges) => {
        const source = new GrowingSource('grown');
        for (let at = 0; at < bytes.length; at += step) source.append(bytes.subarray(at, at + step));
        t.is(source.size, bytes.length);
        for (const [a, b] of ranges) {
          const [start, end] = a < b ? [a, b] : [b, a];
          t.is(Buffer.compare(source.read(start, end - start), bytes.subarray(start, end)), 0);
        }
        t.throws(() => source.read(bytes.length - 1, 2), { instanceOf: CodedError });
      },
    ),
    { numRuns: 10 },
  );
});

test('the pieces of a file that pass are all of its bytes, and stand in one place', t => {
  const path = join(folder, 'file');
  writeFileSync(path, bytes);
  withFile(path, source => {
    t.is(hashSource(source), sha256(bytes));
    t.is(hashSource(new PartSource(source, bytes.length - 20)), sha256(bytes.subarray(0, -20)));
    t.is(new Set(Array.from(passingPieces(source), piece => piece.buffer)).size, 1);
  });
  t.is(hashSource(new MemorySource(bytes, 'memory')), sha256(bytes));
  t.is(hashSource(new MemorySource(new Uint8Array(0), 'empty')), sha256(new Uint8Array(0)));
});
