import test from 'ava';
import { Btf } from '../../plugin/btf/btf.js';
import { NameIndex } from '../../plugin/btf/names.js';
import { CodedError, type ErrorCode } from '../../plugin/errors.js';
import { parseRootsFile } from '../../plugin/roots/roots-file.js';
import { BtfBuilder } from '../support/build-btf.js';

const b = new BtfBuilder();
const int = b.int('int', 4);
const first = b.struct('sk_buff', 4, []);
const proto = b.funcProto(0, []);
const func = b.func('sk_buff', proto);
const second = b.struct('sk_buff', 8, []);
const wide = b.enum64('flags', 8, []);
const longInt = b.int('long unsigned int', 8);
const btf = Btf.decode(b.build());
const names = new NameIndex(btf);

const parse = (text: string) => parseRootsFile(text, 'keep.txt', btf, names);
const ids = (text: string): number[] => parse(text).map(root => root.id);

test('a line is a type id or kind:name; a name stands for every type of that kind and name', t => {
  t.deepEqual(ids('1'), [int]);
  t.deepEqual(ids('struct:sk_buff'), [first, second]);
  t.deepEqual(ids('func:sk_buff\nenum64:flags'), [func, wide]);
  t.deepEqual(ids('int:long unsigned int'), [longInt]);
});

test('comments, empty lines, blanks and CRLF do not matter', t => {
  t.deepEqual(ids('# nothing\r\n\r\n  struct:sk_buff  # why\r\n\t1\r\n'), [first, second, int]);
  t.deepEqual(ids(''), []);
  t.deepEqual(ids('#1\n'), []);
});

test('the reason is keep, the source what the line says', t => {
  t.deepEqual(parse(' func:sk_buff # for us \n'), [{ id: func, reason: 'keep', source: 'func:sk_buff' }]);
});

const ERRORS: readonly (readonly [text: string, code: ErrorCode, detail: string])[] = [
  ['1\nsk_buff\n', 'roots-file', 'line 2: sk_buff'],
  ['strukt:sk_buff', 'roots-file', 'line 1: strukt:sk_buff'],
  ['STRUCT:sk_buff', 'roots-file', 'line 1: STRUCT:sk_buff'],
  ['struct:', 'roots-file', 'line 1: struct:'],
  [':sk_buff', 'roots-file', 'line 1: :sk_buff'],
  ['unknown:sk_buff', 'roots-file', 'line 1: unknown:sk_buff'],
  ['-1', 'roots-file', 'line 1: -1'],
  ['0x10', 'roots-file', 'line 1: 0x10'],
  ['1 2', 'roots-file', 'line 1: 1 2'],
  ['\n\n# c\r\nstruct:sk_buf\r\n', 'roots-unknown', 'line 4: struct:sk_buf'],
  ['struct:flags', 'roots-unknown', 'line 1: struct:flags'],
  ['0', 'roots-unknown', 'line 1: 0'],
  ['8', 'roots-unknown', 'line 1: 8'],
  ['99999999999999999999', 'roots-unknown', 'line 1: 99999999999999999999'],
  ['struct: sk_buff', 'roots-unknown', 'line 1: struct: sk_buff'],
];

for (const [text, code, detail] of ERRORS) {
  test(`refused with its line: ${JSON.stringify(text)}`, t => {
    const error = t.throws(() => parse(text), { instanceOf: CodedError });
    t.is(error?.code, code);
    t.is(error?.detail, detail);
    t.is(error?.place.file, 'keep.txt');
  });
}

test('a long line is not repeated whole', t => {
  const error = t.throws(() => parse('x'.repeat(1000)), { instanceOf: CodedError });
  t.true((error?.detail.length ?? 1000) < 100);
});
