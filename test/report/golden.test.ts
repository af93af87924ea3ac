import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { runSplit } from '../../plugin/pipeline/split.js';
import { renderText } from '../../plugin/report/render/text.js';
import { fixture, repository } from '../support/fixtures.js';
import { scratchFolder } from '../support/scratch.js';

const folder = scratchFolder(test, 'golden');
const golden = join(repository, 'test', 'golden', 'armv7-virt.report.txt');

/** To accept a change: delete the file, run this test, look at the difference. */
test('the report of the ARM fixture is the one that was looked at', async t => {
  const report = await runSplit({ file: fixture('armv7-virt/vmlinux'), out: join(folder, 'out'), compressors: [] });
  const text = renderText(report);
  if (!existsSync(golden)) {
    if (process.env.CI) return t.fail(`${golden} is missing`);
    writeFileSync(golden, text);
  }
  t.deepEqual(text.split('\n'), readFileSync(golden, 'utf8').split('\n'));
});
