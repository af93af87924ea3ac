import {
  chmodSync,
  closeSync,
  copyFileSync,
  existsSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { CodedError } from '../../plugin/errors.js';
import { runSplit } from '../../plugin/pipeline/split.js';
import { verifyOut } from '../../plugin/pipeline/verify.js';
import { fixture } from '../support/fixtures.js';
import { moduleFolder } from '../support/module-folder.js';
import { scratchFolder } from '../support/scratch.js';

const folder = scratchFolder(test, 'changed');
const live = join(folder, 'vmlinux');
const modules = join(folder, 'modules');
const module = join(modules, 'kernel/net/ipv4/tcp_bbr.ko');

function rewrite(path: string, at: number, bytes: number): void {
  const fd = openSync(path, 'r+');
  writeSync(fd, Buffer.alloc(bytes, 0xad), 0, bytes, at);
  closeSync(fd);
}

/** As a build does that writes a new file and renames it. */
function replace(path: string, by: string): void {
  copyFileSync(by, `${path}.new`);
  renameSync(`${path}.new`, path);
}

const CHANGES: readonly { readonly what: string; readonly file: string; readonly change: () => void }[] = [
  { what: 'two bytes of code are written over', file: live, change: () => rewrite(live, 0x20_0000, 2) },
  {
    what: 'it is written over, and its time set back',
    file: live,
    change: () => {
      const { atime, mtime } = statSync(live);
      rewrite(live, 0x20_0000, 2);
      utimesSync(live, atime, mtime);
    },
  },
  { what: 'all of it is written over', file: live, change: () => rewrite(live, 0, statSync(live).size) },
  { what: 'it is cut', file: live, change: () => truncateSync(live, 0x10_0000) },
  {
    what: 'another kernel comes to its place',
    file: live,
    change: () => replace(live, fixture('mips32-malta-be/vmlinux')),
  },
  { what: 'a copy comes to its place', file: live, change: () => replace(live, fixture('armv7-virt/vmlinux')) },
  { what: 'it is removed', file: live, change: () => rmSync(live) },
  { what: 'a module is written over', file: module, change: () => rewrite(module, 0x400, 2) },
  {
    what: 'another module comes to the place of one',
    file: module,
    change: () => replace(module, fixture('armv7-virt/dummy.ko')),
  },
  { what: 'a module is removed', file: module, change: () => rmSync(module) },
];

for (const { what, file, change } of CHANGES)
  for (const when of ['writing', 'measuring', 'putting into place'])
    test.serial(`no image is left of a vmlinux that changes during the run: ${what}, ${when}`, async t => {
      copyFileSync(fixture('armv7-virt/vmlinux'), live);
      moduleFolder(modules, 'armv7-virt');
      const out = join(folder, 'out');
      let changed = false;
      const onStage = (stage: string): void => {
        if (stage !== when) return;
        changed = true;
        change();
      };
      const error = await t.throwsAsync(runSplit({ file: live, out, modules, compressors: [], onStage }), {
        instanceOf: CodedError,
      });
      t.true(changed);
      t.like(error, { code: 'file-changed', exitCode: 3, place: { file } }, `${error?.code}: ${error?.message}`);
      t.false(existsSync(out));
    });

test.serial('a vmlinux that is only read meanwhile is split, and its image may be written to by its owner', async t => {
  copyFileSync(fixture('armv7-virt/vmlinux'), live);
  chmodSync(live, 0o440);
  const out = join(folder, 'read');
  await runSplit({ file: live, out, compressors: [] });
  t.is(statSync(join(out, 'vmlinux')).mode & 0o777, 0o640);
  t.true((await verifyOut(out)).proved.length > 0);
});
