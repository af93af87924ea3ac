import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { CodedError, formatError } from '../../plugin/errors.js';
import { runSplit } from '../../plugin/pipeline/split.js';
import { cli, ERROR_LINE, sha256Of, splitQuickly } from '../support/cli.js';
import { ElfPatch } from '../support/elf-patch.js';
import { fixture } from '../support/fixtures.js';
import { scratchFolder } from '../support/scratch.js';
import { haveTool } from '../support/tools.js';
import { DAMAGES } from './damage.js';

const folder = scratchFolder(test, 'bad');
const input = join(folder, 'input');
const out = join(folder, 'out');
const originals = new Map<string, Buffer>();

function original(kernel: string): Buffer {
  const bytes = originals.get(kernel) ?? readFileSync(fixture(`${kernel}/vmlinux`));
  originals.set(kernel, bytes);
  return bytes;
}

interface Told {
  readonly code: string;
  readonly file?: string;
  readonly section?: string;
  readonly offset?: number;
  readonly exitCode: number;
}

/** Splits, expects one line and the same as JSON, no output and an unchanged input; returns what was told. */
async function refused(t: ExecutionContext, what: string, file: string, code: string, exit = 3): Promise<Told> {
  const { exitCode, stdout, stderr } = await splitQuickly(file, out, '--json');
  t.is(exitCode, exit, `${what}: ${stderr}`);
  t.is(ERROR_LINE.exec(stderr)?.[1], code, `${what}: ${stderr}`);
  t.true(stderr.includes(file), `${what}: ${stderr}`);
  const told = JSON.parse(stdout).error as Told;
  t.is(told.code, code, what);
  t.is(told.exitCode, exit, what);
  return told;
}

test.serial('each damage of a kernel is told in one line that names the place, and nothing is written', async t => {
  t.timeout(120_000, 'many kernels');
  for (const { what, kernel = 'armv7-virt', make, code, section, offset } of DAMAGES) {
    const made = make(new ElfPatch(original(kernel)));
    writeFileSync(input, made instanceof ElfPatch ? made.bytes : made);
    const before = sha256Of(input);
    const split = runSplit({ file: input, out, compressors: [] });
    const error = await t.throwsAsync(split, { instanceOf: CodedError }, what);
    t.is(error?.code, code, `${what}: ${error?.message}`);
    t.is(error?.exitCode, 3, what);
    t.is(error?.place.file, input, what);
    if (section !== undefined) t.is(error?.place.section, section, what);
    if (offset !== undefined) t.not(error?.place.offset, undefined, what);
    t.regex(`vmlinux-btf: ${error === undefined ? '' : formatError(error)}\n`, ERROR_LINE, what);
    t.false(existsSync(out), what);
    t.is(sha256Of(input), before, what);
  }
});

test.serial('the program tells one damage of each code as its parts do, and as JSON', async t => {
  for (const code of new Set(DAMAGES.map(damage => damage.code))) {
    const { what, kernel = 'armv7-virt', make } = DAMAGES.findLast(damage => damage.code === code) ?? DAMAGES[0];
    const made = make(new ElfPatch(original(kernel)));
    writeFileSync(input, made instanceof ElfPatch ? made.bytes : made);
    t.is((await refused(t, what, input, code)).file, input);
    t.false(existsSync(out), what);
  }
});

test.serial('a failed split leaves the results of an earlier one as they were', async t => {
  t.is((await splitQuickly(fixture('armv7-virt/vmlinux'), out)).exitCode, 0);
  const before = readdirSync(out).map(name => [name, sha256Of(join(out, name))]);
  writeFileSync(input, new ElfPatch(original('armv7-virt')).u16(18, 62).bytes);
  await refused(t, 'another architecture', input, 'arch-unsupported');
  t.deepEqual(
    readdirSync(out).map(name => [name, sha256Of(join(out, name))]),
    before,
  );
  rmSync(out, { recursive: true });
});

test.serial('a module is no kernel, and no kind of kernel is told to be the wrong one', async t => {
  const ko = fixture('armv7-virt/tcp_bbr.ko');
  await refused(t, 'tcp_bbr.ko', ko, 'elf-kind');
  // Kernels are ET_EXEC, and ET_DYN where they relocate themselves (arm64).
  t.notRegex((await cli(['split', ko, '-o', out])).stderr, /ET_/);
});

test.serial('programs and objects of the host have no BTF', async t => {
  await refused(t, '/bin/true', '/bin/true', 'btf-missing');
  if (!haveTool(t, 'gcc', 'gcc')) return;
  const source = join(folder, 'a.c');
  const object = join(folder, 'a.o');
  writeFileSync(source, 'int a;\n');
  execFileSync('gcc', ['-c', source, '-o', object]);
  await refused(t, 'an object', object, 'btf-missing');
});

test.serial('a kernel that strip has been at has no symbols', async t => {
  const strip = 'mips-linux-gnu-strip';
  if (!haveTool(t, strip, 'binutils-mips-linux-gnu')) return;
  const file = join(folder, 'stripped');
  execFileSync(strip, ['-s', '-o', file, fixture('mips32-malta-be/vmlinux')]);
  await refused(t, 'stripped', file, 'elf-symbols-missing');
});

test.serial('what is no file, not there or forbidden cannot be read', async t => {
  await refused(t, 'a folder', folder, 'file-unreadable');
  await refused(t, 'nothing', join(folder, 'nothing'), 'file-unreadable');
  await refused(t, 'a device', '/dev/null', 'file-unreadable');
  const pipe = join(folder, 'pipe');
  execFileSync('mkfifo', [pipe]);
  await refused(t, 'a named pipe', pipe, 'file-unreadable');
  t.false(existsSync(out));
});

test.serial('a file that its user may not read cannot be read, one that he may not write can', async t => {
  const root = process.getuid?.() === 0;
  const uid = root ? 65_534 : undefined;
  const place = join(folder, 'user');
  mkdirSync(place);
  for (const path of [folder, place]) chmodSync(path, 0o777);
  const file = join(place, 'vmlinux');
  copyFileSync(fixture('armv7-virt/vmlinux'), file);
  const options = uid === undefined ? {} : { uid };
  const args = ['split', file, '-o', join(place, 'out'), '--sizes', 'none', '--quiet'];
  chmodSync(file, 0o000);
  const forbidden = await cli(args, options);
  if (/EACCES.*cli\.js|Cannot find module/.test(forbidden.stderr)) {
    t.log('not tested: another user cannot read this repository');
    return;
  }
  t.is(forbidden.exitCode, 3);
  t.is(ERROR_LINE.exec(forbidden.stderr)?.[1], 'file-unreadable', forbidden.stderr);
  chmodSync(file, 0o444);
  t.deepEqual(await cli(args, options), { exitCode: 0, stdout: '', stderr: '' });
  chmodSync(place, 0o555);
  const elsewhere = ['split', file, '-o', join(place, 'other'), '--sizes', 'none'];
  const closed = await cli(elsewhere, options);
  t.is(closed.exitCode, 4);
  t.is(ERROR_LINE.exec(closed.stderr)?.[1], 'write-failed', closed.stderr);
});

test.serial('a file in the place of the out folder is a matter of the host', async t => {
  writeFileSync(out, 'mine');
  const { exitCode, stderr } = await splitQuickly(fixture('armv7-virt/vmlinux'), out);
  t.is(exitCode, 4);
  t.is(ERROR_LINE.exec(stderr)?.[1], 'write-failed', stderr);
  t.is(readFileSync(out, 'utf8'), 'mine');
  rmSync(out);
});

test.serial('without --json nothing goes to stdout, and --quiet does not silence an error', async t => {
  writeFileSync(input, 'text');
  for (const options of [[], ['--quiet']]) {
    const { stdout, stderr } = await splitQuickly(input, out, ...options);
    t.is(stdout, '');
    t.regex(stderr, ERROR_LINE);
  }
});

test.serial('the other commands refuse bad input in the same way', async t => {
  writeFileSync(input, new ElfPatch(original('armv7-virt')).header('.BTF', 'offset', 0x7fff_fff0).bytes);
  for (const args of [
    ['inspect', input],
    ['dump', input],
    ['explain', 'sk_buff', input],
    ['dump', fixture('armv7-virt/tcp_bbr.ko'), '-B', input],
  ]) {
    const { exitCode, stdout, stderr } = await cli(args);
    t.is(exitCode, 3, args.join(' '));
    t.is(stdout, '');
    t.is(ERROR_LINE.exec(stderr)?.[1], 'file-truncated', stderr);
    t.true(stderr.includes(`${input} .BTF offset 0x7ffffff0`), stderr);
  }
  const { exitCode, stderr } = await cli(['explain', 'sk_buff', fixture('armv7-virt/tcp_bbr.ko')]);
  t.is(exitCode, 3);
  t.regex(stderr, ERROR_LINE);
});
