import type { BtfBuilder } from '../build-btf.js';

/** Every kind, as compilers make them, so that every known kernel takes it: pointers of 4 or 8 bytes, sorted or not. */
export function addValidTypes(b: BtfBuilder): void {
  const int = b.int('int', 4, { encoding: 1 });
  const char = b.int('char', 1, { encoding: 1 });
  const bool = b.int('_Bool', 1, { encoding: 4 });
  const wide = b.int('__int128', 16, { encoding: 1 });
  const double = b.float('double', 8);
  const first = b.endId;
  const node = first + 5;
  const nodePointer = b.ptr(node);
  const user = b.typeTag('user', b.const(char));
  const text = b.ptr(user);
  const letters = b.array(char, int, 16);
  b.struct('node', 40, [
    { name: 'next', type: nodePointer, bits: 0 },
    { name: 'name', type: text, bits: 64 },
    { name: 'letters', type: letters, bits: 128 },
    { name: '', type: first + 6, bits: 256 },
  ]);
  b.union('', 8, [
    { name: 'number', type: double, bits: 0 },
    { name: 'value', type: int, bits: 0 },
  ]);
  const color = b.enum('color', 4, [
    { name: 'RED', value: 0n },
    { name: 'GREEN', value: 1n },
  ]);
  const large = b.enum64('large', 8, [{ name: 'LARGE', value: 1n << 40n }]);
  const flags = b.struct(
    'flags',
    16,
    [
      { name: 'a', type: int, bits: 0, width: 3 },
      { name: 'b', type: color, bits: 3, width: 5 },
      { name: 'c', type: bool, bits: 8 },
      { name: 'd', type: large, bits: 64 },
    ],
    true,
  );
  const hidden = b.fwd('hidden');
  const number = b.typedef('number', b.volatile(b.typedef('inner', int)));
  const callback = b.funcProto(b.ptr(b.restrict(b.ptr(hidden))), [
    { name: 'self', type: b.ptr(b.const(node)) },
    { name: 'flags', type: flags },
    { name: '', type: 0 },
  ]);
  b.typedef('callback', b.ptr(callback));
  const run = b.func('run', callback, 1);
  const grid = b.array(b.array(node, int, 3), number, 2);
  const variable = b.var('grid', grid, 1);
  const total = b.var('total', wide);
  b.datasec('.data', 300, [
    { type: total, offset: 0, size: 16 },
    { type: variable, offset: 16, size: 240 },
  ]);
  b.declTag('a tag', run, 1);
  b.declTag('contains', node, 2);
  b.declTag('whole', b.typedef('tagged', int));
  b.declTag('counted', variable);
}
