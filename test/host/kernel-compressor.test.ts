import { execFileSync } from 'node:child_process';
import test from 'ava';
import { Compression } from '../../plugin/host/compress.js';
import { kernelCommands } from '../../plugin/host/kernel-compressor.js';
import { parseConfig } from '../../plugin/modules/kconfig.js';
import { haveTool } from '../support/tools.js';

const MIB = 1 << 20;

/** What a kernel with these options is compressed with, as a command line. */
function commands(options: string, bytes = 20 * MIB): string[] {
  const lines = options.split(' ').map(option => `CONFIG_${option}=y`);
  return kernelCommands(parseConfig(lines.join('\n')), bytes).map(command => command.join(' '));
}

test('a configuration names the commands of scripts/Makefile.lib', t => {
  t.deepEqual(commands('ARM KERNEL_GZIP'), ['gzip -n -f -9']);
  t.deepEqual(commands('MIPS KERNEL_LZMA'), ['lzma -9']);
  t.deepEqual(commands('X86 KERNEL_ZSTD'), ['zstd -22 --ultra']);
  t.deepEqual(commands('ARM KERNEL_LZ4'), ['lz4 -l -9 - -']);
  t.deepEqual(commands('ARM KERNEL_LZO'), ['lzop -9']);
  t.deepEqual(commands('X86 KERNEL_BZIP2'), ['bzip2 -9']);
  for (const none of ['ARM64', 'S390 KERNEL_UNCOMPRESSED']) t.deepEqual(commands(none), []);
  t.deepEqual(kernelCommands(undefined, MIB), []);
});

test('xz takes the filter and the alignment of the architecture, as scripts/xz_wrap.sh does', t => {
  const xz = (rest: string): string => `xz --check=crc32 --threads=1 ${rest}`;
  t.deepEqual(commands('ARM KERNEL_XZ'), [xz('--arm --lzma2=lp=2,lc=2,dict=32MiB')]);
  t.deepEqual(commands('ARM THUMB2_KERNEL KERNEL_XZ'), [xz('--armthumb --lzma2=lp=1,dict=32MiB')]);
  t.deepEqual(commands('X86 KERNEL_XZ'), [xz('--x86 --lzma2=dict=32MiB')]);
  t.deepEqual(commands('MIPS KERNEL_XZ'), [xz('--lzma2=lp=2,lc=2,dict=32MiB')]);
  t.deepEqual(commands('PPC CPU_BIG_ENDIAN KERNEL_XZ'), [xz('--powerpc --lzma2=lp=2,lc=2,dict=32MiB')]);
  t.deepEqual(commands('S390 KERNEL_XZ'), [xz('--lzma2=lp=1,dict=32MiB')]);
  // A filter that the host's xz may lack: the kernel then does without, and so do we.
  t.deepEqual(commands('ARM64 KERNEL_XZ'), [
    xz('--arm64 --lzma2=lp=2,lc=2,dict=32MiB'),
    xz('--lzma2=lp=2,lc=2,dict=32MiB'),
  ]);
});

test('the dictionary holds the image, and no more than the kernel’s', t => {
  const dictionary = (bytes: number): string | undefined => /dict=(\w+)/.exec(commands('X86 KERNEL_XZ', bytes)[0])?.[1];
  t.is(dictionary(1), '1MiB');
  t.is(dictionary(32 * MIB), '32MiB');
  t.is(dictionary(32 * MIB + 1), '64MiB');
  t.is(dictionary(900 * MIB), '128MiB');
});

const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * i) % 251));

test('images alone are measured with it', async t => {
  if (!haveTool(t, 'xz', 'xz-utils')) return;
  const kernel = kernelCommands(parseConfig('CONFIG_ARM=y\nCONFIG_KERNEL_XZ=y\n'), bytes.length);
  const compression = new Compression(['gzip', 'kernel'], kernel);
  t.deepEqual(Object.keys(await compression.measure(() => [bytes])), ['gzip']);
  t.deepEqual(Object.keys(compression.describe()), ['gzip']);
  const [program, ...options] = kernel[0];
  const size = execFileSync(program, options, { input: bytes }).length;
  t.is((await compression.measureImage(() => [bytes])).kernel, size);
  t.is(compression.describe().kernel, kernel[0].join(' '));
});

test('a command that the host cannot run gives way to the next, and a program that is not there is told', async t => {
  if (!haveTool(t, 'xz', 'xz-utils')) return;
  const [command] = kernelCommands(parseConfig('CONFIG_S390=y\nCONFIG_KERNEL_XZ=y\n'), bytes.length);
  const compression = new Compression(['kernel'], [['xz', '--no-such-filter'], command]);
  for (const _ of [1, 2]) t.true(((await compression.measureImage(() => [bytes])).kernel ?? 0) > 100);
  t.is(compression.describe().kernel, command.join(' '));
  const without = new Compression(['kernel'], [['no-such-compressor', '-9']]);
  t.deepEqual(await without.measureImage(() => [bytes]), { kernel: null });
  t.deepEqual(without.describe(), { kernel: 'not measured: no-such-compressor is not installed' });
});

test('without a configuration there is nothing to measure with', async t => {
  const compression = new Compression(['kernel']);
  t.deepEqual(await compression.measureImage(() => [bytes]), {});
  t.deepEqual(compression.describe(), {});
});
