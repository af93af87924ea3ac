import { randomBytes } from 'node:crypto';
import test from 'ava';
import fc from 'fast-check';
import { GrowingSource } from '../../plugin/bytes/source.js';
import { CodedError } from '../../plugin/errors.js';

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
