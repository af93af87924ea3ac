import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { execa } from 'execa';
import { cli, cliPath, ERROR_LINE } from '../support/cli.js';
import { fixture, repository } from '../support/fixtures.js';
import { scratchFolder } from '../support/scratch.js';

const folder = scratchFolder(test, 'usage');
const vmlinux = fixture('armv7-virt/vmlinux');

const WRONG: readonly (readonly string[])[] = [
  [],
  ['nonsense'],
  ['split'],
  ['split', vmlinux, 'second'],
  ['split', vmlinux, '--nonsense'],
  ['split', vmlinux, '--sizes', 'zip'],
  ['split', vmlinux, '--sizes', ''],
  ['split', vmlinux, '--sizes'],
  ['split', vmlinux, '--vermagic', ''],
  ['split', vmlinux, '--vermagic'],
  ['split', vmlinux, '--roots'],
  ['split', vmlinux, '-o'],
  ['inspect'],
  ['inspect', vmlinux, '-o', 'out'],
  ['inspect', vmlinux, '-B'],
  ['dump'],
  ['dump', vmlinux, '--quiet'],
  ['explain'],
  ['split', vmlinux, '--keep'],
  ['split', vmlinux, '--keep-for'],
  ['split', vmlinux, '--config'],
  ['explain', '--prog'],
  ['explain', '--prog', 'a.o', '--keep', 'percpu', vmlinux],
  ['explain', 'sk_buff', vmlinux, '--keep', 'percpu'],
  ['minimize', vmlinux],
  ['minimize', vmlinux, '-o', 'min.btf'],
  ['minimize', vmlinux, '--for', 'a.o'],
  ['verify', 'out', '--original'],
  ['verify', 'out', 'second'],
  ['check'],
  ['check', 'report.json', '--update-baseline'],
  ['check', 'report.json', '--format', 'xml'],
];

test('wrong usage ends with 2, one line and the way to the help', async t => {
  t.timeout(300_000, 'thirty programs are started');
  for (const args of WRONG) {
    const { exitCode, stdout, stderr } = await cli(args, { cwd: folder });
    t.is(exitCode, 2, args.join(' '));
    t.is(stdout, '', args.join(' '));
    t.is(ERROR_LINE.exec(stderr)?.[1], 'usage', `${args.join(' ')}: ${stderr}`);
    t.regex(stderr, /: see vmlinux-btf --help \[usage\]\n$/);
  }
});

test('--json gives the error as data, and the line on stderr as well', async t => {
  const { exitCode, stdout, stderr } = await cli(['split', '--json']);
  t.is(exitCode, 2);
  t.regex(stderr, ERROR_LINE);
  const { error } = JSON.parse(stdout);
  t.is(error.code, 'usage');
  t.is(error.exitCode, 2);
  t.true(error.what.length > 0 && error.detail.length > 0 && error.hint.length > 0);
});

test('--help of the program and of each command goes to stdout and ends with 0', async t => {
  for (const command of [[], ['split'], ['inspect'], ['dump'], ['explain'], ['minimize'], ['verify'], ['check']]) {
    const { exitCode, stdout, stderr } = await cli([...command, '--help']);
    t.is(exitCode, 0);
    t.is(stderr, '');
    t.true(stdout.startsWith(['vmlinux-btf', ...command].join(' ')));
    for (const line of stdout.split('\n')) t.true([...line].length <= 100, line);
  }
});

test('--version is that of package.json', async t => {
  const { version } = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8'));
  t.deepEqual(await cli(['--version']), { exitCode: 0, stdout: `${version}\n`, stderr: '' });
});

test('of an option that is given twice the last one counts', async t => {
  const { exitCode, stderr } = await cli(['verify', '--original', 'a', '--original', 'b', join(folder, 'none')]);
  t.is(exitCode, 3);
  t.is(ERROR_LINE.exec(stderr)?.[1], 'out-folder', stderr);
  const dump = await cli(['dump', vmlinux, '-B', 'a', '-B', '/no/such/base']);
  t.is(dump.exitCode, 3);
  t.true(dump.stderr.includes('/no/such/base'));
});

test('a reader that goes away ends the program quietly', async t => {
  for (const command of ['dump', 'inspect', 'split --sizes none -o out']) {
    const [name, ...options] = command.split(' ');
    const script = '"$0" "$@" | head -c 20 >/dev/null; echo $PIPESTATUS';
    const args = ['-c', script, process.execPath, cliPath, name, vmlinux, ...options];
    const { stdout, stderr } = await execa('bash', args, { cwd: folder });
    t.is(stdout, '0', command);
    t.is(stderr, '', command);
  }
});
