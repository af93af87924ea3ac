import { readFileSync } from 'node:fs';
import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import { Btf } from '../../plugin/btf/btf.js';
import { encodeBtf, reencodeBtf } from '../../plugin/btf/encode.js';
import { CodedError } from '../../plugin/errors.js';
import { arbitraryBtf } from '../support/arbitrary-btf.js';
import { BTF_SAMPLES } from '../support/btf-samples.js';
import { DEBIAN_BTF, debianBtf, haveDebianBtf } from '../support/debian-btf.js';
import { fixture } from '../support/fixtures.js';
import { kernelBtf, kernelFixtures } from '../support/kernel-btf.js';

/** Encoded from what was decoded, and from its parts as a new file is made: producers write sections in that order. */
function isIdentity(t: ExecutionContext, bytes: Uint8Array, base?: Uint8Array): void {
  const btf = Btf.decode(bytes, base === undefined ? undefined : Btf.decode(base));
  t.is(Buffer.compare(reencodeBtf(btf), bytes), 0);
  const { order, words, strings, layout, header } = btf;
  const parts = { order, words, strings, layout, headerLength: header.length, flags: header.flags };
  t.is(Buffer.compare(encodeBtf(parts), bytes), 0);
}

for (const { title, bytes, base } of BTF_SAMPLES) {
  test(`decode then encode is the identity: ${title}`, t => isIdentity(t, bytes, base));
}

for (const name of DEBIAN_BTF) {
  test(`decode then encode is the identity: Debian's ${name} kernel`, t => {
    if (haveDebianBtf(t, name)) isIdentity(t, readFileSync(debianBtf(name)));
  });
}

for (const name of kernelFixtures()) {
  test(`decode then encode is the identity: ${name}`, t => {
    const { bytes, base } = kernelBtf(name);
    isIdentity(t, bytes, base?.bytes);
  });
}

test('decode then encode is the identity: a layout section that libbpf wrote', t => {
  const bytes = readFileSync(fixture('armv7-virt-7.2/layout.btf'));
  const { header, layout } = Btf.decode(bytes);
  t.is(header.length, 32);
  // struct btf_layout of Linux 7.2: four bytes for each of 20 kinds, void among them; an INT has four bytes behind it.
  t.is(layout.length, 20 * 4);
  t.deepEqual([...layout.subarray(4, 8)], [4, 0, 0, 0]);
  isIdentity(t, bytes);
});

test('decode then encode is the identity: whatever the format allows', t => {
  fc.assert(
    fc.property(arbitraryBtf, ({ bytes, base }) => {
      const btf = Btf.decode(bytes, base === undefined ? undefined : Btf.decode(base));
      return Buffer.compare(reencodeBtf(btf), bytes) === 0;
    }),
    { numRuns: 300 },
  );
  t.pass();
});

test('sections in another order are kept where they stood', t => {
  const { bytes } = BTF_SAMPLES[0];
  const { header } = Btf.decode(bytes);
  const typesEnd = 24 + header.types.length;
  const strings = bytes.subarray(typesEnd);
  // Types must start at a multiple of four.
  const padding = (4 - (strings.length % 4)) % 4;
  const swapped = Buffer.concat([bytes.subarray(0, 24), strings, Buffer.alloc(padding), bytes.subarray(24, typesEnd)]);
  swapped.writeUInt32LE(strings.length + padding, 8);
  swapped.writeUInt32LE(0, 16);
  swapped.writeUInt32LE(strings.length + padding, 20);
  const btf = Btf.decode(swapped);
  t.is(btf.header.strings.offset, 0);
  t.is(Buffer.compare(reencodeBtf(btf), swapped), 0);
});

test('a longer header of a later version is kept when its unknown bytes are zero', t => {
  const { bytes } = BTF_SAMPLES[0];
  const longer = Buffer.concat([bytes.subarray(0, 24), Buffer.alloc(16), bytes.subarray(24)]);
  longer.writeUInt32LE(40, 4);
  t.is(Buffer.compare(reencodeBtf(Btf.decode(longer)), longer), 0);
  longer.writeUInt8(1, 39);
  t.is(t.throws(() => Btf.decode(longer), { instanceOf: CodedError })?.code, 'btf-header');
});
