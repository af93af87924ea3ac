import { KIND_PTR } from '../../plugin/btf/kinds.js';
import type { BtfBuilder } from './build-btf.js';

/** Every kind, with the oddities that producers leave and the ones that only the format allows. */
export function addEveryKind(b: BtfBuilder): void {
  const int = b.int('int', 4, { encoding: 1 });
  for (let encoding = 0; encoding < 16; encoding++)
    b.int(`encoding ${encoding}`, 4, { encoding, offset: encoding * 17, bits: 255 - encoding });
  const ptr = b.ptr(0);
  b.record(KIND_PTR, 'a pointer with a name', {}, int);
  b.array(int, int, 0xffffffff);
  const struct = b.struct('s', 8, [
    { name: 'a', type: int, bits: 0 },
    { name: '', type: ptr, bits: 0xff000020 },
  ]);
  const bitfields = [
    { name: 'a', type: int, bits: 0, width: 0 },
    { name: 'b', type: int, bits: 0x20, width: 3 },
    { name: '', type: int, bits: 0xffffff, width: 255 },
  ];
  b.struct('bit fields', 12, bitfields, true);
  b.struct('', 0, []);
  b.union('u', 4, [{ name: 'a', type: int, bits: 0 }]);
  b.union('u', 4, bitfields, true);
  const values = [1n, -1n, -0x80000000n].map((value, i) => ({ name: 'ABC'.slice(i), value }));
  b.enum('unsigned', 4, values);
  b.enum('signed', 4, values, true);
  b.enum('', 1, []);
  const wide = [...values, { name: '', value: -(1n << 63n) }, { name: 'max', value: (1n << 63n) - 1n }];
  b.enum64('unsigned64', 8, wide);
  b.enum64('signed64', 8, wide, true);
  b.fwd('f');
  b.fwd('f', true);
  const typedef = b.typedef('t', ptr);
  b.restrict(b.volatile(b.const(typedef)));
  const proto = b.funcProto(int, [
    { name: 'x', type: int },
    { name: '', type: 0 },
  ]);
  b.funcProto(0, []);
  const func = b.func('fn', proto);
  for (const linkage of [1, 2, 3, 0xffff]) b.func('fn', proto, linkage);
  const variable = b.var('v', int);
  for (const linkage of [1, 2, 3, 0xffffffff]) b.var('v', int, linkage);
  b.datasec('.data', 8, [
    { type: variable, offset: 0, size: 4 },
    { type: variable + 1, offset: 0xffffffff, size: 0xffffffff },
  ]);
  b.datasec(
    'no variables',
    0,
    [0, int, ptr, struct, func].map(type => ({ type, offset: 1, size: 2 })),
  );
  b.float('double', 8);
  b.declTag('tag', struct);
  b.declTag('tag', struct, 1);
  b.declTag('tag', typedef, 0x7fffffff);
  b.typeTag('user', int);
  b.typeTag('', 0);
}
