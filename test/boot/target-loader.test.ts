import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import test from 'ava';
import { execa } from 'execa';
import { MemorySource } from '../../plugin/bytes/source.js';
import { ElfFile } from '../../plugin/elf/file.js';
import { runSplit } from '../../plugin/pipeline/split.js';
import { repository } from '../support/fixtures.js';
import { scratchFolder } from '../support/scratch.js';
import { haveTool } from '../support/tools.js';
import { bootBusybox, haveBusybox, type Outcome } from './support/busybox.js';
import type { InitramfsFile } from './support/initramfs.js';
import { cases, LOAD } from './support/loader-cases.js';
import { ARM64, CARRIER, canBoot, sampleFile } from './support/sample.js';

/** scripts/target on a split arm64 kernel, under busybox: no coreutils, no kmod, a shell that is ash. */

const folder = scratchFolder(test, 'boot-loader');
const target = join(repository, 'scripts', 'target');

/** Keeps the file in place and gives `.BTF` no bytes. The section headers of 64-bit ELF hold sh_size at 32. */
function withoutTypes(carrier: Buffer): Buffer {
  const copy = Buffer.from(carrier);
  const elf = ElfFile.open(new MemorySource(copy, CARRIER));
  const index = elf.sections.findIndex(section => section.name === '.BTF');
  copy.writeBigUInt64LE(0n, Number(copy.readBigUInt64LE(40)) + index * 64 + 32);
  return copy;
}

function withoutHash(carrier: Buffer): Buffer {
  const copy = Buffer.from(carrier);
  copy.write('BTF', copy.indexOf('btf_base_sha256='));
  return copy;
}

/** One byte of the BTF header, its magic, is wrong: the ELF file is whole. */
function withBadTypes(carrier: Buffer): Buffer {
  const copy = Buffer.from(carrier);
  const { offset } = ElfFile.open(new MemorySource(copy, CARRIER)).section('.BTF');
  copy[offset] ^= 0xff;
  return copy;
}

async function files(good: string, other: string): Promise<InitramfsFile[]> {
  const carrier = readFileSync(good);
  const { stdout: xz } = await execa('xz', ['--check=crc32', '-c', good], { encoding: 'buffer' });
  const { stdout: zst } = await execa('zstd', ['-q', '-c', good], { encoding: 'buffer' });
  const script = (path: string, name: string): InitramfsFile => ({
    path: name,
    data: readFileSync(join(target, path)),
    mode: 0o755,
  });
  const config = (line: string): Buffer => gzipSync(`CONFIG_MODULES=y\nCONFIG_DEBUG_INFO_BTF=y\n${line}\n`);
  return [
    script('vmlinux-btf-load', LOAD.slice(1)),
    script('init.d/vmlinux-btf', 'etc/init.d/S20vmlinux-btf'),
    script('modprobe.d/vmlinux-btf.conf', 'etc/modprobe.d/vmlinux-btf.conf'),
    { path: 'etc/passwd', data: Buffer.from('root::0:0::/:/bin/sh\nnobody::99:99::/:/bin/sh\n') },
    { path: 'other.ko', data: readFileSync(other) },
    { path: 'short.ko', data: carrier.subarray(0, carrier.length >> 1) },
    { path: 'bad.ko', data: withBadTypes(carrier) },
    { path: 'no-types.ko', data: withoutTypes(carrier) },
    { path: 'no-hash.ko', data: withoutHash(carrier) },
    { path: 'no-carrier.ko', data: readFileSync(sampleFile(ARM64, 'dummy.ko')) },
    { path: 'good.ko', data: carrier },
    { path: 'good.ko.gz', data: gzipSync(carrier) },
    { path: 'good.ko.xz', data: xz },
    { path: 'good.ko.zst', data: zst },
    { path: 'short.ko.gz', data: gzipSync(carrier).subarray(0, 200_000) },
    { path: 'with/config.gz', data: config('CONFIG_DEBUG_INFO_BTF_MODULES=y') },
    { path: 'without/config.gz', data: config('# CONFIG_DEBUG_INFO_BTF_MODULES is not set') },
  ];
}

test.serial('arm64: the loader loads the carrier of this build, refuses every other, and says why', async t => {
  if (!canBoot(t, ARM64) || !haveBusybox(t)) return;
  if (!haveTool(t, 'xz', 'xz-utils') || !haveTool(t, 'zstd', 'zstd')) return;
  const out = join(folder, 'complete');
  const other = join(folder, 'forward');
  const file = sampleFile(ARM64, 'vmlinux');
  await runSplit({ file, out, compressors: [] });
  await runSplit({ file, out: other, compressors: [], reach: 'forward' });

  const { outcomes, text } = await bootBusybox(
    ARM64.machine,
    join(out, 'vmlinux'),
    folder,
    await files(join(out, CARRIER), join(other, CARRIER)),
    cases,
  );
  if (outcomes.size < cases.length) t.log(text.slice(-4000));
  const rest = createHash('sha256')
    .update(readFileSync(join(out, 'rest.btf')))
    .digest('hex');
  t.deepEqual(
    cases.map(({ name }) => {
      const { code, loaded, shown } = outcomes.get(name) ?? {};
      return { name, code, loaded, shown };
    }),
    cases.map(({ name, code, after }) => ({
      name,
      code,
      loaded: after === 'loaded',
      shown: after === 'loaded' ? rest : undefined,
    })),
  );
  for (const { name, says } of cases) t.regex(outcomes.get(name)?.says ?? '', says ?? /^\|?$/, name);

  const kernel = (name: string): string => (outcomes.get(name) as Outcome).kernel.join('\n');
  // The kernel would have refused it as well; the loader did not let it come to that.
  for (const name of ['insmod-another-build', 'modprobe-another-build'])
    t.regex(kernel(name), /failed to validate module \[vmlinux_btf\] BTF: -22/, name);
  for (const name of ['another-build', 'no-types-wanted', 'no-hash', 'no-btf', 'load-as-nobody', 'load-again'])
    t.notRegex(kernel(name), /vmlinux_btf/, name);
});
