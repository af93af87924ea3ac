import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import type { BtfInput } from '../../plugin/pipeline/input.js';
import { withInput } from '../../plugin/pipeline/input.js';
import * as make from '../support/boot-image.js';
import { fixture } from '../support/fixtures.js';
import { kernelBtf } from '../support/kernel-btf.js';
import { scratchFolder } from '../support/scratch.js';
import { haveTool } from '../support/tools.js';

const folder = scratchFolder(test, 'images');
const little = kernelBtf('armv7-virt-7.2/vmlinux').bytes;
const big = kernelBtf('mips64-malta-be/vmlinux').bytes;
const kernel = make.kernelBinary(little);
const packers = Object.keys(make.PACKERS) as make.Packer[];
let files = 0;

function have(t: ExecutionContext, packer: make.Packer): boolean {
  const [program] = make.PACKERS[packer];
  return haveTool(t, program, make.PACKAGES[program] ?? program);
}

/** What is found in an image, with the place; `raw` is a copy, for the files are gone afterwards. */
function look(image: Uint8Array): Promise<BtfInput> {
  const file = join(folder, `image-${files++}`);
  writeFileSync(file, image);
  return withInput(file, undefined, input => input);
}

async function finds(t: ExecutionContext, image: Uint8Array, layers: string[], btf = little, at = make.BTF_AT) {
  const { kind, raw, packed } = await look(image);
  t.is(kind, 'image');
  t.deepEqual(packed, { layers, place: { offset: at, others: 0 } });
  t.true(Buffer.from(btf).equals(raw ?? Buffer.alloc(0)), `${layers.join(', ')}: the very bytes of .BTF`);
}

for (const packer of packers) {
  const name = packer === 'lz4-frame' ? 'lz4' : packer;

  test(`${packer}: a payload is found where each header says, or by its magic, and the BTF in it`, async t => {
    if (!have(t, packer)) return;
    const packed = make.pack(packer, kernel);
    // gzip has the size in its own trailer, and gets no other.
    const payload = packer === 'gzip' ? packed : make.withSize(packed, kernel);
    await finds(t, packed, [name]);
    await finds(t, payload, [name]);
    await finds(t, make.bzImage(payload), ['bzImage', name]);
    await finds(t, make.bzImage(payload, 0x207), ['bzImage', name]);
    await finds(t, make.efiZboot(packed), ['EFI zboot image', name]);
    await finds(t, make.armZImage(payload), ['zImage', name]);
    await finds(t, make.s390Image(payload), ['s390 bzImage', name]);
    await finds(t, make.mipsVmlinuz(payload), ['ELF vmlinuz', name]);
    await finds(t, make.uImage(make.armZImage(payload), make.UIMAGE.none), ['uImage', 'zImage', name]);
  });

  test(`${packer}: a module and a vmlinux are read as they are unpacked`, async t => {
    if (!have(t, packer)) return;
    const base = kernelBtf('armv7-virt/vmlinux');
    for (const [path, kind] of [
      [fixture('armv7-virt/dummy.ko'), 'module'],
      [fixture('armv7-virt-7.2/vmlinux'), 'vmlinux'],
    ] as const) {
      const file = join(folder, `${kind}-${packer}`);
      writeFileSync(file, make.pack(packer, readFileSync(path)));
      const on = kind === 'module' ? await withInput(base.path, undefined, input => input.btf) : undefined;
      const plain = await withInput(path, on, ({ elf, section }) => section && elf?.data(section));
      await withInput(file, on, ({ elf, section, packed, ...input }) => {
        t.is(input.kind, kind);
        t.deepEqual(packed, { layers: [name], place: { section: '.BTF' } });
        t.deepEqual(section && elf?.data(section), plain);
      });
    }
  });
}

test('kernels of either byte order, zImages of either, and every compression that a uImage has a number for', async t => {
  for (const packer of ['gzip', 'bzip2', 'lzma', 'lzo', 'lz4', 'zstd'] as const) {
    if (!have(t, packer)) return;
    await finds(
      t,
      make.uImage(make.pack(packer, make.kernelBinary(big)), make.UIMAGE[packer]),
      ['uImage', packer],
      big,
    );
  }
  await finds(t, make.armZImage(make.pack('gzip', make.kernelBinary(big)), 'big'), ['zImage', 'gzip'], big);
  await finds(t, make.mipsVmlinuz(make.pack('gzip', kernel), 'little'), ['ELF vmlinuz', 'gzip']);
});

test('an image that is not packed, with a header or without one', async t => {
  await finds(t, kernel, ['binary']);
  await finds(t, make.arm64Image(kernel), ['arm64 Image'], little, 64 + make.BTF_AT);
  await finds(t, make.arm64Image(kernel, 'RSC\x05'), ['RISC-V Image'], little, 64 + make.BTF_AT);
  await finds(t, make.uImage(kernel, make.UIMAGE.none), ['uImage']);
});

test('what stands in what: a zboot image of an arm64 Image, a packed zImage, a uImage of parts', async t => {
  const inner = make.pack('gzip', make.arm64Image(kernel));
  await finds(t, make.efiZboot(inner), ['EFI zboot image', 'gzip', 'arm64 Image'], little, 64 + make.BTF_AT);
  const zImage = make.armZImage(make.pack('gzip', kernel));
  await finds(t, make.pack('gzip', zImage), ['gzip', 'zImage', 'gzip']);
  const multi = make.uImage(make.parts(make.pack('gzip', kernel), make.filler(1000)), make.UIMAGE.gzip, 4);
  await finds(t, multi, ['uImage', 'gzip']);
});

test('a bzImage of x86 holds an ELF vmlinux, whose section is read', async t => {
  const vmlinux = readFileSync(fixture('x86_64-pc/vmlinux'));
  const file = join(folder, 'bzImage');
  writeFileSync(file, make.bzImage(make.pack('gzip', vmlinux)));
  await withInput(file, undefined, ({ kind, packed, elf, section, source }) => {
    t.is(kind, 'vmlinux');
    t.deepEqual(packed, { layers: ['bzImage', 'gzip'], place: { section: '.BTF' } });
    t.deepEqual(section && elf?.data(section), kernelBtf('x86_64-pc/vmlinux').bytes);
    t.is(source.name, file);
  });
});

test('packed BTF is BTF', async t => {
  const { kind, raw, packed } = await look(make.pack('gzip', little));
  t.is(kind, 'btf');
  t.deepEqual(packed, { layers: ['gzip'], place: { offset: 0, others: 0 } });
  t.true(Buffer.from(little).equals(raw ?? Buffer.alloc(0)));
});

test('a BTF that spans the places where a search reads on is found', async t => {
  // Windows are of 1 MiB: the header at each place around their border.
  for (const before of [0, 1, 2, 3, 4, 23, 24, 31, 32, 33]) {
    const at = (1 << 20) - before;
    const { packed } = await look(Buffer.concat([make.filler(at), little, make.filler(100)]));
    t.deepEqual(packed?.place, { offset: at, others: 0 }, `${before} bytes before the border`);
  }
  const packed = make.pack('gzip', kernel);
  for (const before of [0, 1, 2, 3, 15, 16, 17]) {
    const code = Buffer.alloc((1 << 20) - before - 0x11000);
    const { packed: found } = await look(make.s390Image(Buffer.concat([code, packed])));
    t.deepEqual(found?.layers, ['s390 bzImage', 'gzip'], `${before} bytes before the border`);
  }
});
