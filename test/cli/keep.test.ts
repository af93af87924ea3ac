import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import type { Manifest } from '../../plugin/pipeline/manifest.js';
import type { Report } from '../../plugin/report/model.js';
import { minCoreBtf, programFile } from '../support/bpf.js';
import { bpftoolRaw } from '../support/bpftool.js';
import { cli, ERROR_LINE, splitQuickly } from '../support/cli.js';
import { fixture, repository } from '../support/fixtures.js';
import { scratchFolder } from '../support/scratch.js';
import { haveTool } from '../support/tools.js';

const folder = scratchFolder(test, 'keep');
const vmlinux = fixture('armv7-virt/vmlinux');
const plain = join(folder, 'plain');

const at = (name: string): string => join(folder, name);
const report = (out: string): Report => JSON.parse(readFileSync(join(out, 'report.json'), 'utf8')) as Report;
const manifest = (out: string): Manifest => JSON.parse(readFileSync(join(out, 'split.json'), 'utf8')) as Manifest;
const codeOf = (stderr: string): string | undefined => ERROR_LINE.exec(stderr)?.[1];

/** `KIND:name` of each type that bpftool finds in the base of an out folder. */
async function baseNames(out: string): Promise<ReadonlySet<string>> {
  const { text } = await bpftoolRaw(join(out, 'base.btf'));
  return new Set([...(text ?? '').matchAll(/^\[\d+\] (\w+) '([^']*)'/gm)].map(([, kind, name]) => `${kind}:${name}`));
}

test.serial('a split without rules, to compare with', async t => {
  t.is((await splitQuickly(vmlinux, plain)).exitCode, 0);
});

test.serial('--keep keeps what it names, with what belongs to it, and the out folder verifies', async t => {
  if (!haveTool(t, 'bpftool', 'bpftool')) return;
  const out = at('rules');
  const rules = [
    '--keep',
    'func:do_unlinkat',
    '--keep',
    'btf_trace_sched_switch',
    '--keep',
    'percpu',
    '--keep',
    'func:zzz_*',
  ];
  const { exitCode, stdout, stderr } = await splitQuickly(vmlinux, out, ...rules);
  t.is(exitCode, 0, stderr);
  t.regex(stdout, /^warning: the keep rule func:zzz_\* \(--keep\) matches no type of this kernel$/m);
  const [names, before] = await Promise.all([baseNames(out), baseNames(plain)]);
  for (const name of [
    'FUNC:do_unlinkat',
    'TYPEDEF:btf_trace_sched_switch',
    'FUNC:__bpf_trace_sched_switch',
    'DATASEC:.data..percpu',
    'VAR:runqueues',
  ]) {
    t.true(names.has(name), name);
    t.false(before.has(name), name);
  }
  const kept = manifest(out).roots.filter(({ reason }) => reason === 'keep');
  t.deepEqual([...new Set(kept.map(({ source }) => source))].sort(), [
    'btf_trace_sched_switch',
    'func:do_unlinkat',
    'percpu',
  ]);
  t.is((await cli(['verify', out])).exitCode, 0);
});

test.serial('explain --keep tells the bytes that such a split adds', async t => {
  const rules = ['--keep', 'func:do_unlinkat', '--keep', 'percpu', '--keep', 'func:tcp_*'];
  const { stdout, exitCode } = await cli(['explain', ...rules, vmlinux, '--json']);
  t.is(exitCode, 0);
  const costs = JSON.parse(stdout);
  t.is(costs.base, report(plain).base.bytes);
  t.is(costs.full, report(plain).input.btfBytes);
  const splits = [
    ...costs.rules.map((cost: { rule: string }) => ({ cost, rules: ['--keep', cost.rule] })),
    { cost: costs.together, rules },
  ];
  t.is(splits.length, 4);
  for (const { cost, rules } of splits) {
    const out = at('cost');
    t.is((await splitQuickly(vmlinux, out, ...rules)).exitCode, 0);
    t.is(report(out).base.bytes - costs.base, cost.bytes, cost.rule);
    t.is(report(out).base.types - report(plain).base.types, cost.types, cost.rule);
    t.true(cost.bytes > 0 && cost.matches > 0);
  }
  const fromOut = await cli(['explain', ...rules, '-o', plain, '--json']);
  t.is(fromOut.stdout, stdout);
  t.is((await cli(['explain', ...rules, plain, '--json'])).stdout, stdout);
});

test.serial('the costs in docs/keep-rules.md are those that the command there prints', async t => {
  const text = readFileSync(join(repository, 'docs', 'keep-rules.md'), 'utf8');
  const [, command, expected] =
    /^ {4}\$ vmlinux-btf (explain \/tmp\/vmlinux (?:.*\\\n)?.*)\n((?: {4}.*\n)+)/m.exec(text) ?? [];
  const rules = [...command.matchAll(/--keep '?([^\s']+)'?/g)].flatMap(([, rule]) => ['--keep', rule]);
  t.true(rules.length > 10);
  const { stdout } = await cli(['explain', vmlinux, ...rules]);
  t.is(stdout, expected.replaceAll(/^ {4}/gm, ''));
});

test.serial('explain tells the bytes that leave the base with a root: those that a split without it lacks', async t => {
  const { roots } = manifest(plain);
  const [sample] = JSON.parse((await cli(['explain', 'struct:bpf_ctx_convert', vmlinux, '--json'])).stdout);
  const { alone, chain } = sample.reasons[0];
  t.is(chain[0].id, sample.id);
  t.true(alone.bytes > 1000);
  const all = at('roots.txt');
  writeFileSync(all, roots.map(({ id }) => `${id}\n`).join(''));
  const without = at('without.txt');
  writeFileSync(without, roots.map(({ id }) => (id === sample.id ? '' : `${id}\n`)).join(''));
  const sizes: Report['base'][] = [];
  for (const file of [all, without]) {
    t.is((await splitQuickly(vmlinux, at('bare'), '--roots', file)).exitCode, 0);
    sizes.push(report(at('bare')).base);
  }
  t.is(sizes[0].bytes - sizes[1].bytes, alone.bytes);
  t.is(sizes[0].types - sizes[1].types, alone.types);
  t.regex(
    (await cli(['explain', 'struct:bpf_ctx_convert', vmlinux])).stdout,
    /were no root, [\d,]+ types \([\d,]+ bytes\)/,
  );
});

test.serial('--keep-for brings what a program needs to the base, and says what no kernel has', async t => {
  const before = JSON.parse((await cli(['explain', '--prog', programFile('attach'), plain, '--json'])).stdout)[0];
  const wanting = before.needs.filter(({ where }: { where: string }) => where === 'rest');
  t.true(wanting.length >= 3);
  const out = at('for');
  const { exitCode, stdout, stderr } = await splitQuickly(
    vmlinux,
    out,
    ...['--keep-for', programFile('attach', 'bpfeb'), '--keep-for', programFile('absent')],
  );
  t.is(exitCode, 0, stderr);
  t.regex(stdout, /^warning: absent\.bpfel\.o needs func:no_such_function \(fentry\), which this kernel has not$/m);
  t.regex(stdout, /^warning: absent\.bpfel\.o needs func:bpf_task_release \(kfunc\), which libbpf refuses: /m);
  t.notRegex(stdout, /no_such_kfunc|no_such_variable/);
  t.is((await cli(['verify', out])).exitCode, 0);
  const after = JSON.parse((await cli(['explain', '--prog', programFile('attach'), out, '--json'])).stdout)[0];
  t.deepEqual(
    after.needs.filter(({ where }: { where: string }) => where === 'rest'),
    [],
  );
  // The rules that explain names do the same as the object.
  const byRule = at('by-rule');
  const rules = wanting.flatMap(({ rule }: { rule: string }) => ['--keep', rule]);
  t.is((await splitQuickly(vmlinux, byRule, ...rules)).exitCode, 0);
  const ruled = JSON.parse((await cli(['explain', '--prog', programFile('attach'), byRule, '--json'])).stdout)[0];
  t.deepEqual(ruled.needs, after.needs);
});

test.serial('explain --prog says for each need where it is and whether that is enough', async t => {
  const { stdout, exitCode } = await cli([
    'explain',
    '--prog',
    programFile('attach'),
    '--prog',
    programFile('absent'),
    vmlinux,
  ]);
  t.is(exitCode, 0);
  for (const line of [
    /^attach\.bpfel\.o: it needs more in the base$/m,
    /^ {2}func do_unlinkat +rest +no +fentry$/m,
    /^ {2}func nf_nat_setup_info +module nf_nat +with the module +fentry$/m,
    /^ {2}typedef btf_trace_sched_switch +rest +with vmlinux_btf\.ko +tp_btf$/m,
    /^ {2}func bpf_lsm_bprm_check_security +base +yes +lsm$/m,
    /^ {2}func no_such_kfunc +absent +optional +kfunc$/m,
    /^ {2}var runqueues +rest +with vmlinux_btf\.ko +ksym$/m,
    /^ {2}fentry: its target is set when it is loaded$/m,
    /^ {2}to bring all of it to the base: --keep func:do_unlinkat .*--keep var:runqueues$/m,
    /^absent\.bpfel\.o: this kernel lacks what it needs$/m,
    /^ {2}struct task_struct of this kernel has no \.no_such_member, \.comm$/m,
    /^ {2}func bpf_task_release: libbpf refuses it: the kernel's has another prototype$/m,
  ])
    t.regex(stdout, line);
});

test.serial('a configuration and options add up; paths in it count from its folder', async t => {
  const here = at('configured');
  mkdirSync(join(here, 'programs'), { recursive: true });
  writeFileSync(join(here, 'programs', 'a.bpf.o'), readFileSync(programFile('attach')));
  const config = { $schema: 'x', keep: ['percpu'], keepFor: ['programs/a.bpf.o'] };
  writeFileSync(join(here, 'vmlinux-btf.config.json'), JSON.stringify(config));
  const sources = (out: string): string[] => [
    ...new Set(
      manifest(out)
        .roots.filter(({ reason }) => reason === 'keep')
        .map(({ source }) => source.replace(/^for a\.bpf\.o: .*/, 'for a.bpf.o')),
    ),
  ];
  const args = ['split', vmlinux, '--sizes', 'none', '--quiet', '--keep', 'func:vfs_read'];
  t.is((await cli([...args, '-o', at('by-default')], { cwd: here })).exitCode, 0);
  t.deepEqual(sources(at('by-default')).sort(), ['for a.bpf.o', 'func:vfs_read', 'percpu']);
  const named = join(here, 'other.json');
  writeFileSync(named, '{"keep": ["func:vfs_write"]}');
  t.is((await cli([...args, '-o', at('named'), '--config', named], { cwd: here })).exitCode, 0);
  t.deepEqual(sources(at('named')).sort(), ['func:vfs_read', 'func:vfs_write']);
});

test.serial('rules go with --roots as well', async t => {
  const roots = at('some-roots.txt');
  writeFileSync(roots, 'struct:list_head\n');
  const out = at('with-roots');
  t.is((await splitQuickly(join(plain, 'full.btf'), out, '--roots', roots, '--keep', 'func:vfs_read')).exitCode, 0);
  t.deepEqual(
    manifest(out)
      .roots.map(({ name }) => name)
      .sort(),
    ['list_head', 'vfs_read'],
  );
  t.is((await cli(['verify', out])).exitCode, 0);
});

test.serial('wrong rules, configurations and objects end with a coded error, and nothing is written', async t => {
  const bad = at('bad.json');
  writeFileSync(bad, '{"kepp": []}');
  const noText = at('no-text.json');
  writeFileSync(noText, Uint8Array.of(0x22, 0xff, 0x22));
  const cases: readonly (readonly [readonly string[], number, string])[] = [
    [['--keep', 'nonsense:x'], 2, 'keep-rule'],
    [['--keep', ''], 2, 'keep-rule'],
    [['--keep', 'struct:sk_bufff'], 2, 'keep-unknown'],
    [['--config', bad], 2, 'config'],
    [['--config', noText], 2, 'config'],
    [['--config', at('missing.json')], 3, 'file-unreadable'],
    [['--keep-for', at('missing.o')], 3, 'file-unreadable'],
    [['--keep-for', vmlinux], 3, 'bpf-object'],
  ];
  for (const [options, exit, code] of cases) {
    const { exitCode, stdout, stderr } = await splitQuickly(vmlinux, at('nothing'), ...options);
    t.is(exitCode, exit, stderr);
    t.is(codeOf(stderr), code, stderr);
    t.is(stdout, '');
    t.false(existsSync(at('nothing')));
  }
});

test.serial(
  'minimize writes what bpftool writes, of all objects together, in the byte order of the kernel',
  async t => {
    if (!haveTool(t, 'bpftool', 'bpftool')) return;
    const [theirs, ours] = [at('theirs.btf'), at('ours.btf')];
    const objects = [programFile('core'), programFile('attach')];
    const options = objects.flatMap(object => ['--for', object]);
    for (const [kernel, order] of [
      [vmlinux, 'little'],
      [fixture('mips32-malta-be/vmlinux'), 'big'],
    ]) {
      t.true((await minCoreBtf(kernel, theirs, objects)).ok);
      const { exitCode, stdout, stderr } = await cli(['minimize', kernel, ...options, '-o', ours]);
      t.is(exitCode, 0, stderr);
      t.regex(stdout, /: [\d,]+ types in [\d,]+ bytes; of \d+ relocations \d+ found nothing\n$/);
      t.is((await bpftoolRaw(ours)).text, (await bpftoolRaw(theirs)).text);
      if (order === 'little') t.true(readFileSync(ours).equals(readFileSync(theirs)));
      else t.is(readFileSync(ours).readUInt16BE(0), 0xeb9f);
      const json = JSON.parse((await cli(['minimize', kernel, ...options, '-o', ours, '--json'])).stdout);
      t.is(json.bytes, statSync(ours).size);
    }
  },
);

test.serial('minimize never replaces what it reads, and leaves nothing when it fails', async t => {
  const kernel = at('kernel.btf');
  writeFileSync(kernel, readFileSync(join(plain, 'full.btf')));
  const { exitCode, stderr } = await cli(['minimize', kernel, '--for', programFile('core'), '-o', kernel]);
  t.is(exitCode, 2);
  t.is(codeOf(stderr), 'out-is-input');
  t.true(readFileSync(kernel).equals(readFileSync(join(plain, 'full.btf'))));
  const nowhere = await cli(['minimize', kernel, '--for', programFile('core'), '-o', at('none/min.btf')]);
  t.is(codeOf(nowhere.stderr), 'write-failed');
  t.is(nowhere.exitCode, 4);
});
