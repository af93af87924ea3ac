import { readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import type { LintedFile } from '../../plugin/pipeline/lint-file.js';
import { readelfHeader } from '../elf/readelf.js';
import { type CliRun, cli, ERROR_LINE, hashesOf, sha256Of, splitQuickly } from '../support/cli.js';
import { fixture } from '../support/fixtures.js';
import { type KernelName, WHOLE_KERNELS } from '../support/kernels.js';
import { scratchFolder } from '../support/scratch.js';
import { haveBinutils, stripTo, systemMapOf } from '../support/system-map.js';

const folder = scratchFolder(test, 'stripped');

/** The CRC of module_layout that the build gave to its own modules, and the line of Module.symvers that says so. */
function symversOf(kernel: KernelName): string {
  const path = fixture(`${kernel}/tcp_bbr.ko`);
  const module = readFileSync(path);
  const { class: elfClass, order } = readelfHeader(path);
  const at = module.indexOf('module_layout\0') - elfClass / 8;
  const crc = order === 'little' ? module.readUInt32LE(at) : module.readUInt32BE(at + elfClass / 8 - 4);
  const line = (crc: number, symbol: string, module: string): string =>
    `0x${crc.toString(16).padStart(8, '0')}\t${symbol}\t${module}\tEXPORT_SYMBOL_GPL\t\n`;
  return `${line(1, 'system_state', 'vmlinux')}${line(2, 'module_layout', 'drivers/other')}${line(crc, 'module_layout', 'vmlinux')}`;
}

interface Split {
  readonly roots: unknown;
  readonly files: readonly { readonly name: string; readonly sha256: string }[];
  readonly systemMap?: string;
}

const manifest = (out: string): Split => JSON.parse(readFileSync(join(out, 'split.json'), 'utf8')) as Split;

for (const kernel of WHOLE_KERNELS) {
  const vmlinux = fixture(`${kernel}/vmlinux`);
  const stripped = join(folder, `${kernel}.stripped`);
  const map = join(folder, `${kernel}.map`);
  const symvers = join(folder, `${kernel}.symvers`);
  const versions = kernel !== 'armv7-virt';
  const given = ['--system-map', map, ...(versions ? ['--module-symvers', symvers] : [])];
  const prepare = (): void => {
    stripTo(kernel, vmlinux, stripped);
    writeFileSync(map, systemMapOf(kernel, vmlinux));
    if (versions) writeFileSync(symvers, symversOf(kernel));
  };

  test.serial(`a stripped vmlinux with its System.map gives what the whole one gives: ${kernel}`, async t => {
    if (!haveBinutils(t, kernel)) return;
    prepare();
    const whole = join(folder, `${kernel}.whole`);
    const out = join(folder, `${kernel}.out`);
    t.is((await splitQuickly(vmlinux, whole)).exitCode, 0);
    const before = sha256Of(stripped);
    const { exitCode, stderr } = await splitQuickly(stripped, out, ...given);
    t.is(exitCode, 0, stderr);
    t.is(sha256Of(stripped), before);
    const [told, expected] = [hashesOf(out), hashesOf(whole)];
    for (const name of ['base.btf', 'rest.btf', 'full.btf', 'permutation.u32', 'vmlinux_btf.ko'])
      t.is(told[name], expected[name], name);
    t.deepEqual(manifest(out).roots, manifest(whole).roots);
    t.is(manifest(whole).systemMap, undefined);

    const verified = await cli(['verify', out]);
    t.is(verified.exitCode, 0, verified.stderr);
    const moved = join(folder, `${kernel}.moved`);
    writeFileSync(moved, readFileSync(map));
    t.is((await cli(['verify', out, '--system-map', moved])).exitCode, 0);

    const again = await splitQuickly(vmlinux, join(folder, `${kernel}.both`), ...given);
    t.is(again.exitCode, 0, 'a map beside a symbol table does no harm');
    t.deepEqual(hashesOf(join(folder, `${kernel}.both`))['vmlinux_btf.ko'], expected['vmlinux_btf.ko']);
  });

  test.serial(`lint knows a stripped vmlinux by its System.map, and says so where it cannot: ${kernel}`, async t => {
    if (!haveBinutils(t, kernel)) return;
    prepare();
    const version = kernel.endsWith('7.2') ? '7.2' : '6.12';
    const clean = (file: string): string => `${file}: 0 errors, 0 warnings by the rules of Linux ${version}\n`;
    const lintOf = (...args: readonly string[]): Promise<CliRun> => cli(['lint', ...args]);
    t.deepEqual(await lintOf(stripped, '--system-map', map), { exitCode: 0, stdout: clean(stripped), stderr: '' });
    const unknown = await lintOf(stripped);
    t.is(unknown.exitCode, 0, unknown.stderr);
    t.regex(unknown.stdout, /by the rules of all kernels \(a vmlinux without symbols .*--system-map or --kernel\)\n$/);
    const [told] = JSON.parse((await lintOf(stripped, '--json')).stdout) as LintedFile[];
    t.is(told.kernel, 'any');
    t.regex(told.note ?? '', /without symbols/);

    const out = join(folder, `${kernel}.linted`);
    t.is((await splitQuickly(stripped, out, ...given)).exitCode, 0);
    const files = [...['base.btf', 'rest.btf', 'full.btf', 'vmlinux_btf.ko'].map(name => join(out, name)), out];
    t.deepEqual(await lintOf(out), { exitCode: 0, stdout: files.map(clean).join(''), stderr: '' });
    const moved = join(folder, `${kernel}.lint-moved`);
    renameSync(map, moved);
    t.deepEqual(await lintOf(out, '--system-map', moved), {
      exitCode: 0,
      stdout: files.map(clean).join(''),
      stderr: '',
    });
    const gone = await lintOf(out);
    t.is(ERROR_LINE.exec(gone.stderr)?.[1], 'elf-symbols-missing', gone.stderr);
    // Its banner is not in the map: the vermagic tells as much.
    writeFileSync(moved, readFileSync(moved, 'latin1').replace(/^.* linux_banner\n/m, ''), 'latin1');
    t.is((await lintOf(stripped, '--system-map', moved)).stdout, clean(stripped));
  });

  test.serial(`inspect and explain find the same in a stripped vmlinux: ${kernel}`, async t => {
    if (!haveBinutils(t, kernel)) return;
    prepare();
    const facts = async (file: string, ...options: readonly string[]): Promise<unknown> =>
      (JSON.parse((await cli(['inspect', file, '--json', ...options])).stdout) as { kernel: unknown }).kernel;
    const kernelFacts = await facts(stripped, ...given);
    t.not(kernelFacts, undefined);
    t.deepEqual(kernelFacts, await facts(vmlinux));
    const explained = await cli(['explain', 'struct:tcp_sock', stripped, '--system-map', map, '--json']);
    t.is(explained.stdout, (await cli(['explain', 'struct:tcp_sock', vmlinux, '--json'])).stdout);
    t.true(explained.stdout.length > 100);
  });

  test.serial(`what a stripped vmlinux lacks is told, and nothing is written: ${kernel}`, async t => {
    if (!haveBinutils(t, kernel)) return;
    prepare();
    const out = join(folder, `${kernel}.none`);
    const refused = async (code: string, hint: RegExp, ...options: readonly string[]): Promise<void> => {
      const { exitCode, stderr } = await splitQuickly(stripped, out, ...options);
      t.is(exitCode, 3, stderr);
      t.is(ERROR_LINE.exec(stderr)?.[1], code, stderr);
      t.regex(stderr, hint);
      t.false(readdirSync(folder).includes(`${kernel}.none`));
    };
    await refused('elf-symbols-missing', /--system-map/);
    await refused('file-unreadable', /no-such-map/, '--system-map', join(folder, 'no-such-map'));
    if (!versions) return;
    await refused('modversions', /--module-symvers/, '--system-map', map);
    writeFileSync(symvers, 'no line of it\n');
    await refused('module-symvers', /symvers offset 0x0/, ...given);
    writeFileSync(symvers, symversOf(kernel).replace(/^.*module_layout\tvmlinux.*\n/m, ''));
    await refused('modversions', /--module-symvers/, ...given);
  });
}

test.serial('the Module.symvers of another build contradicts the kernel', async t => {
  const symvers = join(folder, 'other.symvers');
  writeFileSync(symvers, '0x00000001\tmodule_layout\tvmlinux\tEXPORT_SYMBOL\t\n');
  const out = join(folder, 'other.out');
  const { exitCode, stderr } = await splitQuickly(fixture('arm64-virt/vmlinux'), out, '--module-symvers', symvers);
  t.is(exitCode, 3);
  t.regex(stderr, /0x1 was given, the kernel has 0x[0-9a-f]+.*\[modversions\]/);
  const plain = await splitQuickly(fixture('armv7-virt/vmlinux'), out, '--module-symvers', symvers);
  t.is(plain.exitCode, 0, 'a kernel without MODVERSIONS has no use for it');
});
