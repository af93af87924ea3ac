import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { cli, ERROR_LINE, splitQuickly } from '../support/cli.js';
import { fixture } from '../support/fixtures.js';
import { scratchFolder } from '../support/scratch.js';

const folder = scratchFolder(test, 'explain-root');
const vmlinux = fixture('armv7-virt/vmlinux');

interface Amount {
  readonly types: number;
  readonly bytes: number;
}

interface ExplainedRoot {
  readonly id: number;
  readonly kind: string;
  readonly name: string;
  readonly base: Amount;
  readonly reasons: readonly { readonly reason: string; readonly sources: readonly string[] }[];
  readonly retained: Amount;
  readonly reached: Amount;
  readonly leaving: readonly {
    readonly id: number;
    readonly kind: string;
    readonly bytes: number;
    readonly gone: boolean;
  }[];
}

async function rootsOf(name: string, ...more: readonly string[]): Promise<ExplainedRoot[]> {
  const { stdout, stderr, exitCode } = await cli(['explain', '--root', name, ...more, '--json']);
  if (exitCode !== 0) throw new Error(stderr);
  return JSON.parse(stdout) as ExplainedRoot[];
}

test('a root is told with its reasons, and with what a split without it lacks', async t => {
  const [root] = await rootsOf('bpf_lsm_locked_down', vmlinux);
  t.is(root.kind, 'func');
  t.true(root.reasons.length > 0 && root.reasons.every(({ sources }) => sources.length > 0));
  t.true(root.retained.types > 0 && root.retained.types <= root.reached.types);
  t.true(root.reached.bytes <= root.base.bytes);
  // Complete: whatever leaves goes whole, so the list is all of the types.
  t.is(root.leaving.length, root.retained.types);
  t.true(root.leaving.every(({ gone }) => gone));
  const records = root.leaving.reduce((sum, { bytes }) => sum + bytes, 0);
  t.true(records > 0 && records <= root.retained.bytes);
  t.true(root.leaving.some(({ id }) => id === root.id));
  const { rows } = JSON.parse((await cli(['explain', vmlinux, '--top', '10000', '--json'])).stdout);
  const row = rows.find(({ name }: { name: string }) => name === `func:${root.name}`);
  t.deepEqual({ types: row.types, bytes: row.bytes }, root.retained);
});

test('what a root reaches is the base of a split with that root alone', async t => {
  const [root] = await rootsOf('struct:tcp_congestion_ops', vmlinux);
  const out = join(folder, 'alone');
  const roots = join(folder, 'roots');
  writeFileSync(roots, `${root.id}\n`);
  t.is((await splitQuickly(vmlinux, out, '--roots', roots)).exitCode, 0);
  const { base } = JSON.parse((await cli(['report', out, '--format', 'json'])).stdout);
  t.is(root.reached.types, base.types);
  t.is(root.reached.bytes, base.typeBytes + base.stringBytes - 1);
});

test('with forward, a struct that others point to stays by its name', async t => {
  const out = join(folder, 'forward');
  t.is((await splitQuickly(vmlinux, out, '--closure', 'forward')).exitCode, 0);
  const { rows } = JSON.parse((await cli(['explain', out, '--top', '60', '--json'])).stdout);
  let halves = 0;
  for (const { name } of rows.slice(0, 12)) {
    for (const { leaving, retained } of await rootsOf(name, out)) {
      t.is(leaving.filter(({ gone }) => gone).length, retained.types);
      halves += leaving.filter(({ gone }) => !gone).length;
    }
  }
  t.true(halves > 0);
});

test('printed, a root is a few lines; what is no root, and a second question, are errors', async t => {
  const { stdout } = await cli(['explain', '--root', 'tcp_congestion_ops', vmlinux]);
  t.regex(
    stdout,
    /^\[\d+\] struct tcp_congestion_ops: a root\n {2}\w[^\n]*\n(.*\n)* {2}would leave the base without it: [\d,]+ types? in [\d,]+ bytes \([\d.]+ % of the base\)\n {2}would be the base with it alone: /,
  );
  for (const [args, code] of [
    [['--root', 'no_such_type', vmlinux], 'type-unknown'],
    [['--root', 'char', vmlinux], 'root-unknown'],
    [['--root', 'sock', '--top', '3', vmlinux], 'usage'],
    [['--root', 'sock', vmlinux, vmlinux], 'usage'],
  ] as const) {
    const { exitCode, stderr } = await cli(['explain', ...args]);
    t.is(exitCode, 2, args.join(' '));
    t.regex(stderr, ERROR_LINE);
    t.true(stderr.includes(code), stderr);
  }
});
