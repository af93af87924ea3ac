import { bad, type Fill, fine, type LintCase, member, withInt, withVariable } from './case.js';

/** `steps` typedefs; each refers to the next one, as far as they come. */
const typedefChain = (steps: number, order: 'up' | 'down'): Fill =>
  withInt((b, i) => {
    const first = b.endId;
    for (let step = 0; step < steps; step++) {
      const next = order === 'up' ? first + step + 1 : first + step - 1;
      b.typedef(`t${step}`, next < first || step === (order === 'up' ? steps - 1 : -1) ? i : next);
    }
  });

export const chains: readonly LintCase[] = [
  fine('a chain of 31 typedefs', typedefChain(31, 'up')),
  fine('a chain of 32 typedefs', typedefChain(32, 'up')),
  bad('modifier-chain', 'a chain of 33 typedefs', typedefChain(33, 'up')),
  bad('modifier-chain', 'a chain of 33 TYPE_TAGs', b => {
    for (let step = 0; step < 33; step++) b.typeTag('user', b.endId + 1);
    b.int('int', 4);
  }),
  fine('a chain of 100 typedefs, the last one first', typedefChain(100, 'down')),
  bad('modifier-chain', 'a typedef of itself', b => b.typedef('t', b.endId)),
  bad('modifier-chain', 'two typedefs of each other', b => {
    b.typedef('t', b.endId + 1);
    b.typedef('u', b.endId - 1);
  }),
  bad(
    'tag-order',
    'a TYPE_TAG behind a CONST',
    withInt((b, i) => b.ptr(b.const(b.typeTag('user', i)))),
  ),
  bad(
    'tag-order',
    'a TYPE_TAG behind a TYPEDEF',
    withInt((b, i) => b.ptr(b.typedef('t', b.typeTag('user', i)))),
  ),
  fine(
    'a CONST behind two TYPE_TAGs',
    withInt((b, i) => b.ptr(b.typeTag('rcu', b.typeTag('user', b.const(i))))),
  ),
];

export const contents: readonly LintCase[] = [
  bad('loop', 'a STRUCT that contains itself', b => b.struct('s', 4, [member('m', b.endId, 0)])),
  bad('loop', 'two STRUCTs that contain each other', b => {
    b.struct('s', 4, [member('m', b.endId + 1, 0)]);
    b.struct('t', 4, [member('m', b.endId - 1, 0)]);
  }),
  fine('a STRUCT that points to itself', b => {
    const self = b.endId;
    b.struct('s', 4, [member('m', self + 1, 0)]);
    b.ptr(self);
  }),
  bad(
    'loop',
    'an ARRAY of itself',
    withInt((b, i) => b.array(b.endId, i, 1)),
  ),
  bad('loop', 'a PTR to itself', b => b.ptr(b.endId)),
  bad('loop', 'a PTR to a CONST of itself', b => {
    b.ptr(b.endId + 1);
    b.const(b.endId - 1);
  }),
  bad('loop', 'a PTR to itself through a member', b => {
    const first = b.endId;
    b.struct('s', 4, [member('m', first + 1, 0)]);
    b.const(first + 2);
    b.ptr(first + 1);
  }),
  bad(
    'depth',
    'STRUCTs in STRUCTs, 40 deep',
    withInt((b, i) => {
      const first = b.endId;
      for (let step = 0; step < 40; step++) b.struct('s', 4, [member('m', step === 39 ? i : first + step + 1, 0)]);
    }),
  ),
  fine(
    'STRUCTs in STRUCTs, 40 deep, the innermost first',
    withInt((b, i) => {
      let inner = i;
      for (let step = 0; step < 40; step++) inner = b.struct('s', 4, [member('m', inner, 0)]);
    }),
  ),
  bad(
    'target',
    'a PTR to a VAR',
    withInt((b, i) => b.ptr(b.var('v', i))),
  ),
  bad('target', 'a TYPEDEF of a DECL_TAG', b => b.typedef('t', b.declTag('t', b.struct('s', 0, [])))),
  fine('a PTR to a FUNC that comes before', b => b.ptr(b.func('f', b.funcProto(0, [])))),
  bad('target', 'a PTR to a FUNC that comes behind', b => {
    b.ptr(b.endId + 2);
    b.func('f', b.funcProto(0, []));
  }),
  fine('typedefs of void, of a FWD and of a FUNC_PROTO', b => {
    b.typedef('v', 0);
    b.typedef('f', b.fwd('s'));
    b.typedef('p', b.funcProto(0, []));
  }),
  bad('target', 'a VAR that is a FWD', b => b.var('v', b.fwd('s'))),
  bad('target', 'a VAR that is a typedef of void', b => b.var('v', b.typedef('t', 0))),
  bad(
    'array-index',
    'an index that is a STRUCT',
    withInt((b, i) => b.array(i, b.struct('s', 0, []), 1)),
  ),
  bad(
    'array-index',
    'an index of 31 bits',
    withInt((b, i) => b.array(i, b.int('odd', 4, { bits: 31 }), 1)),
  ),
  fine(
    'an index that is a typedef',
    withInt((b, i) => b.array(i, b.typedef('t', i), 1)),
  ),
  bad(
    'array-element',
    'an ARRAY of FWD',
    withInt((b, i) => b.array(b.fwd('f'), i, 1)),
  ),
  bad(
    'array-element',
    'an ARRAY of a typedef of void',
    withInt((b, i) => b.array(b.typedef('t', 0), i, 1)),
  ),
  bad(
    'array-element',
    'an ARRAY of odd integers',
    withInt((b, i) => b.array(b.int('odd', 4, { bits: 31 }), i, 1)),
  ),
  bad(
    'array-element',
    'an ARRAY of 4 GiB',
    withInt((b, i) => b.array(i, i, 0x40000000)),
  ),
  fine(
    'an ARRAY of just under 4 GiB',
    withInt((b, i) => b.array(i, i, 0x3fffffff)),
  ),
  bad('member', 'a member that is a FWD', b => void (b.struct('s', 4, [member('m', b.endId + 1, 0)]) && b.fwd('f'))),
  bad(
    'member',
    'a member that is a FUNC_PROTO',
    b => void (b.struct('s', 4, [member('m', b.endId + 1, 0)]) && b.funcProto(0, [])),
  ),
  bad(
    'member',
    'a member that is a typedef of void',
    b => void (b.struct('s', 4, [member('m', b.endId + 1, 0)]) && b.typedef('t', 0)),
  ),
  bad(
    'member',
    'an INT that ends behind its STRUCT',
    withInt((b, i) => b.struct('s', 4, [member('m', i, 8)])),
  ),
  fine(
    'an INT at an odd bit',
    withInt((b, i) => b.struct('s', 8, [member('m', i, 7)])),
  ),
  bad('member', 'a PTR at an odd bit', b => b.struct('s', 16, [member('m', b.ptr(0), 7)])),
  bad('member', 'a PTR that ends behind its STRUCT', b => b.struct('s', 3, [member('m', b.ptr(0), 0)])),
  fine('a PTR in 4 bytes', b => b.struct('s', 4, [member('m', b.ptr(0), 0)])),
  bad(
    'member',
    'an ARRAY that ends behind its STRUCT',
    withInt((b, i) => b.struct('s', 7, [member('m', b.array(i, i, 2), 0)])),
  ),
  bad('member', 'an ENUM that ends behind its STRUCT', b => b.struct('s', 3, [member('m', b.enum('e', 4, []), 0)])),
  bad(
    'member',
    'a STRUCT that ends behind its STRUCT',
    withInt((b, i) => b.struct('s', 3, [member('m', b.struct('t', 4, [member('m', i, 0)]), 0)])),
  ),
  bad('member', 'a FLOAT at an odd byte', b => b.struct('s', 16, [member('m', b.float('f', 8), 8)])),
  fine('a FLOAT of 8 bytes at the fourth', b => b.struct('s', 12, [member('m', b.float('f', 8), 32)])),
  fine(
    'bit fields',
    withInt((b, i) => b.struct('s', 4, [member('a', i, 0, 3), member('b', i, 3, 29)], true)),
  ),
  bad(
    'member',
    'a bit field that is wider than its type',
    withInt((b, i) => b.struct('s', 8, [member('a', i, 0, 33)], true)),
  ),
  bad(
    'member',
    'a bit field that ends behind its STRUCT',
    withInt((b, i) => b.struct('s', 4, [member('a', i, 3, 30)], true)),
  ),
  bad(
    'member',
    'an INT at an odd bit among bit fields',
    withInt((b, i) => b.struct('s', 8, [member('a', i, 3)], true)),
  ),
  bad('member', 'a bit field of an odd integer', b =>
    b.struct('s', 4, [member('a', b.int('odd', 4, { bits: 31 }), 0, 3)], true),
  ),
  bad('member', 'a bit field of a PTR', b => b.struct('s', 4, [member('a', b.ptr(0), 0, 3)], true)),
  fine('a bit field of an ENUM', b => b.struct('s', 4, [member('a', b.enum('e', 4, []), 3, 5)], true)),
  bad('member', 'a bit field of an ENUM that is too wide', b =>
    b.struct('s', 8, [member('a', b.enum('e', 8, []), 0, 33)], true),
  ),
  bad('member', 'an ENUM of one byte among bit fields at the end', b =>
    b.struct('s', 1, [member('a', b.enum('e', 1, []), 0)], true),
  ),
  bad(
    'func-proto',
    'a FUNC that is an INT',
    withInt((b, i) => b.func('f', i)),
  ),
  bad(
    'func-proto',
    'a parameter without a name',
    withInt((b, i) => b.func('f', b.funcProto(0, [{ name: '', type: i }]))),
  ),
  fine(
    'varargs',
    withInt((b, i) =>
      b.func(
        'f',
        b.funcProto(i, [
          { name: 'a', type: i },
          { name: '', type: 0 },
        ]),
      ),
    ),
  ),
  bad('parameter', 'varargs with a name', b => b.funcProto(0, [{ name: 'a', type: 0 }])),
  bad(
    'parameter',
    'varargs before the last',
    withInt((b, i) =>
      b.funcProto(0, [
        { name: '', type: 0 },
        { name: 'a', type: i },
      ]),
    ),
  ),
  bad(
    'parameter',
    'a parameter with a space',
    withInt((b, i) => b.funcProto(0, [{ name: 'a b', type: i }])),
  ),
  bad('parameter', 'a parameter that is a FWD', b => b.funcProto(0, [{ name: 'a', type: b.fwd('f') }])),
  bad(
    'parameter',
    'a parameter that is a VAR',
    withInt((b, i) => b.funcProto(0, [{ name: 'a', type: b.var('v', i) }])),
  ),
  bad('parameter', 'a function that returns a FWD', b => b.funcProto(b.fwd('f'), [])),
  bad('parameter', 'a function that returns a typedef of void', b => b.funcProto(b.typedef('t', 0), [])),
  bad(
    'datasec-variable',
    'an entry of a DATASEC that is an INT',
    withInt((b, i) => b.datasec('d', 4, [{ type: i, offset: 0, size: 4 }])),
  ),
  bad('datasec-variable', 'an entry that is smaller than its VAR', withVariable('d', 4, [[0, 3]])),
  bad(
    'tag-target',
    'a DECL_TAG on an INT',
    withInt((b, i) => b.declTag('t', i)),
  ),
  bad('tag-target', 'a DECL_TAG on void', b => b.declTag('t', 0)),
  bad(
    'tag-target',
    'a component that a STRUCT has not',
    withInt((b, i) => b.declTag('t', b.struct('s', 4, [member('m', i, 0)]), 1)),
  ),
  bad(
    'tag-target',
    'a component of a TYPEDEF',
    withInt((b, i) => b.declTag('t', b.typedef('t', i), 0)),
  ),
  fine(
    'a component of a FUNC',
    withInt((b, i) => b.declTag('t', b.func('f', b.funcProto(0, [{ name: 'a', type: i }])), 0)),
  ),
  bad(
    'tag-target',
    'a component that a FUNC has not',
    withInt((b, i) => b.declTag('t', b.func('f', b.funcProto(0, [{ name: 'a', type: i }])), 1)),
  ),
  bad('reader', 'a type that does not exist', b => b.ptr(b.endId + 1000)),
];
