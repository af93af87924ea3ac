import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import type { LintedFile } from '../../plugin/pipeline/lint-file.js';
import { BtfBuilder } from '../support/build-btf.js';
import { cli, ERROR_LINE, splitQuickly } from '../support/cli.js';
import { ElfPatch } from '../support/elf-patch.js';
import { fixture } from '../support/fixtures.js';
import { INSTALLED, moduleFolder } from '../support/module-folder.js';
import { scratchFolder } from '../support/scratch.js';

const folder = scratchFolder(test, 'lint');
const vmlinux = fixture('armv7-virt/vmlinux');
const out = join(folder, 'out');

test.before(async t => {
  t.is((await splitQuickly(vmlinux, out)).exitCode, 0);
});

function write(name: string, fill: (b: BtfBuilder) => void): string {
  const b = new BtfBuilder();
  fill(b);
  const file = join(folder, name);
  writeFileSync(file, b.build());
  return file;
}

test('a vmlinux and a module say themselves which kernel counts', async t => {
  const kernel = await cli(['lint', vmlinux]);
  t.deepEqual(kernel, {
    exitCode: 0,
    stdout: `${vmlinux}: 0 errors, 0 warnings by the rules of Linux 6.12\n`,
    stderr: '',
  });
  const ko = fixture('armv7-virt/tcp_bbr.ko');
  const module = await cli(['lint', ko, '-B', vmlinux]);
  t.deepEqual(module, { exitCode: 0, stdout: `${ko}: 0 errors, 0 warnings by the rules of Linux 6.12\n`, stderr: '' });
});

test('a finding is a line and exit code 1; --quiet leaves out the sum', async t => {
  const file = write('float.btf', b => b.float('odd\x1b', 3));
  const line = `${file}: error: type 1 (FLOAT odd\\x1b): 3 bytes [float-size; kernel/bpf/btf.c:btf_float_check_meta]\n`;
  t.deepEqual(await cli(['lint', file]), {
    exitCode: 1,
    stdout: `${line}${file}: 1 errors, 0 warnings by the rules of all kernels\n`,
    stderr: '',
  });
  t.deepEqual(await cli(['lint', file, '--quiet']), { exitCode: 1, stdout: line, stderr: '' });
});

test('a warning is no failure, unless a program brings the BTF', async t => {
  const file = write('loop.btf', b => b.struct('self', 4, [{ name: 'm', type: 1, bits: 0 }]));
  const kernel = await cli(['lint', file]);
  t.is(kernel.exitCode, 0);
  t.regex(kernel.stdout, /warning: type 1 \(STRUCT self\)/);
  t.is((await cli(['lint', file, '--program'])).exitCode, 1);
});

test('--kernel tells which rules count, and more findings than are shown are counted', async t => {
  const file = write('flags.btf', b => {
    const int = b.int('int', 4);
    for (let i = 0; i < 40; i++) b.record(18, 'address_space(1)', { flag: true }, int);
  });
  t.is((await cli(['lint', file, '--kernel', '7.2.13', '--program'])).exitCode, 0);
  const { exitCode, stdout } = await cli(['lint', file, '--kernel', '6.12']);
  t.is(exitCode, 1);
  t.is(stdout.match(/ error: /g)?.length, 16);
  t.true(stdout.includes(`${file}: 24 more findings [kind-flag]\n`));
  t.true(stdout.includes('40 errors, 0 warnings by the rules of Linux 6.12'));
  t.regex((await cli(['lint', file, '--kernel', '6.18'])).stdout, /by the rules of Linux 6\.12-7\.2\n$/);
  const old = await cli(['lint', file, '--kernel', '5.4']);
  t.is(old.exitCode, 2);
  t.is(ERROR_LINE.exec(old.stderr)?.[1], 'usage');
});

test('--json prints findings as data, and nothing else', async t => {
  const file = write('json.btf', b => b.float('odd', 3));
  const { exitCode, stdout, stderr } = await cli(['lint', file, '--json']);
  t.is(exitCode, 1);
  t.is(stderr, '');
  const [linted] = JSON.parse(stdout) as LintedFile[];
  t.like(linted, { file, kernel: 'any', errors: 1, counts: { 'float-size': 1 } });
  t.like(linted.findings[0], { rule: 'float-size', level: 'error', id: 1, name: 'FLOAT odd' });
});

test('an out folder: base, rest, full, the carrier, and the split itself', async t => {
  const { exitCode, stdout } = await cli(['lint', out]);
  const files = [...['base.btf', 'rest.btf', 'full.btf', 'vmlinux_btf.ko'].map(name => join(out, name)), out];
  t.is(exitCode, 0);
  t.is(stdout, files.map(file => `${file}: 0 errors, 0 warnings by the rules of Linux 6.12\n`).join(''));
});

test('an out folder whose sides or ids are not those of a split', async t => {
  const copy = join(folder, 'copy');
  cpSync(out, copy, { recursive: true });
  t.teardown(() => rmSync(copy, { recursive: true }));
  const manifest = JSON.parse(readFileSync(join(copy, 'split.json'), 'utf8'));
  const permutation = readFileSync(join(copy, 'permutation.u32'));
  const { id, newId } = manifest.roots.find((root: { kind: string; name: string }) => root.kind === 'struct');
  // As if the struct had gone to the rest, and another type, the last one, had come for it.
  const last = manifest.types.full;
  permutation.writeUInt32LE(last, id * 4);
  writeFileSync(join(copy, 'permutation.u32'), permutation);
  const { exitCode, stdout } = await cli(['lint', copy]);
  t.is(exitCode, 1, `${id} ${newId}`);
  t.regex(stdout, /\[members; /);
});

test('a split of a vmlinux whose base the kernel would refuse is not written', async t => {
  const elf = new ElfPatch(readFileSync(vmlinux));
  elf.bytes[elf.section('.BTF').offset + 3] = 1;
  const broken = join(folder, 'vmlinux');
  writeFileSync(broken, elf.bytes);
  const target = join(folder, 'refused');
  const { exitCode, stdout, stderr } = await splitQuickly(broken, target);
  t.is(exitCode, 3);
  t.is(stdout, '');
  t.is(ERROR_LINE.exec(stderr)?.[1], 'btf-refused');
  t.regex(stderr, /base: flags 0x1 \[header-flags; .*\]/);
  t.throws(() => readFileSync(join(target, 'split.json')), { code: 'ENOENT' });
});

test('a split of a vmlinux whose rest the kernel would refuse is not written', async t => {
  const elf = new ElfPatch(readFileSync(vmlinux));
  // A FWD with a vlen somewhere in the rest: the last type of the original that is in it.
  const permutation = readFileSync(join(out, 'permutation.u32'));
  const { types } = JSON.parse(readFileSync(join(out, 'split.json'), 'utf8'));
  const { Btf } = await import('../../plugin/btf/btf.js');
  const section = elf.section('.BTF');
  const btf = Btf.decode(elf.elf.data(section));
  const fwd = btf.ofKind(7).findLast(id => permutation.readUInt32LE(id * 4) > types.base);
  if (fwd === undefined) throw new Error('no FWD in the rest');
  const at = section.offset + btf.header.length + btf.header.types.offset + btf.start(fwd) * 4 + 4;
  elf.u32(at, (7 << 24) | 1);
  const broken = join(folder, 'vmlinux-rest');
  writeFileSync(broken, elf.bytes);
  const { exitCode, stderr } = await splitQuickly(broken, join(folder, 'refused-rest'));
  t.is(exitCode, 3);
  t.regex(stderr, /rest: type \d+ \(FWD \w+\): vlen 1 \[vlen; .*\[btf-refused\]\n$/);
});

/** Sets a flag in the header of `.BTF`, which every kernel refuses. */
function setFlag(file: string): void {
  const elf = new ElfPatch(readFileSync(file));
  elf.bytes[elf.section('.BTF').offset + 3] = 1;
  writeFileSync(file, elf.bytes);
}

test('modules and the carrier of an out folder are looked at as well', async t => {
  const modules = moduleFolder(join(folder, 'modules'), 'armv7-virt');
  const target = join(folder, 'with-modules');
  t.is((await splitQuickly(vmlinux, target, '--modules', modules)).exitCode, 0);
  const bbr = join(target, 'modules', INSTALLED['tcp_bbr.ko']);
  const clean = await cli(['lint', target]);
  t.is(clean.exitCode, 0, clean.stdout);
  t.true(clean.stdout.includes(`${bbr}: 0 errors`));
  for (const file of [bbr, join(target, 'vmlinux_btf.ko')]) {
    const good = readFileSync(file);
    setFlag(file);
    const { exitCode, stdout } = await cli(['lint', target]);
    t.is(exitCode, 1);
    t.true(stdout.includes(`${file}: error: flags 0x1 [header-flags; `), stdout);
    writeFileSync(file, good);
  }
});

test('a module that the kernel would refuse, re-based or not, ends a split', async t => {
  const modules = moduleFolder(join(folder, 'refused-modules'), 'armv7-virt');
  setFlag(join(modules, INSTALLED['tcp_bbr.ko']));
  const target = join(folder, 'refused-with-modules');
  const { exitCode, stderr } = await splitQuickly(vmlinux, target, '--modules', modules);
  t.is(exitCode, 3);
  t.is(ERROR_LINE.exec(stderr)?.[1], 'btf-refused', stderr);
  t.regex(stderr, /\.BTF: flags 0x1 \[header-flags; .*tcp_bbr\.ko/);
  t.throws(() => readFileSync(join(target, 'split.json')), { code: 'ENOENT' });
});
