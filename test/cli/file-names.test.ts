import { join } from 'node:path';
import test from 'ava';
import { programFile } from '../support/bpf.js';
import { cli } from '../support/cli.js';
import { fixture } from '../support/fixtures.js';
import { scratchFolder } from '../support/scratch.js';

const folder = scratchFolder(test, 'file-names');
const vmlinux = fixture('armv7-virt/vmlinux');
const hostile = 'a\x1b[2Jb\rc\u202e';
const shown = 'a\\x1b[2Jb\\x0dc\\u{202e}';

test('a file name that would move the cursor is shown, not obeyed', async t => {
  const out = join(folder, hostile);
  const min = join(folder, `${hostile}.btf`);
  for (const [args, text] of [
    [['split', vmlinux, '-o', out, '--sizes', 'none'], `${join(folder, shown)}: written\n`],
    [['verify', out], `${join(folder, shown)} is a whole split of ${vmlinux}:\n`],
    [['lint', out], `${join(folder, shown)}: 0 errors`],
    [['minimize', vmlinux, '--for', programFile('core'), '-o', min], `${join(folder, shown)}.btf: `],
  ] as const) {
    const { exitCode, stdout, stderr } = await cli(args);
    t.is(exitCode, 0, stderr);
    t.true(stdout.includes(text), stdout);
    t.false(/(?!\n)[\p{Cc}\p{Cf}]/u.test(stdout), args[0]);
  }
});
