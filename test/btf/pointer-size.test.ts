import test from 'ava';
import { Btf } from '../../plugin/btf/btf.js';
import { pointerBytesOf } from '../../plugin/btf/pointer-size.js';
import { BtfBuilder } from '../support/build-btf.js';
import { kernelBtf } from '../support/kernel-btf.js';
import { KERNELS } from '../support/kernels.js';

const NARROW: readonly string[] = ['armv7-virt', 'armv7-virt-7.2', 'mips32-malta-be'];

for (const name of KERNELS)
  test(`a pointer is as long as long: ${name}, and its module`, t => {
    const bytes = NARROW.includes(name) ? 4 : 8;
    const base = Btf.decode(kernelBtf(`${name}/vmlinux`).bytes);
    t.is(pointerBytesOf(base), bytes);
    t.is(pointerBytesOf(Btf.decode(kernelBtf(`${name}/tcp_bbr.ko`).bytes, base)), bytes, 'its own BTF has no long');
  });

test('long by any of its names, and 8 bytes without one', t => {
  const of = (...names: string[]): number => {
    const b = new BtfBuilder();
    for (const name of names) b.int(name, 4);
    return pointerBytesOf(Btf.decode(b.build()));
  };
  for (const name of ['long', 'int long', 'long unsigned int', 'unsigned long int']) t.is(of('int', name), 4, name);
  for (const name of ['int', 'long long', 'long lon', 'longer']) t.is(of(name), 8, name);
});
