import test from 'ava';
import { Btf } from '../../plugin/btf/btf.js';
import { diffTypes } from '../../plugin/diff/types.js';
import { CodedError } from '../../plugin/errors.js';
import { BtfBuilder } from '../support/build-btf.js';

/** What a machine under load may take for input that must not take long; the naive way takes minutes. */
const MOST_MS = 20_000;

function decode(add: (b: BtfBuilder) => unknown): Btf {
  const b = new BtfBuilder();
  add(b);
  return Btf.decode(b.build());
}

function timed<T>(run: () => T): { readonly value: T; readonly ms: number } {
  const start = process.cpuUsage().user;
  const value = run();
  return { value, ms: (process.cpuUsage().user - start) / 1000 };
}

test('50,000 structs of one name, all different', t => {
  const many = (first: number): Btf =>
    decode(b => {
      for (let i = 0; i < 50_000; i++) b.struct('s', first + i, []);
    });
  const [a, b] = [many(0), many(25_000)];
  const { value, ms } = timed(() => diffTypes({ btf: a }, { btf: b }));
  t.is(value.unchanged, 25_000);
  t.is(value.verdicts.grown, 25_000);
  t.true(ms < MOST_MS, `${ms} ms`);
});

test('nameless structs that contain each other, and a thousand that are nested', t => {
  const loop = (member: string): Btf =>
    decode(b => {
      const next = b.endId;
      for (let i = 0; i < 20; i++)
        b.struct('', 4, [
          { name: '', type: next + ((i + 1) % 20), bits: 0 },
          { name: member, type: next + ((i + 1) % 20), bits: 0 },
          { name: '', type: next + ((i + 7) % 20), bits: 0 },
        ]);
      b.struct('outer', 4, [{ name: '', type: next, bits: 0 }]);
    });
  const { value, ms } = timed(() => diffTypes({ btf: loop('a') }, { btf: loop('b') }));
  t.deepEqual(
    value.types.map(({ verdict, name }) => `${verdict} ${name}`),
    ['changed outer'],
  );
  t.true(ms < MOST_MS, `${ms} ms`);
  const nested = (depth: number): Btf =>
    decode(b => {
      let id = b.int('int', 4);
      for (let i = 0; i < depth; i++) id = b.struct('', 4, [{ name: '', type: id, bits: 0 }]);
      b.typedef('t', id);
    });
  // Deeper than types are told apart.
  t.is(diffTypes({ btf: nested(1000) }, { btf: nested(1001) }).types.length, 0);
  t.is(diffTypes({ btf: nested(10) }, { btf: nested(11) }).types.length, 1);
});

test('a nameless struct of many members in many structs is not read again and again', t => {
  const big = (name: string): Btf =>
    decode(b => {
      const int = b.int('int', 4);
      const members = Array.from({ length: 2000 }, (_, i) => ({ name: `m${i}`, type: int, bits: 0 }));
      const nameless = b.struct('', 4, [{ name, type: int, bits: 0 }, ...members]);
      for (let i = 0; i < 20_000; i++) b.struct(`s${i}`, 4, [{ name: '', type: nameless, bits: 0 }]);
    });
  const { value, ms } = timed(() => diffTypes({ btf: big('a') }, { btf: big('b') }));
  t.is(value.verdicts.changed, 20_000);
  t.true(ms < MOST_MS, `${ms} ms`);
});

test('function pointers that take function pointers are spelled in short', t => {
  const deep = (type: string): Btf =>
    decode(b => {
      let id = b.int(type, 4);
      for (let i = 0; i < 40; i++)
        id = b.ptr(
          b.funcProto(
            id,
            [1, 2, 3].map(() => ({ name: '', type: id })),
          ),
        );
      b.var('v', id);
      b.typedef('near', b.ptr(b.funcProto(1, [{ name: '', type: 1 }])));
    });
  const { value, ms } = timed(() => diffTypes({ btf: deep('a') }, { btf: deep('b') }));
  for (const { changes } of value.types)
    for (const { before = '', after = '' } of changes) t.true(before.length <= 121 && after.length <= 121);
  t.true(value.types.some(({ name }) => name === 'near'));
  t.true(ms < MOST_MS, `${ms} ms`);
});

test('names that share their ends end in one coded error before they fill memory', t => {
  const b = new BtfBuilder();
  const start = b.string('n'.repeat(1000));
  for (let i = 0; i < 60_000; i++) b.record(7, start + (i % 900), { flag: i % 2 === 0 }, 0);
  const error = t.throws(() => diffTypes({ btf: Btf.decode(b.build()) }, { btf: decode(b => b.int('int', 4)) }), {
    instanceOf: CodedError,
  });
  t.is(error?.code, 'btf-strings');
});
