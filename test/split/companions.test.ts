import test from 'ava';
import { Btf } from '../../plugin/btf/btf.js';
import * as kinds from '../../plugin/btf/kinds.js';
import { NameIndex } from '../../plugin/btf/names.js';
import { Companions } from '../../plugin/split/companions.js';
import { splitBtf } from '../../plugin/split/split.js';
import { BtfBuilder } from '../support/build-btf.js';

/** Ids that stay when only `root` is asked for. */
function kept(b: BtfBuilder, root: number): number[] {
  const btf = Btf.decode(b.build());
  const { newIds, closure } = splitBtf(btf, new NameIndex(btf), [{ id: root, reason: 'keep', source: 'test' }]);
  return [...newIds.keys()].filter(id => id > 0 && newIds[id] <= closure.types);
}

test('a VAR takes its DATASEC along, and with it every VAR of that section', t => {
  const b = new BtfBuilder();
  const int = b.int('int', 4);
  const one = b.var('one', int);
  const other = b.var('other', int);
  const elsewhere = b.var('elsewhere', int);
  const percpu = b.datasec('.data..percpu', 8, [
    { type: one, offset: 0, size: 4 },
    { type: other, offset: 4, size: 4 },
  ]);
  const bss = b.datasec('.bss', 4, [{ type: elsewhere, offset: 0, size: 4 }]);
  t.deepEqual(kept(b, one), [int, one, other, percpu]);
  t.deepEqual(kept(b, elsewhere), [int, elsewhere, bss]);
  t.deepEqual(kept(b, percpu), [int, one, other, percpu]);
});

test('typedef btf_trace_X and FUNC __bpf_trace_X stay together, whichever is asked for', t => {
  const b = new BtfBuilder();
  const proto = b.funcProto(0, []);
  const func = b.func('__bpf_trace_sched_switch', proto);
  b.func('__bpf_trace_sched_waking', proto);
  const pointer = b.ptr(proto);
  const typedef = b.typedef('btf_trace_sched_switch', pointer);
  b.typedef('btf_trace_sched', pointer);
  b.struct('btf_trace_sched_switch', 4, []);
  t.deepEqual(kept(b, func), [proto, func, pointer, typedef]);
  t.deepEqual(kept(b, typedef), [proto, func, pointer, typedef]);
});

test('a template with a parameter that may be null stays with the events of its parameters that have no FUNC', t => {
  const b = new BtfBuilder();
  const int = b.int('int', 4);
  const pointer = b.ptr(int);
  const named = b.funcProto(0, [
    { name: 'sk', type: pointer },
    { name: 'skb__nullable', type: pointer },
  ]);
  const unnamed = b.funcProto(0, [
    { name: '', type: pointer },
    { name: '', type: pointer },
  ]);
  const template = b.func('__bpf_trace_template', named);
  const event = b.typedef('btf_trace_event', b.ptr(unnamed));
  const toPointer = event - 1;
  const second = b.typedef('btf_trace_second', toPointer);
  const own = b.typedef('btf_trace_own', toPointer);
  const ownFunc = b.func('__bpf_trace_own', unnamed);
  const otherwise = b.typedef('btf_trace_otherwise', b.ptr(b.funcProto(0, [{ name: '', type: pointer }])));
  const withTemplate = [int, pointer, named, unnamed, template, toPointer, event, second];
  t.deepEqual(kept(b, event), withTemplate);
  t.deepEqual(kept(b, second), withTemplate);
  t.deepEqual(kept(b, own), [int, pointer, unnamed, toPointer, own, ownFunc]);
  t.deepEqual(kept(b, otherwise), [int, pointer, otherwise - 2, otherwise - 1, otherwise]);
});

test('a template without such a parameter tells no more than the typedef does', t => {
  const b = new BtfBuilder();
  const int = b.int('int', 4);
  const proto = b.funcProto(0, [{ name: 'nullable', type: int }]);
  b.func('__bpf_trace_template', proto);
  const event = b.typedef('btf_trace_event', b.ptr(proto));
  t.deepEqual(kept(b, event), [int, proto, event - 1, event]);
});

test('a DECL_TAG follows its target, on a function, a parameter, a struct or a member; it never pulls one in', t => {
  const b = new BtfBuilder();
  const int = b.int('int', 4);
  const proto = b.funcProto(0, [{ name: 'p', type: int }]);
  const kfunc = b.func('kfunc', proto);
  const early = b.declTag('bpf_kfunc', kfunc);
  const parameter = b.declTag('ctx', kfunc, 0);
  const other = b.func('other', proto);
  const ofOther = b.declTag('bpf_kfunc', other);
  const struct = b.struct('s', 4, [{ name: 'm', type: int, bits: 0 }]);
  const ofStruct = b.declTag('preserve_access_index', struct);
  const ofMember = b.declTag('user', struct, 0);
  t.deepEqual(kept(b, kfunc), [int, proto, kfunc, early, parameter]);
  t.deepEqual(kept(b, struct), [int, struct, ofStruct, ofMember]);
  t.deepEqual(kept(b, int), [int]);
  t.deepEqual(kept(b, ofOther), [int, proto, other, ofOther]);
});

test('a DECL_TAG may come before what it tags', t => {
  const b = new BtfBuilder();
  const tag = b.declTag('tag', 2);
  const struct = b.struct('s', 4, []);
  t.deepEqual(kept(b, struct), [tag, struct]);
});

test('all types of one name and CO-RE class stay together, to a fixed point with what they need', t => {
  const b = new BtfBuilder();
  const int = b.int('int', 4);
  const long = b.int('long', 8);
  const one = b.struct('task', 4, [{ name: 'm', type: int, bits: 0 }]);
  const flavour = b.struct('task___old', 8, [{ name: 'm', type: long, bits: 0 }]);
  const second = b.struct('task', 8, [{ name: 'm', type: b.endId + 1, bits: 0 }]);
  const inner = b.struct('inner', 0, []);
  const innerToo = b.struct('inner___x', 0, []);
  b.union('task', 4, [{ name: 'm', type: int, bits: 0 }]);
  b.fwd('task');
  b.struct('task_', 4, []);
  b.struct('tas', 4, []);
  const all = [int, long, one, flavour, second, inner, innerToo];
  for (const root of [one, flavour, second]) t.deepEqual(kept(b, root), all);
});

test('ENUM and ENUM64 are one CO-RE class, STRUCT and UNION are two', t => {
  const b = new BtfBuilder();
  const narrow = b.enum('e', 4, []);
  const wide = b.enum64('e', 8, []);
  const struct = b.struct('e', 4, []);
  const union = b.union('e', 4, []);
  t.deepEqual(kept(b, narrow), [narrow, wide]);
  t.deepEqual(kept(b, wide), [narrow, wide]);
  t.deepEqual(kept(b, struct), [struct]);
  t.deepEqual(kept(b, union), [union]);
});

test('anonymous types are no companions of each other', t => {
  const b = new BtfBuilder();
  const one = b.struct('', 4, []);
  b.struct('', 4, []);
  b.enum('', 4, []);
  t.deepEqual(kept(b, one), [one]);
});

test('no flavour: names that begin or end with underscores, or have more than three', t => {
  const b = new BtfBuilder();
  const a = b.struct('a', 4, []);
  for (const name of ['a____b', 'a___', '___a', 'a__b', 'b___a']) b.struct(name, 4, []);
  t.deepEqual(kept(b, a), [a]);
});

test('the last three underscores tell the flavour', t => {
  const b = new BtfBuilder();
  const one = b.struct('a___b___c', 4, []);
  const other = b.struct('a___b___d', 4, []);
  b.struct('c', 4, []);
  b.struct('a', 4, []);
  t.true([one, other].every(root => [one, other].every(id => kept(b, root).includes(id))));
});

test('names that are written twice are one name', t => {
  const b = new BtfBuilder();
  const one = b.struct('s', 4, []);
  const other = b.record(kinds.KIND_STRUCT, b.ownString('s'), {}, 8);
  const flavour = b.record(kinds.KIND_STRUCT, b.ownString('s___x'), {}, 8);
  const same = b.record(kinds.KIND_STRUCT, b.ownString('s___x'), {}, 16);
  for (const root of [one, other, flavour, same]) t.deepEqual(kept(b, root), [one, other, flavour, same]);
});

test('a name that is the tail of another is a name', t => {
  const b = new BtfBuilder();
  const long = b.struct('very long', 4, []);
  const tail = b.record(kinds.KIND_STRUCT, b.string('very long') + 5, {}, 8);
  const again = b.record(kinds.KIND_STRUCT, b.ownString('long'), {}, 16);
  t.deepEqual(kept(b, long), [long]);
  t.deepEqual(kept(b, tail), [tail, again]);
});

test('a flavoured name that is the tail of another is a flavour', t => {
  const b = new BtfBuilder();
  const foo = b.struct('foo', 4, []);
  const flavour = b.record(kinds.KIND_STRUCT, b.ownString('x_foo___new') + 2, {}, 8);
  t.deepEqual(kept(b, foo), [foo, flavour]);
});

// Steps in the square of 150,000 would run into ava's time limit.
test('150,000 flavours, and as many types of another kind with their essential name, take no square of steps', t => {
  const b = new BtfBuilder();
  const texts = ['foo', 'foo___x', 'btf_trace_y', '__bpf_trace_y'];
  const [plain, flavoured, trace, traced] = texts.map(text => b.string(text));
  const proto = b.funcProto(0, []);
  for (let i = 0; i < 150_000; i++) {
    b.record(kinds.KIND_STRUCT, plain, {}, 0);
    b.record(kinds.KIND_UNION, flavoured, {}, 0);
    b.record(kinds.KIND_STRUCT, trace, {}, 0);
    b.record(kinds.KIND_FUNC, traced, {}, proto);
  }
  const btf = Btf.decode(b.build());
  const { next } = new Companions(btf, new NameIndex(btf));
  t.true(next[2] !== 0 && next[3] !== 0 && next[4] !== 0, 'structs and unions of one name are in rings');
  t.is(next[5], 0, 'no typedef, no companion');
});
