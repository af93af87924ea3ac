import { copyFileSync, cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { Btf } from '../../plugin/btf/btf.js';
import type { TypeDiff } from '../../plugin/diff/model.js';
import { diffTypes } from '../../plugin/diff/types.js';
import type { ReportDiff } from '../../plugin/report/compare.js';
import type { Report } from '../../plugin/report/model.js';
import { BtfBuilder } from '../support/build-btf.js';
import { cli, ERROR_LINE, splitQuickly } from '../support/cli.js';
import { fixture } from '../support/fixtures.js';
import { matchesGolden } from '../support/golden.js';
import { kernelBtf } from '../support/kernel-btf.js';
import { scratchFolder } from '../support/scratch.js';

const folder = scratchFolder(test, 'diff');
const OLD = fixture('armv7-virt/vmlinux');
const NEW = fixture('armv7-virt-7.2/vmlinux');
const plain = join(folder, 'plain');
const kept = join(folder, 'kept');
const forward = join(folder, 'forward');

interface Told {
  readonly types?: TypeDiff;
  readonly reports?: ReportDiff;
}

async function told(...args: readonly string[]): Promise<Told> {
  const { exitCode, stdout, stderr } = await cli(['diff', ...args, '--json']);
  if (exitCode !== 0) throw new Error(stderr);
  return JSON.parse(stdout) as Told;
}

test.before(async t => {
  const runs = [
    await splitQuickly(OLD, plain),
    await splitQuickly(OLD, kept, '--keep', 'tp_btf'),
    await splitQuickly(OLD, forward, '--closure', 'forward'),
  ];
  for (const { exitCode, stderr } of runs) t.is(exitCode, 0, stderr);
});

test('two kernels: the line of bloat-o-meter, then what differs most', async t => {
  const { exitCode, stdout, stderr } = await cli(['diff', OLD, NEW]);
  t.is(exitCode, 0, stderr);
  t.regex(stdout, /^add\/remove: \d+\/\d+ grow\/shrink: \d+\/\d+ up\/down: \d+\/-\d+ \(-?\d+\)\n/);
  matchesGolden(t, 'armv7-virt.diff.txt', stdout);
});

test('an out folder and the kernel that it was made of have the same types', async t => {
  for (const out of [plain, kept]) {
    const { types, reports } = await told(OLD, out);
    t.deepEqual(types?.types, []);
    t.deepEqual([types?.bytes.up, types?.bytes.down, types?.moved, reports], [0, 0, undefined, undefined]);
  }
});

test('two out folders: what moved to the base is what the reports tell', async t => {
  const { stdout } = await cli(['diff', plain, kept, '--format', 'markdown']);
  matchesGolden(t, 'armv7-virt.diff-keep.md', stdout);
  const { types, reports } = await told(plain, kept);
  const [was, is] = [plain, kept].map(out => JSON.parse(readFileSync(join(out, 'report.json'), 'utf8')) as Report);
  const figure = (name: string) => reports?.figures.find(row => row.name === name);
  t.deepEqual(figure('btf.base'), { name: 'btf.base', before: was.base.bytes, after: is.base.bytes });
  t.is(figure('btf.full'), undefined);
  t.true((types?.moved?.toBase ?? 0) > 500);
  t.is(types?.moved?.toRest, 0);
  t.is(types?.verdicts.moved, types?.moved?.toBase);
  // Named types only; the report counts the nameless ones as well.
  t.true((types?.moved?.toBase ?? 0) < is.base.types - was.base.types);
  t.deepEqual(reports?.reasons.find(({ name }) => name === 'keep')?.before, null);
});

test('with closure forward, definitions move to the rest and declarations come', async t => {
  const { types } = await told(plain, forward);
  const report = JSON.parse(readFileSync(join(forward, 'report.json'), 'utf8')) as Report;
  t.deepEqual(Object.keys(Object.fromEntries(types?.types.map(({ verdict }) => [verdict, 1]) ?? [])).sort(), [
    'added',
    'moved',
  ]);
  t.is(types?.verdicts.added, report.forward?.forwards);
  t.true(
    types?.types.every(({ verdict, kind, side }) => verdict !== 'added' || (kind === 'fwd' && side?.after === 'base')),
  );
  t.deepEqual([types?.bytes.up, types?.bytes.down], [report.forward?.bytes, 0]);
});

test('two reports are compared by their tables, and an out folder with a report by its own', async t => {
  const [a, b] = [join(plain, 'report.json'), join(kept, 'report.json')];
  const { types, reports } = await told(a, b);
  t.is(types, undefined);
  t.deepEqual(reports, (await told(plain, kept)).reports);
  t.deepEqual((await told(plain, b)).reports, reports);
  const { stdout } = await cli(['diff', a, b]);
  t.regex(stdout, /^two reports\n\nFigures\n/);
  t.is((await cli(['diff', a, a])).stdout, 'no difference\n');
});

test('the folder of a kernel build has the parts by the same names, and need not have a report', async t => {
  const built = join(folder, '.vmlinux-btf');
  mkdirSync(built);
  for (const name of ['full.btf', 'base.btf']) copyFileSync(join(kept, name), join(built, name));
  const { types, reports } = await told(plain, built);
  t.deepEqual(types, (await told(plain, kept)).types);
  t.is(reports, undefined);
});

test('--exit-code tells whether something differs', async t => {
  t.is((await cli(['diff', plain, plain, '--exit-code'])).exitCode, 0);
  t.is((await cli(['diff', plain, kept, '--exit-code'])).exitCode, 1);
  t.is((await cli(['diff', OLD, OLD, '--exit-code'])).exitCode, 0);
  t.is((await cli(['diff', OLD, NEW, '--exit-code', '--kind', 'float'])).exitCode, 0);
  t.is((await cli(['diff', OLD, NEW, '--exit-code', '--kind', 'struct'])).exitCode, 1);
  t.is((await cli(['diff', plain, kept])).exitCode, 0);
  const [a, b] = [join(plain, 'report.json'), join(kept, 'report.json')];
  t.is((await cli(['diff', a, b, '--exit-code'])).exitCode, 1);
});

test('--kind and --all: every row of one kind', async t => {
  const { stdout } = await cli(['diff', OLD, NEW, '--kind', 'enum64', '--all']);
  const { types } = await told(OLD, NEW, '--kind', 'enum64');
  for (const { kind, name } of types?.types ?? []) {
    t.is(kind, 'enum64');
    t.true(stdout.includes(`  enum64 ${name} `), name);
  }
  t.true((types?.types.length ?? 0) > 3);
  t.notRegex(stdout, /--all|func_proto/);
  const all = await cli(['diff', OLD, NEW, '--all']);
  const added = /\nAdded\n([\s\S]*?)\n\n/.exec(all.stdout)?.[1].split('\n') ?? [];
  t.is(added.length - 1, (await told(OLD, NEW)).types?.verdicts.added ?? -1);
});

test('modules are compared on their bases', async t => {
  const [a, b] = ['armv7-virt', 'armv7-virt-7.2'].map(kernel => fixture(`${kernel}/tcp_bbr.ko`));
  const { types } = await told(a, b, '--base-btf', OLD, '--base-btf-b', NEW);
  const decode = (name: string): Btf => {
    const { bytes, base } = kernelBtf(name);
    return Btf.decode(bytes, base === undefined ? undefined : Btf.decode(base.bytes));
  };
  const expected = diffTypes({ btf: decode('armv7-virt/tcp_bbr.ko') }, { btf: decode('armv7-virt-7.2/tcp_bbr.ko') });
  t.deepEqual(types, JSON.parse(JSON.stringify(expected)));
  t.true((types?.unchanged ?? 0) > 0);
  t.is((await cli(['diff', a, a, '-B', OLD, '--exit-code'])).exitCode, 0);
});

interface Refusal {
  readonly args: readonly string[];
  readonly exit: number;
  readonly code: string;
  readonly says: RegExp;
}

test('what cannot be compared is told in one line', async t => {
  const file = (name: string, text: string): string => {
    const path = join(folder, name);
    writeFileSync(path, text);
    return path;
  };
  const report = join(plain, 'report.json');
  const good = JSON.parse(readFileSync(report, 'utf8')) as Report;
  const mixed = join(folder, 'mixed');
  cpSync(plain, mixed, { recursive: true });
  copyFileSync(join(kept, 'base.btf'), join(mixed, 'base.btf'));
  const partial = join(folder, 'partial');
  cpSync(plain, partial, { recursive: true });
  rmSync(join(partial, 'full.btf'));
  const module = fixture('armv7-virt/tcp_bbr.ko');
  const refusals: readonly Refusal[] = [
    { args: [report, OLD], exit: 2, code: 'usage', says: /is a report and .* is none/ },
    { args: [OLD, report], exit: 2, code: 'usage', says: /is a report and .* is none/ },
    { args: [report, report, '--kind', 'struct'], exit: 2, code: 'usage', says: /--kind/ },
    { args: [OLD, NEW, '--kind', 'structs'], exit: 2, code: 'usage', says: /no such kind/ },
    { args: [OLD, NEW, '--format', 'html'], exit: 2, code: 'usage', says: /format/ },
    { args: [OLD, NEW, '--base-btf', OLD], exit: 2, code: 'usage', says: /a base BTF is for a module/ },
    { args: [plain, kept, '--base-btf', OLD], exit: 2, code: 'usage', says: /a base BTF is for a module/ },
    { args: [OLD], exit: 2, code: 'usage', says: /./ },
    { args: [OLD, join(folder, 'none')], exit: 3, code: 'file-unreadable', says: /ENOENT/ },
    { args: [OLD, file('text', 'hello')], exit: 3, code: 'elf-not', says: /neither ELF nor BTF/ },
    { args: [module, module], exit: 3, code: 'btf-strings', says: /-B/ },
    { args: [report, file('cut.json', '{"schemaVersion": 1,')], exit: 3, code: 'report', says: /no JSON/ },
    { args: [report, file('no.json', '{}')], exit: 3, code: 'report', says: /schemaVersion: missing/ },
    {
      args: [report, file('odd.json', JSON.stringify({ ...good, kinds: [{ kind: 'struct', full: null }] }))],
      exit: 3,
      code: 'report',
      says: /kinds\[0\]/,
    },
    { args: [plain, folder], exit: 3, code: 'out-folder', says: /no full\.btf/ },
    { args: [plain, partial], exit: 3, code: 'out-folder', says: /no full\.btf/ },
    { args: [plain, mixed], exit: 3, code: 'out-folder', says: /does not begin with the types of base\.btf/ },
  ];
  for (const { args, exit, code, says } of refusals) {
    const { exitCode, stdout, stderr } = await cli(['diff', ...args]);
    t.is(exitCode, exit, stderr);
    t.is(stdout, '');
    t.is(ERROR_LINE.exec(stderr)?.[1], code, stderr);
    t.regex(stderr, says);
  }
});

test('names that would move the cursor are shown, in text and in markdown', async t => {
  const write = (name: string, type: string): string => {
    const b = new BtfBuilder();
    b.int('int', 4);
    b.struct(type, 4, []);
    b.struct('s', 4, [{ name: type, type: 1, bits: 0 }]);
    const path = join(folder, name);
    writeFileSync(path, b.build());
    return path;
  };
  const [a, b] = [write('one.btf', '\x1b[31m|a\nb'), write('two.btf', 'plain')];
  for (const format of ['text', 'markdown']) {
    const { stdout } = await cli(['diff', a, b, '--format', format]);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    t.notRegex(stdout, /[\u0000-\u0009\u000b-\u001f]/);
    t.true(stdout.includes(format === 'text' ? '\\x1b[31m|a\\x0ab' : '\\\\x1b\\[31m\\|a\\\\x0ab'), stdout);
  }
});
