import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { execa } from 'execa';
import type { Report } from '../../plugin/report/model.js';
import { bpftoolRaw } from '../support/bpftool.js';
import { cli, ERROR_LINE, hashesOf, sha256Of, splitQuickly } from '../support/cli.js';
import { fixture } from '../support/fixtures.js';
import { KERNELS } from '../support/kernels.js';
import { scratchFolder } from '../support/scratch.js';
import { haveTool } from '../support/tools.js';

const FILES = [
  'base.btf',
  'full.btf',
  'permutation.u32',
  'report.json',
  'report.md',
  'rest.btf',
  'split.json',
  'vmlinux',
  'vmlinux_btf.ko',
];

const folder = scratchFolder(test, 'cli');

interface Explanation {
  readonly id: number;
  readonly kind: string;
  readonly name: string;
  readonly side: string;
  readonly reasons: readonly { readonly chain: readonly { readonly id: number }[] }[];
}

for (const kernel of KERNELS) {
  const vmlinux = fixture(`${kernel}/vmlinux`);
  const out = join(folder, kernel);
  const file = (name: string): string => join(out, name);
  const report = (): Report => JSON.parse(readFileSync(file('report.json'), 'utf8')) as Report;

  test.serial(`split fills the out folder and tells what stays and what is saved: ${kernel}`, async t => {
    const before = sha256Of(vmlinux);
    const { exitCode, stdout, stderr } = await splitQuickly(vmlinux, out);
    t.is(exitCode, 0, stderr);
    t.is(stderr, '');
    t.deepEqual(readdirSync(out).sort(), FILES);
    t.regex(stdout, /^of [\d,]+ types in [\d,]+ bytes, [\d,]+ types in [\d,]+ bytes \(\d+\.\d %\) must stay$/m);
    t.regex(stdout, /^ +flash, compressed with/m);
    t.regex(stdout, /It saves flash .* does not save RAM/);
    t.regex(stdout, /Modules that were built before this split are refused by the split kernel/);
    t.true(stdout.endsWith(`${out}: written\n`));
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    t.notRegex(stdout, /[\u0000-\u0009\u000b-\u001f]/);
    t.is(sha256Of(vmlinux), before);
  });

  test.serial(`a second split gives the same bytes, and --json prints report.json: ${kernel}`, async t => {
    const again = join(folder, `${kernel}-again`);
    const { exitCode, stdout } = await splitQuickly(vmlinux, again, '--json');
    t.is(exitCode, 0);
    t.deepEqual(hashesOf(again), hashesOf(out));
    t.is(stdout, readFileSync(file('report.json'), 'utf8'));
    t.is(report().input.sha256, sha256Of(vmlinux));
  });

  test.serial(`--quiet prints nothing when all is well: ${kernel}`, async t => {
    const before = hashesOf(out);
    t.deepEqual(await splitQuickly(vmlinux, out, '--quiet'), { exitCode: 0, stdout: '', stderr: '' });
    t.deepEqual(hashesOf(out), before);
    t.deepEqual(await cli(['verify', out, '--quiet']), { exitCode: 0, stdout: '', stderr: '' });
  });

  test.serial(`inspect tells what split finds: ${kernel}`, async t => {
    const text = await cli(['inspect', vmlinux]);
    t.is(text.exitCode, 0, text.stderr);
    const { vermagic } = report().input;
    t.true(vermagic !== undefined && text.stdout.includes(vermagic));
    const { stdout } = await cli(['inspect', vmlinux, '--json']);
    const seen = JSON.parse(stdout);
    t.is(seen.kind, 'vmlinux');
    t.is(seen.btf.types, report().full.types);
    t.is(seen.kernel.baseTypes, report().base.types);
    t.is(seen.kernel.vermagic, vermagic);
  });

  test.serial(`inspect of an output or a module needs the base and nothing else: ${kernel}`, async t => {
    for (const [path, base, kind] of [
      [file('rest.btf'), file('base.btf'), 'btf'],
      [file('vmlinux_btf.ko'), file('vmlinux'), 'module'],
      [fixture(`${kernel}/tcp_bbr.ko`), vmlinux, 'module'],
    ]) {
      const { stdout, exitCode } = await cli(['inspect', path, '-B', base, '--json']);
      t.is(exitCode, 0);
      t.is(JSON.parse(stdout).kind, kind);
    }
  });

  test.serial(`dump prints what bpftool prints, for every output: ${kernel}`, async t => {
    if (!haveTool(t, 'bpftool', 'bpftool')) return;
    for (const [path, base] of [
      [vmlinux],
      [file('vmlinux')],
      [file('base.btf')],
      [file('full.btf')],
      [file('rest.btf'), file('base.btf')],
      [file('vmlinux_btf.ko'), file('base.btf')],
      [fixture(`${kernel}/tcp_bbr.ko`), vmlinux],
    ] as const) {
      const [expected, { exitCode, stdout }] = await Promise.all([
        bpftoolRaw(path, base),
        cli(['dump', path, ...(base === undefined ? [] : ['-B', base])], { encoding: 'latin1' }),
      ]);
      t.is(exitCode, 0, path);
      t.true(stdout.length > 1000 && stdout === expected.text, `${path} ${expected.complaint}`);
    }
  });

  test.serial(`dump without the base of split BTF is refused: ${kernel}`, async t => {
    const { exitCode, stdout, stderr } = await cli(['dump', file('rest.btf')]);
    t.is(exitCode, 3);
    t.is(stdout, '');
    t.regex(stderr, ERROR_LINE);
  });

  test.serial(`explain gives each reason with a chain from a root: ${kernel}`, async t => {
    const { stdout } = await cli(['explain', 'sk_buff', '--out', out, '--json']);
    const explanations = JSON.parse(stdout) as Explanation[];
    const buffer = explanations.find(({ kind }) => kind === 'STRUCT' || kind === 'struct');
    t.is(buffer?.side, 'base');
    t.true((buffer?.reasons.length ?? 0) > 1);
    for (const { chain } of buffer?.reasons ?? []) t.is(chain.at(-1)?.id, buffer?.id);
    const text = await cli(['explain', 'sk_buff', vmlinux]);
    t.regex(text.stdout, /STRUCT sk_buff|struct sk_buff/);
    t.is((await cli(['explain', 'sk_buff', '--out', out])).stdout, text.stdout, 'from the out folder as from the file');
    const byId = await cli(['explain', String(buffer?.id), vmlinux, '--json']);
    t.deepEqual(JSON.parse(byId.stdout), [buffer]);
    const kfunc = await cli(['explain', 'func:bpf_rcu_read_lock', vmlinux]);
    t.is(kfunc.exitCode, 0, kfunc.stderr);
    t.regex(kfunc.stdout, /: base\n {2}kfunc \(/);
  });

  test.serial(`explain says so when a type moves, and when there is none: ${kernel}`, async t => {
    const largest = report().largest.find(({ side, name }) => side === 'rest' && name !== '');
    const moved = await cli(['explain', String(largest?.id), vmlinux]);
    t.regex(moved.stdout, /: rest\n {2}no root of this kernel leads to it\n$/);
    for (const type of ['no_such_type', 'nonsense:sk_buff', '99999999']) {
      const { exitCode, stdout, stderr } = await cli(['explain', type, vmlinux]);
      t.is(exitCode, 2, type);
      t.is(stdout, '');
      t.is(ERROR_LINE.exec(stderr)?.[1], 'type-unknown', stderr);
    }
  });

  test.serial(`verify proves the out folder: ${kernel}`, async t => {
    const { exitCode, stdout } = await cli(['verify', out, '--json']);
    t.is(exitCode, 0);
    const { original, proved } = JSON.parse(stdout);
    t.is(sha256Of(original), sha256Of(vmlinux));
    t.true(proved.length >= 10);
  });

  test.serial(`bare BTF is split by a roots file, and verifies: ${kernel}`, async t => {
    const roots = join(folder, 'roots.txt');
    writeFileSync(roots, '# what a program of ours needs\nstruct:sk_buff # one\nfunc:tcp_sendmsg\n12\n');
    const bare = join(folder, `${kernel}-bare`);
    const { exitCode, stderr } = await splitQuickly(file('full.btf'), bare, '--roots', roots, '--quiet');
    t.is(exitCode, 0, stderr);
    t.false(existsSync(join(bare, 'vmlinux')) || existsSync(join(bare, 'vmlinux_btf.ko')));
    t.is((await cli(['verify', bare])).exitCode, 0);
    if (haveTool(t, 'bpftool', 'bpftool')) {
      const dump = await bpftoolRaw(join(bare, 'base.btf'));
      t.regex(dump.text ?? '', /STRUCT 'sk_buff'/);
      t.regex(dump.text ?? '', /FUNC 'tcp_sendmsg'/);
    }
  });
}

test.serial('the compressed sizes are those of a compressor, and stderr stays empty without a terminal', async t => {
  const vmlinux = fixture('armv7-virt/vmlinux');
  const out = join(folder, 'sizes');
  const { exitCode, stdout, stderr } = await cli(['split', vmlinux, '-o', out, '--sizes', 'gzip', '--json']);
  t.is(exitCode, 0);
  t.is(stderr, '', 'no progress without a terminal');
  const { rest, image } = JSON.parse(stdout) as Report;
  const packed = await execa('gzip', ['-9', '--no-name', '--stdout', join(out, 'rest.btf')], { encoding: 'buffer' });
  t.true(
    Math.abs(Number(rest.compressed.gzip) / packed.stdout.length - 1) < 0.03,
    'the zlib of Node is not that of gzip, but close',
  );
  t.true(Number(image?.after.compressed.gzip) < Number(image?.before.compressed.gzip));
});
