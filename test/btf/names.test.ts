import { readFileSync } from 'node:fs';
import test, { type ExecutionContext } from 'ava';
import { Btf } from '../../plugin/btf/btf.js';
import { KIND_FUNC, KIND_INT, KIND_STRUCT, KIND_TYPEDEF, KIND_UNION } from '../../plugin/btf/kinds.js';
import { lengthOf, NameIndex, SELDOM_ASKED, typesWithPrefix, typesWithSuffix } from '../../plugin/btf/names.js';
import { CodedError } from '../../plugin/errors.js';
import { BTF_SAMPLES } from '../support/btf-samples.js';
import { BtfBuilder } from '../support/build-btf.js';
import { DEBIAN_BTF, debianBtf, haveDebianBtf } from '../support/debian-btf.js';

/** Every name with its ids, ascending, by JS strings. */
function naive(btf: Btf): Map<string, number[]> {
  const ids = new Map<string, number[]>();
  for (let id = 1; id < btf.endId; id++) {
    const name = btf.name(id);
    if (name === '') continue;
    const same = ids.get(name);
    if (same === undefined) ids.set(name, [id]);
    else same.push(id);
  }
  return ids;
}

/** Counts instead of an assertion a name: a kernel has 70,000. */
function agrees(t: ExecutionContext, btf: Btf): void {
  const index = new NameIndex(btf);
  let wrong = 0;
  for (const [name, ids] of naive(btf)) {
    if (index.all(name).join() !== ids.join()) wrong++;
    const kind = btf.kind(ids[ids.length - 1]);
    const ofKind = ids.filter(id => btf.kind(id) === kind);
    if (index.all(name, kind).join() !== ofKind.join() || index.first(name, kind) !== ofKind[0]) wrong++;
    const chain: number[] = [];
    const offset = btf.nameOffset(ids[0]);
    for (let id = index.firstNamed(btf.strings, offset, name.length); id !== 0; id = index.next(id)) chain.push(id);
    chain.sort((a, b) => a - b);
    const often = ids.filter(id => !SELDOM_ASKED.includes(btf.kind(id)));
    if (chain.join() !== often.join() || lengthOf(btf.strings, offset) !== name.length) wrong++;
    if (index.all(`${name}\x01`).length > 0) wrong++;
  }
  t.is(wrong, 0);
}

for (const { title, bytes, base } of BTF_SAMPLES) {
  if (base === undefined) test(`the name index agrees with a naive one: ${title}`, t => agrees(t, Btf.decode(bytes)));
}

for (const name of DEBIAN_BTF) {
  test(`the name index agrees with a naive one: Debian's ${name} kernel`, t => {
    if (haveDebianBtf(t, name)) agrees(t, Btf.decode(readFileSync(debianBtf(name))));
  });
}

test('names are the same when their bytes are, wherever they stand', t => {
  const b = new BtfBuilder();
  const shared = b.int('long', 8);
  const again = b.record(KIND_INT, b.ownString('long'), {}, 8, 64);
  const tail = b.record(KIND_TYPEDEF, b.ownString('very long') + 5, {}, shared);
  b.record(KIND_TYPEDEF, b.ownString(''), {}, shared);
  b.ptr(shared);
  const bytes = b.struct('\xff\xfe', 1, []);
  const btf = Btf.decode(b.build());
  const index = new NameIndex(btf);
  t.deepEqual(index.all('long'), [shared, again, tail]);
  t.deepEqual(index.all('long', KIND_TYPEDEF), [tail]);
  t.is(index.first('long', KIND_INT), shared);
  t.is(index.first('long', KIND_UNION), 0);
  t.deepEqual(index.all('\xff\xfe'), [bytes]);
  t.deepEqual(index.all('lon'), []);
  t.deepEqual(index.all(''), []);
  agrees(t, btf);
});

test('a part of a name is found as a name: foo___x as foo', t => {
  const b = new BtfBuilder();
  const flavour = b.struct('foo___x', 4, []);
  const foo = b.struct('foo', 4, []);
  const btf = Btf.decode(b.build());
  t.is(new NameIndex(btf).firstNamed(btf.strings, btf.nameOffset(flavour), 3), foo);
});

test('types are found by the start and the end of their names', t => {
  const b = new BtfBuilder();
  const proto = b.funcProto(0, []);
  const iterator = b.func('bpf_iter_task', proto);
  b.func('bpf_ite', proto);
  b.struct('bpf_iter_task', 4, []);
  const safe = b.struct('sock__safe_rcu', 4, []);
  b.struct('_rcu', 4, []);
  const btf = Btf.decode(b.build());
  t.deepEqual(typesWithPrefix(btf, KIND_FUNC, 'bpf_iter_'), [iterator]);
  t.deepEqual(typesWithSuffix(btf, KIND_STRUCT, '__safe_rcu'), [safe]);
});

test('100,000 names inside one long string end with an error, at once', t => {
  const b = new BtfBuilder({ order: 'little' });
  const start = b.ownString('a___b'.repeat(250_000));
  for (let i = 0; i < 100_000; i++) b.record(KIND_STRUCT, start + i * 10, {}, 0);
  const error = t.throws(() => new NameIndex(Btf.decode(b.build())), { instanceOf: CodedError });
  t.is(error.code, 'btf-strings');
});
