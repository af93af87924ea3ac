import { existsSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { CodedError } from '../../plugin/errors.js';
import { OutFolder } from '../../plugin/host/out-folder.js';
import { writeWhole } from '../../plugin/host/write-whole.js';
import { scratchFolder } from '../support/scratch.js';

const folder = scratchFolder(test, 'out-folder');

test('a defect of this program is no matter of the disk', t => {
  const out = OutFolder.open(join(folder, 'defect'), ['a'], join(folder, 'input'));
  t.teardown(() => out.abandon());
  for (const defect of [new RangeError('wrong'), new TypeError('wrong'), 'wrong', undefined])
    t.is(
      thrownBy(() =>
        out.writePieces(
          `of ${String(defect)}`,
          (function* () {
            yield new Uint8Array(1);
            throw defect;
          })(),
        ),
      ),
      defect,
    );
  // Node's own RangeError, which has a code.
  const numbers = thrownBy(() => out.writePieces('mode', [], -1));
  t.true(numbers instanceof RangeError, String(numbers));
  t.true(thrownBy(() => writeWhole(join(folder, 'whole'), 1 as unknown as Uint8Array, [])) instanceof TypeError);
  t.false(existsSync(join(folder, 'whole')));
});

test('what the host refuses is write-failed, with its errno', t => {
  const out = OutFolder.open(join(folder, 'refused'), ['a'], join(folder, 'input'));
  t.teardown(() => out.abandon());
  out.write('a', new Uint8Array(1));
  const error = thrownBy(() => out.write('a', new Uint8Array(1)));
  t.true(error instanceof CodedError);
  t.like(error, { code: 'write-failed', detail: 'EEXIST', place: { file: join(folder, 'refused', 'a') } });
});

function thrownBy(action: () => unknown): unknown {
  try {
    action();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
}
