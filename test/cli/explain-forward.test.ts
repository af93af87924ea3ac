import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { bpftoolRaw } from '../support/bpftool.js';
import { cli, splitQuickly } from '../support/cli.js';
import { fixture } from '../support/fixtures.js';
import { scratchFolder } from '../support/scratch.js';
import { haveTool } from '../support/tools.js';

const folder = scratchFolder(test, 'explain-forward');
const vmlinux = fixture('mips32-malta-be/vmlinux');
const out = join(folder, 'out');

interface Explanation {
  readonly kind: string;
  readonly side: string;
  readonly reasons: readonly {
    readonly chain: readonly { readonly kind: string; readonly name: string }[];
    readonly alone: { readonly types: number; readonly bytes: number };
  }[];
}

interface Costs {
  readonly base: number;
  readonly rules: readonly { readonly types: number; readonly bytes: number }[];
}

const baseBytes = (of: string): number =>
  (JSON.parse(readFileSync(join(of, 'report.json'), 'utf8')) as { base: { bytes: number } }).base.bytes;

async function asked<T>(...args: readonly string[]): Promise<T> {
  return JSON.parse((await cli(['explain', ...args, '--json'])).stdout) as T;
}

/** Names of FWDs of the struct kind, as bpftool prints a BTF. */
const forwards = (text = ''): string[] =>
  [...text.matchAll(/^\[\d+\] FWD '(\w+)' fwd_kind=struct/gm)].map(([, name]) => name);

test('of a split with closure forward, explain tells what is there: a struct that is a FWD is in the rest', async t => {
  if (!haveTool(t, 'bpftool', 'bpftool')) return;
  const { exitCode, stderr } = await splitQuickly(vmlinux, out, '--closure', 'forward');
  t.is(exitCode, 0, stderr);
  const before = new Set(forwards((await bpftoolRaw(vmlinux)).text));
  const [name, ...others] = forwards((await bpftoolRaw(join(out, 'base.btf'))).text).filter(text => !before.has(text));
  t.true(others.length > 50);
  const moved = await asked<Explanation[]>(`struct:${name}`, '--out', out);
  t.deepEqual(
    moved.map(({ side, reasons }) => [side, reasons.length]),
    [['rest', 0]],
  );

  const rule = `struct:${name}`;
  const costs = await asked<Costs>('--keep', rule, out);
  t.is(costs.base, baseBytes(out));
  const kept = join(folder, 'kept');
  t.is((await splitQuickly(vmlinux, kept, '--closure', 'forward', '--keep', rule)).exitCode, 0);
  t.is(costs.base + costs.rules[0].bytes, baseBytes(kept));
  t.is((await asked<Explanation[]>(rule, '--out', kept))[0].side, 'base');
});

test('the way to a type and what would go with its root are those of closure forward', async t => {
  const kept = join(folder, 'bytes');
  const root = 'func:do_nanosleep';
  t.is((await splitQuickly(vmlinux, kept, '--closure', 'forward', '--keep', root)).exitCode, 0);
  const [{ side, reasons }] = await asked<Explanation[]>(root, '--out', kept);
  t.is(side, 'base');
  t.deepEqual(
    reasons.map(({ chain }) => chain.map(({ name }) => name)),
    [['do_nanosleep']],
  );
  const without = join(folder, 'without');
  t.is((await splitQuickly(vmlinux, without, '--closure', 'forward')).exitCode, 0);
  t.is(reasons[0].alone.bytes, baseBytes(kept) - baseBytes(without));
  t.true(reasons[0].alone.bytes > 0);
});
