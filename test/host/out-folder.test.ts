import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
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
  t.true(thrownBy(() => writeWhole(join(folder, 'whole'), 1 as unknown as Uint8Array[], [])) instanceof TypeError);
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

/** A result of an earlier run, and a later one that is ready to take its place. */
function ready(name: string): { path: string; out: OutFolder; contents: () => Record<string, string> } {
  const path = join(folder, name);
  const fill = (text: string): OutFolder => {
    const out = OutFolder.open(path, NAMES, join(folder, 'input'));
    for (const file of ['a', 'b', 'modules/x.ko', 'split.json'])
      out.write(file, Buffer.from(file === 'split.json' ? `{"modules":{"of":"${text}"}}` : text));
    return out;
  };
  fill('former').commit(NAMES);
  const contents = (): Record<string, string> =>
    Object.fromEntries(
      readdirSync(path, { recursive: true, encoding: 'utf8' })
        .filter(file => statSync(join(path, file)).isFile())
        .map(file => [file, readFileSync(join(path, file), 'utf8')]),
    );
  return { path, out: fill('later'), contents };
}

const NAMES = ['a', 'b', 'c', 'modules', 'split.json'];
const FORMER = { a: 'former', b: 'former', 'modules/x.ko': 'former', 'split.json': '{"modules":{"of":"former"}}' };
const LATER = { a: 'later', b: 'later', 'modules/x.ko': 'later', 'split.json': '{"modules":{"of":"later"}}' };

test('a later result takes the place of an earlier one, whole', t => {
  const { path, out, contents } = ready('replaced');
  out.commit(NAMES);
  t.deepEqual(contents(), LATER);
  t.deepEqual(readdirSync(path).sort(), ['a', 'b', 'modules', 'split.json']);
});

test('a folder in the way leaves the earlier result as it was, and the folder', t => {
  const { path, out, contents } = ready('in-the-way');
  rmSync(join(path, 'b'));
  mkdirSync(join(path, 'b'));
  writeFileSync(join(path, 'b', 'mine'), 'mine');
  const error = thrownBy(() => out.commit(NAMES));
  t.like(error, { code: 'write-failed', detail: 'EISDIR', place: { file: join(path, 'b') } });
  out.abandon();
  const { b: _, ...others } = FORMER;
  t.deepEqual(contents(), { ...others, 'b/mine': 'mine' });
  t.false(readdirSync(path).some(name => name.startsWith('.')));
});

for (const missing of ['a', 'b', 'modules', 'split.json'])
  test(`a rename that fails at ${missing} leaves the earlier result as it was`, t => {
    const { path, out, contents } = ready(`missing-${missing}`);
    rmSync(out.staged(missing), { recursive: true });
    t.like(
      thrownBy(() => out.commit(NAMES)),
      { code: 'write-failed', detail: 'ENOENT', place: { file: join(path, missing) } },
    );
    out.abandon();
    t.deepEqual(contents(), FORMER);
    t.deepEqual(readdirSync(path).sort(), ['a', 'b', 'modules', 'split.json']);
    const again = OutFolder.open(path, NAMES, join(folder, 'input'));
    again.abandon();
    t.deepEqual(contents(), FORMER, 'it is the result of a split as before');
  });
