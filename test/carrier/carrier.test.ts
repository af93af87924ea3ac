import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { FileSource } from '../../plugin/bytes/source.js';
import { ElfFile } from '../../plugin/elf/file.js';
import { CodedError } from '../../plugin/errors.js';
import { runSplit } from '../../plugin/pipeline/split.js';
import { readelf, readelfHeader, readelfSections } from '../elf/readelf.js';
import { ARM, kernelImage } from '../fuzz/seeds/kernel.js';
import { bpftoolRaw } from '../support/bpftool.js';
import { sha256Of } from '../support/cli.js';
import { ElfPatch } from '../support/elf-patch.js';
import { type LoaderKernel, refusals } from '../support/kernel-loader.js';
import { KERNELS, SAMPLE_KERNELS, type SampleKernel } from '../support/kernels.js';
import { scratchFolder } from '../support/scratch.js';
import { type SplitKernel, splitKernel } from '../support/split-kernel.js';
import { haveTool, toolEnvironment } from '../support/tools.js';

const THIS_MODULE = '.gnu.linkonce.this_module';
const folder = scratchFolder(test, 'carrier');

/** Section by name as readelf lists it: name, type, address, offset, size and so on. */
function sectionLine(path: string, name: string): string[] | undefined {
  return readelfSections(path)
    .map(line => line.split(' '))
    .find(words => words[1] === name);
}

function dataOf(path: string, section: string): Buffer {
  const source = FileSource.open(path);
  try {
    const elf = ElfFile.open(source);
    return Buffer.from(elf.data(elf.section(section)));
  } finally {
    source.close();
  }
}

function machineOf(path: string): string | undefined {
  return /^ *Machine: +(.*)$/m.exec(readelf('-h', path))?.[1];
}

function modinfo(path: string, field: string): string {
  return execFileSync('modinfo', ['-F', field, path], {
    encoding: 'utf8',
    env: { ...process.env, ...toolEnvironment },
  }).replace(/\n$/, '');
}

/** As the kernel's own tools wrote it into a module; an unsigned long before the name. */
function layoutCrcOf(module: string): number {
  const own = dataOf(module, '__versions');
  const { class: elfClass, order } = readelfHeader(module);
  const at = own.indexOf('module_layout\0') - elfClass / 8;
  return order === 'little' ? own.readUInt32LE(at) : own.readUInt32BE(at + elfClass / 8 - 4);
}

for (const kernel of KERNELS) {
  let split: SplitKernel;
  test.before(async () => {
    split = await splitKernel(kernel, folder);
  });

  test(`readelf reads the whole carrier without a warning: ${kernel}`, t => {
    if (!haveTool(t, 'readelf', 'binutils')) return;
    t.regex(readelf('-a', split.carrier), /__this_module/);
    const seen = readelfHeader(split.carrier);
    const own = readelfHeader(split.module);
    t.is(seen.type, 'REL');
    t.is(machineOf(split.carrier), machineOf(split.module));
    for (const field of ['class', 'order', 'osabi', 'flags'] as const) t.is(seen[field], own[field], field);
  });

  test(`every check of the kernel's module loader holds: ${kernel}`, t => {
    if (!haveTool(t, 'modinfo', 'kmod')) return;
    const own = dataOf(split.module, THIS_MODULE);
    const vermagic = modinfo(split.module, 'vermagic');
    const { class: elfClass, order } = readelfHeader(split.module);
    const expected: LoaderKernel = {
      class: elfClass === 64 ? 64 : 32,
      order: order === 'little' ? 'little' : 'big',
      machine: SAMPLE_KERNELS[kernel].machine,
      moduleBytes: own.length,
      nameOffset: own.indexOf('tcp_bbr\0'),
      vermagic,
      layoutCrc: vermagic.includes('modversions') ? layoutCrcOf(split.module) : undefined,
    };
    t.deepEqual(refusals(readFileSync(split.carrier), expected), []);
    // The sample of x86-64 is a kernel without retpolines.
    const others = refusals(readFileSync(split.module), expected).filter(
      said => !/^Unknown symbol|retpoline/.test(said),
    );
    t.deepEqual(others, [], "nor does it find anything wrong with the kernel's own module");
    t.not(refusals(readFileSync(split.carrier), { ...expected, vermagic: `${vermagic}x` }).length, 0);
  });

  test(`modinfo tells what the kernel's own modules tell: ${kernel}`, t => {
    if (!haveTool(t, 'modinfo', 'kmod')) return;
    t.is(modinfo(split.carrier, 'name'), 'vmlinux_btf');
    t.is(modinfo(split.carrier, 'license'), 'GPL');
    t.is(modinfo(split.carrier, 'depends'), '');
    t.is(modinfo(split.carrier, 'intree'), '', 'it is not built with the kernel');
    t.is(modinfo(split.carrier, 'vermagic'), modinfo(split.module, 'vermagic'));
    t.is(modinfo(split.carrier, 'btf_base_sha256'), sha256Of(join(split.out, 'base.btf')));
  });

  test(`depmod takes the carrier: ${kernel}`, t => {
    if (!haveTool(t, 'depmod', 'kmod')) return;
    const root = join(folder, `${kernel}-root`);
    const modules = join(root, 'lib', 'modules', '6.12.117');
    mkdirSync(join(modules, 'extra'), { recursive: true });
    for (const name of ['modules.order', 'modules.builtin', 'modules.builtin.modinfo'])
      writeFileSync(join(modules, name), '');
    copyFileSync(split.carrier, join(modules, 'extra', 'vmlinux_btf.ko'));
    const { stdout, stderr, status } = spawnSync('depmod', ['-n', '-b', root, '6.12.117'], {
      encoding: 'utf8',
      env: { ...process.env, ...toolEnvironment },
    });
    t.is(status, 0);
    t.is(stderr, '');
    t.regex(stdout, /^extra\/vmlinux_btf\.ko:$/m);
  });

  test(`struct module is as large as in the kernel's own modules, with the name in its place: ${kernel}`, t => {
    const own = dataOf(split.module, THIS_MODULE);
    const carrier = dataOf(split.carrier, THIS_MODULE);
    t.is(carrier.length, own.length);
    t.is(carrier.indexOf('vmlinux_btf\0'), own.indexOf('tcp_bbr\0'));
    t.is(carrier.toString('latin1').replaceAll('\0', ''), 'vmlinux_btf', 'all else is null');
    const [line, ownLine] = [sectionLine(split.carrier, THIS_MODULE), sectionLine(split.module, THIS_MODULE)];
    t.true(Number(line?.at(-1)) >= Number(ownLine?.at(-1)), 'aligned as strictly, or more');
  });

  test(`__versions has the CRC that the kernel's own modules have, under MODVERSIONS only: ${kernel}`, t => {
    if (!modinfo(split.module, 'vermagic').includes('modversions')) {
      t.is(sectionLine(split.carrier, '__versions'), undefined);
      return;
    }
    const own = dataOf(split.module, '__versions');
    const at = own.indexOf('module_layout\0');
    const start = at - readelfHeader(split.module).class / 8;
    t.true(start >= 0);
    t.deepEqual(dataOf(split.carrier, '__versions'), own.subarray(start, start + 64));
  });

  test(`the sections that the architecture's module loader wants are there, as in the kernel's own modules: ${kernel}`, t => {
    const all: readonly SampleKernel[] = Object.values(SAMPLE_KERNELS);
    const { loaderSections }: SampleKernel = SAMPLE_KERNELS[kernel];
    for (const name of new Set(all.flatMap(sample => sample.loaderSections))) {
      const wanted = loaderSections.includes(name);
      t.is(sectionLine(split.carrier, name) !== undefined, wanted, name);
      t.is(sectionLine(split.module, name) !== undefined, wanted, name);
    }
  });

  test(`.BTF is rest.btf, which bpftool reads on the base, and is not loaded twice: ${kernel}`, async t => {
    t.true(dataOf(split.carrier, '.BTF').equals(readFileSync(join(split.out, 'rest.btf'))));
    t.regex(readelf('-S', split.carrier), /\] \.BTF +PROGBITS +\S+ \S+ \S+ 00 {6}0/, 'without SHF_ALLOC');
    if (!haveTool(t, 'bpftool', 'bpftool')) return;
    const base = join(split.out, 'base.btf');
    const dump = await bpftoolRaw(split.carrier, base);
    t.is(dump.complaint, '');
    t.true(dump.text === (await bpftoolRaw(join(split.out, 'rest.btf'), base)).text);
  });
}

test('--vermagic is taken instead of the kernel’s own, and says whether CRCs are due', async t => {
  if (!haveTool(t, 'modinfo', 'kmod')) return;
  const vermagic = '6.12.117-other mod_unload MIPS32_R2 32BIT ';
  const { carrier } = await splitKernel('mips32-malta-be', folder, vermagic);
  t.is(modinfo(carrier, 'vermagic'), vermagic);
  t.is(sectionLine(carrier, '__versions'), undefined);
});

test('a kernel without the symbol vermagic is refused unless --vermagic is given', async t => {
  const split = await splitKernel('armv7-virt', folder, 'one');
  const patch = new ElfPatch(readFileSync(split.vmlinux));
  const file = join(folder, 'no-vermagic');
  writeFileSync(file, patch.symbolName(patch.symbol('vermagic'), 'x').bytes);
  const options = { file, out: join(folder, 'out'), compressors: [] };
  const error = await t.throwsAsync(runSplit(options), { instanceOf: CodedError });
  t.is(error?.code, 'vermagic');
  await runSplit({ ...options, vermagic: 'given' });
  if (haveTool(t, 'modinfo', 'kmod')) t.is(modinfo(join(options.out, 'vmlinux_btf.ko'), 'vermagic'), 'given');
});

test('a vermagic goes to the carrier byte for byte, whatever it is written in', async t => {
  const file = join(folder, 'utf8-release');
  for (const encoding of ['utf8', 'latin1'] as const) {
    const release = Buffer.from(encoding === 'utf8' ? 'tüt' : 'tüüt', encoding);
    const bytes = Buffer.from(kernelImage(ARM));
    t.true(bytes.includes('modversions test \0'));
    release.copy(bytes, bytes.indexOf('test \0'));
    writeFileSync(file, bytes);
    const out = join(folder, 'utf8-out');
    const report = await runSplit({ file, out, compressors: [] });
    if (encoding === 'utf8') t.is(report.input.vermagic, '6.12.117 SMP mod_unload modversions tüt');
    const carrier = readFileSync(join(out, 'vmlinux_btf.ko'));
    t.true(carrier.includes(Buffer.concat([Buffer.from('modversions '), release, Buffer.from(' \0')])));
    if (encoding === 'latin1') continue;
    const given = '6.12.117-größe modversions ';
    await runSplit({ file, out, compressors: [], vermagic: given });
    t.true(readFileSync(join(out, 'vmlinux_btf.ko')).includes(Buffer.from(`vermagic=${given}\0`, 'utf8')));
  }
});
