import { join } from 'node:path';
import test from 'ava';
import { cli, ERROR_LINE, splitQuickly } from '../support/cli.js';
import { fixture } from '../support/fixtures.js';
import { scratchFolder } from '../support/scratch.js';

const folder = scratchFolder(test, 'explain-top');
const vmlinux = fixture('armv7-virt/vmlinux');

interface Top {
  readonly base: { readonly types: number; readonly bytes: number };
  readonly rows: readonly {
    readonly name: string;
    readonly roots: number;
    readonly types: number;
    readonly bytes: number;
  }[];
}

async function top(...args: readonly string[]): Promise<Top> {
  const { stdout, exitCode, stderr } = await cli(['explain', ...args, '--json']);
  if (exitCode !== 0) throw new Error(stderr);
  return JSON.parse(stdout) as Top;
}

test('what retains most comes first, and is what explain says of that type', async t => {
  const { rows, base } = await top(vmlinux, '--top', '4');
  t.is(rows.length, 4);
  t.true(base.types > 6000 && base.bytes > 400_000);
  for (const [nth, { bytes, types, name }] of rows.entries()) {
    t.true(nth === 0 || bytes <= rows[nth - 1].bytes);
    const { stdout } = await cli(['explain', name, vmlinux, '--json']);
    const [{ id, reasons }] = JSON.parse(stdout);
    const told = reasons.find(({ chain }: { chain: { id: number }[] }) => chain[0].id === id);
    t.deepEqual(told.alone, { types, bytes });
  }
});

test('sets and reasons, of a split folder with either closure', async t => {
  for (const closure of ['complete', 'forward']) {
    const out = join(folder, closure);
    t.is((await splitQuickly(vmlinux, out, '--closure', closure)).exitCode, 0);
    const sets = await top(out, '--top', '1000', '--per', 'set');
    t.true(sets.rows.some(({ name, roots }) => name === 'bpf_lsm_hooks' && roots > 200));
    const reasons = await top(out, '--top', '1000', '--per', 'reason');
    t.true(reasons.rows.length > 8 && reasons.rows.every(({ bytes }) => bytes < reasons.base.bytes));
    t.deepEqual(sets.base, reasons.base);
  }
  const { stdout } = await cli(['explain', join(folder, 'forward'), '--top', '2', '--per', 'reason']);
  t.regex(
    stdout,
    /^what would leave the base \([\d,]+ types in [\d,]+ bytes\) without one reason\n {2}reason .*\n {2}\w+ .* %\n {2}\w+ .* %\n$/,
  );
});

test('what a root reaches is at least what it retains, and the whole what all of them do', async t => {
  for (const per of ['reason', 'subsystem']) {
    const retained = await top(vmlinux, '--top', '100', '--per', per);
    const reached = await top(vmlinux, '--top', '100', '--per', per, '--by', 'reached');
    t.deepEqual(retained.base, reached.base);
    t.is(retained.rows.length, reached.rows.length);
    for (const { name, types, bytes } of retained.rows) {
      const row = reached.rows.find(each => each.name === name);
      t.true(row !== undefined && row.bytes >= bytes && row.types >= types && row.bytes <= reached.base.bytes, name);
    }
    t.deepEqual(
      [...reached.rows].sort((a, b) => b.bytes - a.bytes).map(({ bytes }) => bytes),
      reached.rows.map(({ bytes }) => bytes),
    );
  }
});

test('a number that is none, and a second question, are usage', async t => {
  for (const args of [
    [vmlinux, '--top', '0'],
    [vmlinux, '--top', 'x'],
    ['task_struct', vmlinux, '--top', '3'],
    [vmlinux, '--top', '3', '--keep', 'a'],
  ]) {
    const { exitCode, stderr } = await cli(['explain', ...args]);
    t.is(exitCode, 2, args.join(' '));
    t.is(ERROR_LINE.exec(stderr)?.[1], 'usage');
  }
});
