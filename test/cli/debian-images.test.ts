import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { execa } from 'execa';
import { cacheFolder } from '../support/cache.js';
import { cli, ERROR_LINE } from '../support/cli.js';
import { scratchFolder } from '../support/scratch.js';
import { haveTool, missing, toolEnvironment } from '../support/tools.js';

/** Boot images of Debian's kernels, each with a module, as scripts/debian-images.sh puts them into the cache. */
const images = join(cacheFolder, 'debian-images');
const folder = scratchFolder(test, 'debian-images');

function have(t: ExecutionContext, name: string): boolean {
  return (
    existsSync(join(images, name)) || missing(t, `Debian's ${name} image is missing (run scripts/debian-images.sh)`)
  );
}

const vmlinuz = (name: string): string => join(images, name, 'vmlinuz');

for (const { name, layers } of [
  { name: 'amd64-6.1', layers: ['bzImage', 'xz'] },
  { name: 'amd64-6.12', layers: ['bzImage', 'zstd'] },
  { name: 'arm64-6.1', layers: ['arm64 Image'] },
  { name: 'arm64-6.12', layers: ['arm64 Image'] },
])
  test(`Debian's ${name}: the BTF is the one that its modules were made on`, async t => {
    if (!have(t, name)) return;
    const run = await cli(['inspect', vmlinuz(name), '--json']);
    t.is(run.exitCode, 0, run.stderr);
    const { packed, btf } = JSON.parse(run.stdout);
    t.deepEqual(packed.layers, layers);
    t.true(btf.types > 90_000);
    // The module names types of the kernel by id and strings by offset: on any other BTF they would be others.
    const own = await cli(['dump', join(images, name, moduleOf(name)), '-B', vmlinuz(name)]);
    t.is(own.exitCode, 0, own.stderr);
    const kernel = await cli(['dump', vmlinuz(name)]);
    t.is(Number(/^\[(\d+)\]/.exec(own.stdout)?.[1]), btf.types + 1, 'its first id follows the last of the kernel');
    // bbr_init(struct sock *sk)
    const sock = /^\[(\d+)\] STRUCT 'sock' /m.exec(kernel.stdout)?.[1];
    const pointer = new RegExp(`^\\[(\\d+)\\] PTR '\\(anon\\)' type_id=${sock}$`, 'm').exec(kernel.stdout)?.[1];
    const proto = /^\[\d+\] FUNC 'bbr_init' type_id=(\d+)/m.exec(own.stdout)?.[1];
    t.regex(
      `${kernel.stdout}${own.stdout}`,
      new RegExp(`^\\[${proto}\\] FUNC_PROTO .* vlen=1\n\t'sk' type_id=${pointer}$`, 'm'),
    );
  });

for (const name of ['amd64-6.1', 'amd64-6.12'])
  test(`Debian's ${name}: the dump is bpftool's of what unpacks from the same file`, async t => {
    if (!have(t, name) || !haveTool(t, 'bpftool', 'bpftool')) return;
    const packer = name === 'amd64-6.1' ? 'xz' : 'zstd';
    if (!haveTool(t, packer, packer === 'xz' ? 'xz-utils' : packer)) return;
    const bytes = readFileSync(vmlinuz(name));
    // As scripts/extract-vmlinux of the kernel: from the first magic on, whatever the program says of what stands behind.
    const magic = Buffer.from(packer === 'xz' ? 'fd377a585a00' : '28b52ffd', 'hex');
    const from = bytes.indexOf(magic, bytes.readUInt32LE(0x248));
    const vmlinux = join(folder, name);
    const { stdout } = await execa(packer, ['-dcq'], {
      input: bytes.subarray(from),
      encoding: 'buffer',
      reject: false,
      maxBuffer: 2 ** 30,
    });
    writeFileSync(vmlinux, stdout);
    const told = await execa('bpftool', ['btf', 'dump', 'file', vmlinux, 'format', 'raw'], {
      env: toolEnvironment,
      encoding: 'latin1',
      maxBuffer: 2 ** 30,
    });
    const ours = await cli(['dump', vmlinuz(name)], { encoding: 'latin1' });
    t.true(ours.stdout.trimEnd() === told.stdout, 'byte for byte');
  });

for (const { name, what } of [
  { name: 'armhf-6.1', what: 'zImage, xz' },
  { name: 'mipsel-6.1', what: 'ELF vmlinuz, xz' },
  { name: 's390x-6.1', what: 's390 bzImage, xz' },
])
  test(`Debian's ${name} has none, and that is what is said`, async t => {
    if (!have(t, name)) return;
    for (const command of [['inspect'], ['dump'], ['report'], ['diff', vmlinuz(name)]]) {
      const { exitCode, stdout, stderr } = await cli([...command, vmlinuz(name)]);
      t.is(exitCode, 3);
      t.is(stdout, '');
      t.is(ERROR_LINE.exec(stderr)?.[1], 'image-btf-missing');
      t.true(stderr.startsWith(`vmlinux-btf: no BTF in this image (${what}: `), stderr);
      t.true(stderr.includes(vmlinuz(name)), stderr);
    }
  });

test('two images of Debian differ by what their dumps tell, and so do their modules', async t => {
  if (!have(t, 'arm64-6.1') || !have(t, 'arm64-6.12')) return;
  const run = await cli(['diff', vmlinuz('arm64-6.1'), vmlinuz('arm64-6.12'), '--json']);
  t.is(run.exitCode, 0, run.stderr);
  const { types } = JSON.parse(run.stdout).types;
  // The sizes of structs that changed are those in the dumps, which are bpftool's.
  const sizes = await Promise.all(['arm64-6.1', 'arm64-6.12'].map(name => structSizes(vmlinuz(name))));
  for (const name of ['folio', 'bpf_map_ops', 'maple_tree', 'lsm_static_calls_table']) {
    const change = types.find((each: Record<string, string>) => each.kind === 'struct' && each.name === name);
    t.deepEqual(
      [change?.size.before, change?.size.after],
      sizes.map(size => size.get(name) ?? 0),
    );
  }
  t.true(types.length > 5_000);
  const [old, now] = ['arm64-6.1', 'arm64-6.12'].map(name => join(images, name, moduleOf(name)));
  const modules = await cli(['diff', old, now, '-B', vmlinuz('arm64-6.1'), '--base-btf-b', vmlinuz('arm64-6.12')]);
  t.is(modules.exitCode, 0, modules.stderr);
  t.regex(modules.stdout, /^add\/remove: \d+\/\d+ grow\/shrink: /);
});

test('a report of an image needs roots, and has the bytes of its BTF', async t => {
  if (!have(t, 'arm64-6.12')) return;
  const without = await cli(['report', vmlinuz('arm64-6.12')]);
  t.is(without.exitCode, 3);
  t.is(ERROR_LINE.exec(without.stderr)?.[1], 'image-packed');
  const roots = join(folder, 'roots');
  writeFileSync(roots, 'struct:task_struct\n');
  const { stdout, stderr, exitCode } = await cli([
    'report',
    vmlinuz('arm64-6.12'),
    '--roots',
    roots,
    '--format',
    'json',
  ]);
  t.is(exitCode, 0, stderr);
  const report = JSON.parse(stdout);
  const { btf } = JSON.parse((await cli(['inspect', vmlinuz('arm64-6.12'), '--json'])).stdout);
  t.is(report.full.types, btf.types);
  t.is(report.input.btfBytes, btf.headerBytes + btf.typeBytes + btf.stringBytes);
  t.true(report.base.bytes > 100_000 && report.base.bytes < report.full.bytes / 5);
});

async function structSizes(image: string): Promise<Map<string, number>> {
  const { stdout } = await cli(['dump', image]);
  return new Map(
    [...stdout.matchAll(/^\[\d+\] STRUCT '(.+)' size=(\d+) /gm)].map(([, name, size]) => [name, Number(size)]),
  );
}

function moduleOf(name: string): string {
  return readdirSync(join(images, name)).find(file => file.startsWith('tcp_bbr.ko')) ?? '';
}

test('an image of Debian is no vmlinux that could be split', async t => {
  if (!have(t, 'arm64-6.12') || !have(t, 'amd64-6.12') || !have(t, 'armhf-6.1')) return;
  for (const name of ['arm64-6.12', 'amd64-6.12', 'armhf-6.1']) {
    const out = join(folder, 'out');
    const { exitCode, stderr } = await cli(['split', vmlinuz(name), '-o', out]);
    t.is(exitCode, 3);
    t.is(ERROR_LINE.exec(stderr)?.[1], 'image-packed');
    t.regex(stderr, /pass the ELF vmlinux/);
    t.false(existsSync(out));
  }
});
