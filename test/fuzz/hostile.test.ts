import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import test from 'ava';
import { MemorySource } from '../../plugin/bytes/source.js';
import { ElfFile } from '../../plugin/elf/file.js';
import { CodedError } from '../../plugin/errors.js';
import { repository } from '../support/fixtures.js';
import { scratchFolder } from '../support/scratch.js';
import { HOSTILE } from './hostile.js';
import { HOSTILE_MORE } from './hostile-more.js';
import { LIMITS } from './protocol.js';
import type { FilesRun } from './run-files.js';
import { ARM, kernelImage } from './seeds/kernel.js';

const folder = scratchFolder(test, 'hostile');
const program = join(repository, 'build', 'test', 'fuzz', 'run-files.js');

async function runFiles(target: string, files: readonly string[]): Promise<FilesRun> {
  const { stdout } = await promisify(execFile)(process.execPath, [program, target, ...files], { timeout: 100_000 });
  return JSON.parse(stdout) as FilesRun;
}

for (const [nth, { name, target, parts, comesTo }] of [...HOSTILE, ...HOSTILE_MORE].entries())
  test.serial(`within a second and 300 MiB: ${name}`, async t => {
    t.timeout(120_000, 'on a busy machine');
    const files = parts().map((bytes, part) => {
      const file = join(folder, `${nth}.${part}`);
      writeFileSync(file, bytes);
      return file;
    });
    let { outcome, time, peak } = await runFiles(target, files);
    // A busy machine is no defect: the same once more, as the fuzzer does it.
    for (let more = 2; more > 0 && time > LIMITS.time; more--)
      ({ outcome, time, peak } = await runFiles(target, files));
    const came: string = outcome.kind === 'refused' ? outcome.code : outcome.kind;
    t.is(came, comesTo, JSON.stringify(outcome));
    t.true(time <= LIMITS.time, `${time} ms`);
    t.true(peak <= LIMITS.memory, `${peak} MiB`);
  });

test('loadable segments that are each the whole file are refused before anything is measured', t => {
  const bytes = kernelImage(ARM);
  const view = new DataView(bytes.buffer);
  const { phoff, phnum } = ElfFile.open(new MemorySource(bytes, 'kernel')).header;
  for (let i = 0; i < phnum; i++) {
    view.setUint32(phoff + i * 32 + 4, 0, true); // p_offset
    view.setUint32(phoff + i * 32 + 16, bytes.length, true); // p_filesz
  }
  const elf = ElfFile.open(new MemorySource(bytes, 'kernel'));
  t.is(t.throws(() => elf.loadSegments(), { instanceOf: CodedError })?.code, 'elf-header');
});
