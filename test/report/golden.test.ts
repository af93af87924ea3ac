import { join } from 'node:path';
import test from 'ava';
import { runSplit } from '../../plugin/pipeline/split.js';
import { renderText } from '../../plugin/report/render/text.js';
import { fixture } from '../support/fixtures.js';
import { matchesGolden } from '../support/golden.js';
import { scratchFolder } from '../support/scratch.js';

const folder = scratchFolder(test, 'golden');

test('the report of the ARM fixture is the one that was looked at', async t => {
  const report = await runSplit({ file: fixture('armv7-virt/vmlinux'), out: join(folder, 'out'), compressors: [] });
  matchesGolden(t, 'armv7-virt.report.txt', renderText(report));
});
