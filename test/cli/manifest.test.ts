import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { CodedError } from '../../plugin/errors.js';
import { SPLIT_JSON } from '../../plugin/host/out-folder.js';
import { readManifest } from '../../plugin/pipeline/out.js';
import { scratchFolder } from '../support/scratch.js';

const folder = scratchFolder(test, 'manifest');

const GOOD = {
  schemaVersion: 1,
  input: { file: 'vmlinux', kind: 'vmlinux', sha256: '' },
  closure: 'complete',
  types: {},
  roots: [],
  files: [],
};

test('a split.json whose modules are none is refused with one coded error', t => {
  const write = (value: unknown): void => writeFileSync(join(folder, SPLIT_JSON), JSON.stringify(value));
  write({ ...GOOD, modules: { mode: 'keep', folder: '.', files: [] } });
  t.notThrows(() => readManifest(folder));
  for (const modules of [null, 0, 'keep', [], { mode: 'keep', folder: '.', files: [null] }]) {
    write({ ...GOOD, modules });
    t.is(t.throws(() => readManifest(folder), { instanceOf: CodedError })?.code, 'out-folder', JSON.stringify(modules));
  }
});
