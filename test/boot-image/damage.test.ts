import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { execa } from 'execa';
import { CodedError } from '../../plugin/errors.js';
import { withInput } from '../../plugin/pipeline/input.js';
import * as make from '../support/boot-image.js';
import { BtfBuilder } from '../support/build-btf.js';
import { cli, cliPath, ERROR_LINE } from '../support/cli.js';
import { kernelBtf } from '../support/kernel-btf.js';
import { scratchFolder } from '../support/scratch.js';
import { haveTool } from '../support/tools.js';

const folder = scratchFolder(test, 'damaged-images');
/** A kernel's BTF as small as it gets: 8 KB of names besides, so that there is something to cut. */
const btf = kernelLike(400);
const kernel = make.kernelBinary(btf);
let files = 0;

function kernelLike(names: number, name = 'task_struct'): Uint8Array {
  const b = new BtfBuilder({ order: 'little' });
  const int = b.int('int', 4);
  b.struct(name, 4, [{ name: 'pid', type: int, bits: 0 }]);
  for (let i = 0; i < names; i++) b.typedef(`a_name_of_a_type_${i}`, int);
  return b.build();
}

function write(bytes: Uint8Array): string {
  const file = join(folder, `file-${files++}`);
  writeFileSync(file, bytes);
  return file;
}

/** The code of the error, or what was found. */
async function outcome(bytes: Uint8Array): Promise<string> {
  const file = write(bytes);
  try {
    return await withInput(file, undefined, ({ kind, packed }) => `${kind}: ${packed?.layers.join(', ')}`);
  } catch (error) {
    if (!(error instanceof CodedError) || error.place.file !== file) throw error;
    return error.code;
  }
}

function changed(image: Buffer, change: (image: Buffer) => void): Buffer {
  const copy = Buffer.from(image);
  change(copy);
  return copy;
}

for (const packer of Object.keys(make.PACKERS) as make.Packer[])
  test(`${packer}: a stream that ends too soon is damaged, wherever it ends and whatever holds it`, async t => {
    const [program] = make.PACKERS[packer];
    if (!haveTool(t, program, make.PACKAGES[program] ?? program)) return;
    const packed = make.pack(packer, kernel);
    const payload = packer === 'gzip' ? packed : make.withSize(packed, kernel);
    for (const share of [0.3, 0.9]) {
      const cut = packed.subarray(0, Math.floor(packed.length * share));
      t.is(await outcome(cut), 'image-damaged', `cut at ${share}`);
      t.is(await outcome(make.bzImage(cut)), 'image-damaged', `bzImage, payload cut at ${share}`);
      t.is(await outcome(make.efiZboot(cut)), 'image-damaged', `zboot, payload cut at ${share}`);
      t.is(await outcome(make.bzImage(payload).subarray(0, 2000 + cut.length)), 'image-damaged', 'a bzImage cut');
    }
    // Legacy lz4 has no checksum.
    if (packer === 'lz4') return;
    const middle = Math.floor(packed.length / 2);
    const damaged = await outcome(changed(packed, image => image.fill(0xff, middle, middle + 64)));
    t.is(damaged, 'image-damaged', 'other bytes in the middle');
  });

test('headers that lie are damage: lengths of nothing, of more than the file, offsets beyond it', async t => {
  const payload = make.pack('gzip', kernel);
  const lies: [string, Buffer][] = [];
  for (const value of [0, 0x7fff_ffff, 0xffff_ffff]) {
    lies.push([`payload_length ${value}`, changed(make.bzImage(payload), i => i.writeUInt32LE(value, 0x24c))]);
    lies.push([`zboot size ${value}`, changed(make.efiZboot(payload), i => i.writeUInt32LE(value, 12))]);
    lies.push([`zImage end ${value}`, changed(make.armZImage(payload), i => i.writeUInt32LE(value, 0x2c))]);
    if (value === 0) continue;
    lies.push([`payload_offset ${value}`, changed(make.bzImage(payload), i => i.writeUInt32LE(value, 0x248))]);
    lies.push([`zboot offset ${value}`, changed(make.efiZboot(payload), i => i.writeUInt32LE(value, 8))]);
    lies.push([`zImage start ${value}`, changed(make.armZImage(payload), i => i.writeUInt32LE(value, 0x28))]);
  }
  lies.push(['payload elsewhere', changed(make.bzImage(payload), i => i.writeUInt32LE(900, 0x248))]);
  lies.push(['uImage header', changed(make.uImage(payload, 1), i => i.writeUInt8(0x41, 32))]);
  lies.push(['uImage cut', make.uImage(payload, 1).subarray(0, 5000)]);
  lies.push(['uImage, another packing', make.uImage(payload, make.UIMAGE.lzma)]);
  lies.push(['uImage, no part', make.uImage(Buffer.alloc(64), 0, 4)]);
  lies.push(['uImage, large part', make.uImage(Buffer.from('7fffffff00000000', 'hex'), 0, 4)]);
  lies.push(['zImage without a payload', make.armZImage(make.filler(3000))]);
  for (const [what, image] of lies) t.is(await outcome(image), 'image-damaged', what);
});

test('each header alone, cut at every byte, is one coded error', async t => {
  for (const image of [
    make.bzImage(Buffer.alloc(0)),
    make.efiZboot(Buffer.alloc(0)).subarray(0, 600),
    make.armZImage(Buffer.alloc(0)).subarray(0, 100),
    make.arm64Image(Buffer.alloc(0)),
    make.uImage(Buffer.alloc(0), 0),
    Buffer.from('1f8b0800000000000003', 'hex'),
    Buffer.from('fd377a585a000001', 'hex'),
    Buffer.from('28b52ffda4', 'hex'),
    Buffer.from('02214c18', 'hex'),
  ])
    for (let length = 0; length <= image.length; length += length < 80 ? 1 : 97) {
      const code = await outcome(image.subarray(0, length));
      t.regex(code, /^(elf-not|image-damaged|image-btf-missing)$/, `${length} bytes`);
    }
});

test('what is not read says so: FIT images, unknown compressions, and layers without end', async t => {
  t.is(await outcome(Buffer.concat([Buffer.from('d00dfeed', 'hex'), kernel])), 'image-unsupported');
  t.is(await outcome(make.uImage(kernel, 9)), 'image-unsupported');
  let nested: Buffer = kernel;
  for (let i = 0; i < 12; i++) nested = make.uImage(nested, make.UIMAGE.none);
  t.is(await outcome(nested), 'image-unsupported');
});

test('a kernel without BTF, or with that of programs only, has none', async t => {
  const program = kernelLike(50, 'bpf_iter__task');
  const forward = new BtfBuilder({ order: 'little' });
  forward.fwd('task_struct');
  for (const without of [make.kernelBinary(), make.kernelBinary(program), make.kernelBinary(forward.build())]) {
    const payload = make.pack('gzip', without);
    t.is(await outcome(make.bzImage(payload)), 'image-btf-missing');
    t.is(await outcome(make.armZImage(payload)), 'image-btf-missing');
    t.is(
      await outcome(make.mipsVmlinuz(make.pack('gzip', Buffer.concat([without, Buffer.alloc(100_000)])))),
      'image-btf-missing',
    );
    t.is(await outcome(make.arm64Image(without)), 'image-btf-missing');
    t.is(await outcome(without), 'elf-not');
  }
});

test('of more than one the largest kernel counts, and what only looks like a header does not', async t => {
  const small = kernelLike(3);
  const program = kernelLike(900, 'bpf_iter__task');
  const lying = Buffer.from(btf);
  lying.writeUInt32LE(lying.readUInt32LE(12) + 4, 12);
  const torn = changed(Buffer.from(kernelLike(1000)), bytes => bytes.fill(0xff, 24, 200));
  const file = write(make.kernelBinary(small, program, lying, torn, btf));
  await withInput(file, undefined, ({ raw, packed }) => {
    t.true(Buffer.from(btf).equals(raw ?? Buffer.alloc(0)));
    t.is(packed?.place && 'others' in packed.place ? packed.place.others : undefined, 2);
  });
  const { stdout } = await cli(['inspect', file]);
  t.regex(stdout, /^packed +binary; BTF at offset 0x[0-9a-f]+ of what is inside, the largest of 3$/m);
});

test('files of nothing but headers are given up in time', async t => {
  const header = Buffer.alloc(24);
  header.set([0x9f, 0xeb, 1, 0, 24]);
  header.writeUInt32LE(4000, 12);
  header.writeUInt32LE(4000, 16);
  header.writeUInt32LE(100, 20);
  const magics = [
    '9feb01',
    '1f8b08',
    '1f8b0800000000000003',
    '5d0000',
    '02214c18',
    '02214c1801000000',
    '28b52ffd04580100',
  ];
  for (const unit of [header, ...magics.map(hex => Buffer.from(hex, 'hex'))]) {
    const started = process.cpuUsage();
    // Behind something else, for what starts with a magic is taken at its word.
    const code = await outcome(Buffer.concat([make.filler(8), Buffer.alloc(8 << 20, unit)]));
    t.is(code, 'elf-not', unit.toString('hex'));
    t.true(process.cpuUsage(started).user < 10_000_000, unit.toString('hex'));
  }
});

test('a bomb is stopped at 512 MiB, and nothing is left of it', async t => {
  const zeros = make.pack('gzip', new Uint8Array(16 << 20));
  const bomb = Buffer.concat(Array.from({ length: 40 }, () => zeros));
  const place = join(folder, 'tmp');
  mkdirSync(place);
  for (const [what, image] of [
    ['Image.gz', bomb],
    ['zImage', make.armZImage(bomb)],
  ] as const) {
    const file = write(image);
    const { exitCode, stderr } = await execa(process.execPath, [cliPath, 'inspect', file], {
      env: { TMPDIR: place },
      reject: false,
      stripFinalNewline: false,
    });
    t.is(exitCode, 3, what);
    t.is(ERROR_LINE.exec(stderr)?.[1], 'image-limit', stderr);
    t.deepEqual(readdirSync(place), []);
  }
});

test('a missing program is named, with the package that has it', async t => {
  const bin = join(folder, 'bin');
  mkdirSync(bin);
  for (const [packer, program, debianPackage] of [
    ['xz', 'xz', 'xz-utils'],
    ['lzma', 'xz', 'xz-utils'],
    ['zstd', 'zstd', 'zstd'],
    ['lz4', 'lz4', 'lz4'],
    ['gzip', 'gzip', 'gzip'],
  ] as const)
    for (const image of [make.pack(packer, kernel), make.armZImage(make.pack(packer, kernel))]) {
      const { exitCode, stderr } = await execa(process.execPath, [cliPath, 'inspect', write(image)], {
        env: { PATH: bin },
        extendEnv: false,
        reject: false,
        stripFinalNewline: false,
      });
      t.is(exitCode, 4);
      t.is(ERROR_LINE.exec(stderr)?.[1], 'tool-missing', stderr);
      t.true(stderr.includes(`(${program}, of Debian’s ${debianPackage})`), stderr);
    }
});

test('split, explain and minimize name the vmlinux; a module that is packed is no kernel either', async t => {
  const full = kernelBtf('armv7-virt-7.2/vmlinux').bytes;
  for (const image of [make.armZImage(make.pack('gzip', make.kernelBinary(full))), make.pack('gzip', full)]) {
    const file = write(image);
    for (const args of [
      ['split', file, '-o', join(folder, 'out')],
      ['explain', 'task_struct', file],
    ]) {
      const { exitCode, stdout, stderr } = await cli(args);
      t.is(exitCode, 3);
      t.is(stdout, '');
      t.is(ERROR_LINE.exec(stderr)?.[1], 'image-packed', stderr);
      t.regex(stderr, /pass the ELF vmlinux/);
    }
  }
});
