import * as kinds from '../../../plugin/btf/kinds.js';
import { bad, fine, type LintCase, member, withInt } from './case.js';

const NAME_512 = 'n'.repeat(512);

export const names: readonly LintCase[] = [
  fine('an identifier of 512 bytes', b => b.fwd(NAME_512)),
  bad('name', 'an identifier of 513 bytes', b => b.fwd(`${NAME_512}n`)),
  fine('dots, digits and Latin-1 letters', b => b.fwd('.a_9.\xe9\xff')),
  bad('name', 'the times sign of Latin-1', b => b.fwd('a\xd7')),
  bad('name', 'a digit first', b => b.fwd('9a')),
  bad('name', 'a minus sign', b => b.fwd('a-b')),
  bad('name', 'a FWD without a name', b => b.fwd('')),
  bad('name', 'a FWD whose name is empty', b => b.record(kinds.KIND_FWD, b.ownString(''), {}, 0)),
  bad(
    'name',
    'a TYPEDEF without a name',
    withInt((b, i) => b.typedef('', i)),
  ),
  bad(
    'name',
    'a TYPEDEF with a space',
    withInt((b, i) => b.typedef('a b', i)),
  ),
  bad('name', 'a STRUCT with a space', b => b.struct('a b', 0, [])),
  fine('a STRUCT without a name', b => b.struct('', 0, [])),
  bad('name', 'a STRUCT whose name is empty', b => b.record(kinds.KIND_STRUCT, b.ownString(''), {}, 0)),
  bad('name', 'an ENUM with a colon', b => b.enum('a:b', 4, [])),
  bad('name', 'an ENUM64 with a colon', b => b.enum64('a:b', 8, [])),
  bad('name', 'a FUNC without a name', b => b.func('', b.funcProto(0, []))),
  bad('name', 'a FUNC with a dollar sign', b => b.func('a$b', b.funcProto(0, []))),
  bad(
    'name',
    'a VAR without a name',
    withInt((b, i) => b.var('', i)),
  ),
  fine('an INT with any name', b => b.int('9 \x01', 4)),
  fine('a FLOAT with any name', b => b.float('9 \x01', 4)),
  bad(
    'no-name',
    'a PTR with a name',
    withInt((b, i) => b.record(kinds.KIND_PTR, 'p', {}, i)),
  ),
  bad(
    'no-name',
    'a PTR whose name is empty',
    withInt((b, i) => b.record(kinds.KIND_PTR, b.ownString(''), {}, i)),
  ),
  bad(
    'no-name',
    'a CONST with a name',
    withInt((b, i) => b.record(kinds.KIND_CONST, 'p', {}, i)),
  ),
  bad(
    'no-name',
    'a VOLATILE with a name',
    withInt((b, i) => b.record(kinds.KIND_VOLATILE, 'p', {}, i)),
  ),
  bad(
    'no-name',
    'a RESTRICT with a name',
    withInt((b, i) => b.record(kinds.KIND_RESTRICT, 'p', {}, i)),
  ),
  bad(
    'no-name',
    'an ARRAY with a name',
    withInt((b, i) => b.record(kinds.KIND_ARRAY, 'a', {}, 0, i, i, 1)),
  ),
  bad('no-name', 'a FUNC_PROTO with a name', b => b.record(kinds.KIND_FUNC_PROTO, 'f', {}, 0)),
  bad(
    'member-name',
    'a member with a space',
    withInt((b, i) => b.struct('s', 4, [member('a b', i, 0)])),
  ),
  bad(
    'member-name',
    'a member of a UNION with a space',
    withInt((b, i) => b.union('u', 4, [member('a b', i, 0)])),
  ),
  fine(
    'a member without a name',
    withInt((b, i) => b.struct('s', 4, [member('', i, 0)])),
  ),
  bad('member-name', 'a value without a name', b => b.enum('e', 4, [{ name: '', value: 0n }])),
  bad('member-name', 'a value with a minus sign', b => b.enum('e', 4, [{ name: 'a-b', value: 0n }])),
  bad('member-name', 'a value of an ENUM64 without a name', b => b.enum64('e', 8, [{ name: '', value: 0n }])),
  bad(
    'tag-value',
    'an empty TYPE_TAG',
    withInt((b, i) => b.typeTag('', i)),
  ),
  bad('tag-value', 'an empty DECL_TAG', b => b.declTag('', b.struct('s', 0, []))),
  fine('tags with any value', b => b.declTag('\x01 \xff', b.struct('s', 0, []))),
];
