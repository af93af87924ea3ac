import * as kinds from '../../../plugin/btf/kinds.js';
import { bad, fine, type LintCase, member, withInt, withVariable } from './case.js';

const FLAG = { flag: true };

const REFERENCES = [
  ['PTR', kinds.KIND_PTR],
  ['CONST', kinds.KIND_CONST],
  ['VOLATILE', kinds.KIND_VOLATILE],
  ['RESTRICT', kinds.KIND_RESTRICT],
] as const;

export const records: readonly LintCase[] = [
  ...REFERENCES.flatMap(([name, kind]) => [
    bad(
      'vlen',
      `a ${name} with a vlen`,
      withInt((b, i) => b.record(kind, '', { vlen: 1 }, i)),
    ),
    bad(
      'kind-flag',
      `a ${name} with a flag`,
      withInt((b, i) => b.record(kind, '', FLAG, i)),
    ),
  ]),
  bad('vlen', 'an INT with a vlen', b => b.record(kinds.KIND_INT, 'i', { vlen: 1 }, 4, 32)),
  bad('kind-flag', 'an INT with a flag', b => b.record(kinds.KIND_INT, 'i', FLAG, 4, 32)),
  bad(
    'vlen',
    'a TYPEDEF with a vlen',
    withInt((b, i) => b.record(kinds.KIND_TYPEDEF, 't', { vlen: 1 }, i)),
  ),
  bad('vlen', 'a FWD with a vlen', b => b.record(kinds.KIND_FWD, 'f', { vlen: 1 }, 0)),
  fine('a FWD with a flag', b => b.fwd('f', true)),
  bad(
    'fwd-type',
    'a FWD with a type',
    withInt((b, i) => b.record(kinds.KIND_FWD, 'f', {}, i)),
  ),
  bad('vlen', 'a FLOAT with a vlen', b => b.record(kinds.KIND_FLOAT, 'f', { vlen: 1 }, 4)),
  bad('kind-flag', 'a FLOAT with a flag', b => b.record(kinds.KIND_FLOAT, 'f', FLAG, 4)),
  bad(
    'vlen',
    'an ARRAY with a vlen',
    withInt((b, i) => b.record(kinds.KIND_ARRAY, '', { vlen: 1 }, 0, i, i, 1)),
  ),
  bad(
    'kind-flag',
    'an ARRAY with a flag',
    withInt((b, i) => b.record(kinds.KIND_ARRAY, '', FLAG, 0, i, i, 1)),
  ),
  bad(
    'vlen',
    'a VAR with a vlen',
    withInt((b, i) => b.record(kinds.KIND_VAR, 'v', { vlen: 1 }, i, 1)),
  ),
  bad(
    'kind-flag',
    'a VAR with a flag',
    withInt((b, i) => b.record(kinds.KIND_VAR, 'v', FLAG, i, 1)),
  ),
  bad('kind-flag', 'a FUNC with a flag', b => b.record(kinds.KIND_FUNC, 'f', FLAG, b.funcProto(0, []))),
  bad('kind-flag', 'a FUNC_PROTO with a flag', b => b.record(kinds.KIND_FUNC_PROTO, '', FLAG, 0)),
  bad('kind-flag', 'a DATASEC with a flag', b => b.record(kinds.KIND_DATASEC, 'd', FLAG, 4)),
  bad('vlen', 'a DECL_TAG with a vlen', b => b.record(kinds.KIND_DECL_TAG, 't', { vlen: 1 }, b.struct('s', 0, []), -1)),
  bad('kind-flag', 'a DECL_TAG with a flag', b => b.record(kinds.KIND_DECL_TAG, 't', FLAG, b.struct('s', 0, []), -1)),
  bad(
    'kind-flag',
    'a TYPE_TAG with a flag',
    withInt((b, i) => b.record(kinds.KIND_TYPE_TAG, 't', FLAG, i)),
  ),
  bad('tag-component', 'component -2', b => b.declTag('t', b.struct('s', 0, []), -2)),

  bad('int-data', 'an INT with upper bits', b => b.record(kinds.KIND_INT, 'i', {}, 4, 0x10000020)),
  bad('int-bits', 'an INT of more bits than bytes', b => b.int('i', 4, { bits: 33 })),
  bad('int-bits', 'an INT whose offset goes beyond its bytes', b => b.int('i', 4, { offset: 1, bits: 32 })),
  fine('an INT of 128 bits', b => b.int('i', 16)),
  bad('int-bits', 'an INT of 129 bits', b => b.int('i', 32, { bits: 129 })),
  fine('an INT of no bits', b => b.int('i', 4, { bits: 0 })),
  bad('int-encoding', 'signed and char', b => b.int('i', 4, { encoding: 3 })),
  bad('int-encoding', 'encoding 8', b => b.int('i', 4, { encoding: 8 })),
  fine('bool', b => b.int('i', 1, { encoding: 4 })),

  bad(
    'array-size',
    'an ARRAY with a size',
    withInt((b, i) => b.record(kinds.KIND_ARRAY, '', {}, 4, i, i, 1)),
  ),
  bad(
    'void-type',
    'an ARRAY of void',
    withInt((b, i) => b.array(0, i, 1)),
  ),
  bad(
    'void-type',
    'an ARRAY with a void index',
    withInt((b, i) => b.array(i, 0, 1)),
  ),
  bad('void-type', 'a member that is void', b => b.struct('s', 4, [member('m', 0, 0)])),
  bad('void-type', 'a VAR that is void', b => b.var('v', 0)),
  bad('void-type', 'an entry of a DATASEC that is void', b => b.datasec('d', 4, [{ type: 0, offset: 0, size: 4 }])),
  bad(
    'member-offset',
    'members out of order',
    withInt((b, i) => b.struct('s', 8, [member('a', i, 32), member('b', i, 0)])),
  ),
  bad(
    'member-offset',
    'a member that starts behind the end',
    withInt((b, i) => b.struct('s', 4, [member('a', i, 33)])),
  ),
  bad(
    'member-offset',
    'a UNION with an offset',
    withInt((b, i) => b.union('u', 8, [member('a', i, 32)])),
  ),
  fine(
    'an empty array at the end',
    withInt((b, i) => b.struct('s', 4, [member('a', b.array(i, i, 0), 32)])),
  ),
  ...[0, 3, 16].map(size => bad('enum-size', `an ENUM of ${size} bytes`, b => b.enum('e', size, []))),
  ...[1, 2, 4, 8].map(size => fine(`an ENUM of ${size} bytes`, b => b.enum('e', size, [], true))),
  bad('enum-size', 'an ENUM64 of 16 bytes', b => b.enum64('e', 16, [])),
  fine('an ENUM64 of 4 bytes', b => b.enum64('e', 4, [{ name: 'V', value: -1n }], true)),
  bad('func-linkage', 'an extern FUNC', b => b.func('f', b.funcProto(0, []), 2)),
  fine('a global FUNC', b => b.func('f', b.funcProto(0, []), 1)),
  bad(
    'var-linkage',
    'an extern VAR',
    withInt((b, i) => b.var('v', i, 2)),
  ),
  ...[0, 1, 3, 32].map(size => bad('float-size', `a FLOAT of ${size} bytes`, b => b.float('f', size))),
  ...[2, 4, 8, 12, 16].map(size => fine(`a FLOAT of ${size} bytes`, b => b.float('f', size))),

  fine('a DATASEC', withVariable('.data..percpu', 8, [[0, 4]])),
  fine('a DATASEC with printable characters', withVariable('?[a b]', 4, [[0, 4]])),
  bad('section-name', 'a DATASEC with a tab', withVariable('a\tb', 4, [[0, 4]])),
  bad('section-name', 'a DATASEC without a name', withVariable('', 4, [[0, 4]])),
  bad('datasec-size', 'a DATASEC without a size', withVariable('d', 0, [])),
  bad(
    'datasec-order',
    'variables that overlap',
    withVariable('d', 8, [
      [0, 4],
      [3, 4],
    ]),
  ),
  bad('datasec-order', 'a variable that ends behind the section', withVariable('d', 6, [[4, 4]])),
  bad('datasec-order', 'a variable that starts behind the section', withVariable('d', 4, [[4, 1]])),
  bad('datasec-order', 'a variable without a size', withVariable('d', 4, [[0, 0]])),
];
