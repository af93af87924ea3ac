import test from 'ava';
import fc from 'fast-check';
import { Btf } from '../../plugin/btf/btf.js';
import * as kinds from '../../plugin/btf/kinds.js';
import { NameIndex } from '../../plugin/btf/names.js';
import { fromWords } from '../../plugin/bytes/endian.js';
import { Companions } from '../../plugin/split/companions.js';
import { type LintedIds, lintSplit, SPLIT_RULES } from '../../plugin/split/lint-split.js';
import { splitBtf } from '../../plugin/split/split.js';
import { kernelCase } from '../support/arbitrary-kernel-btf.js';
import { BtfBuilder } from '../support/build-btf.js';
import { type NaiveBtf, naiveParse } from '../support/naive-btf.js';
import { belongTogether } from '../support/naive-closure.js';

/** What lint says when exactly these types are in the base, needed or not. `change`: the base's words, before they are looked at. */
function sides(btf: Btf, inBase: ReadonlySet<number>, change = (_: Uint32Array): void => {}, ids?: LintedIds) {
  const newIds = new Uint32Array(btf.count + 1);
  const chosen = [...newIds.keys()].filter(id => inBase.has(id));
  const others = [...newIds.keys()].filter(id => id > 0 && !inBase.has(id));
  for (const [i, id] of [...chosen, ...others].entries()) newIds[id] = i + 1;
  const starts = [0];
  const words: number[] = [];
  for (const id of chosen) {
    words.push(...btf.words.subarray(btf.starts[id - 1], btf.starts[id]));
    starts.push(words.length);
  }
  const changed = Uint32Array.from(words);
  change(changed);
  const base = { count: chosen.length, endId: chosen.length + 1, words: changed, starts: Uint32Array.from(starts) };
  const companions = new Companions(btf, new NameIndex(btf));
  return lintSplit({ original: btf, companions, base, newIds, ids });
}

function build(fill: (b: BtfBuilder) => void): Btf {
  const b = new BtfBuilder();
  fill(b);
  return Btf.decode(b.build());
}

test('a VAR without its DATASEC, and the other way round', t => {
  const btf = build(b => {
    const int = b.int('int', 4);
    b.datasec('.data..percpu', 4, [{ type: b.var('v', int), offset: 0, size: 4 }]);
  });
  t.deepEqual(sides(btf, new Set([1, 2])).counts, { 'variable-pair': 1 });
  t.deepEqual(sides(btf, new Set([1, 3])).counts, { 'variable-pair': 1 });
  t.deepEqual(sides(btf, new Set([1, 2, 3])).counts, {});
  t.deepEqual(sides(btf, new Set([1])).counts, {});
});

test('btf_trace_X without __bpf_trace_X', t => {
  const btf = build(b => {
    const proto = b.funcProto(0, []);
    b.func('__bpf_trace_ev', proto);
    b.typedef('btf_trace_ev', b.ptr(proto));
  });
  t.deepEqual(sides(btf, new Set([1, 2])).counts, { 'trace-pair': 1 });
  t.deepEqual(sides(btf, new Set([1, 3, 4])).counts, { 'trace-pair': 1 });
});

test('a DECL_TAG without its target, and the other way round', t => {
  const btf = build(b => b.declTag('bpf_kfunc', b.func('f', b.funcProto(0, []))));
  t.deepEqual(sides(btf, new Set([1, 2])).counts, { 'tag-pair': 1 });
  t.deepEqual(sides(btf, new Set([1, 3])).counts, { 'tag-pair': 1 });
});

test('types of one essential name', t => {
  const btf = build(b => {
    b.struct('foo', 0, []);
    b.struct('foo___old', 0, []);
    b.union('foo', 0, []);
  });
  t.deepEqual(sides(btf, new Set([1])).counts, { 'essential-name': 1 });
  t.deepEqual(sides(btf, new Set([2, 3])).counts, { 'essential-name': 1 });
  t.deepEqual(sides(btf, new Set([1, 2])).counts, {});
});

test('a STRUCT that lost a member, or all, or came out of nowhere', t => {
  const btf = build(b => {
    const int = b.int('int', 4);
    b.struct('s', 8, [
      { name: 'a', type: int, bits: 0 },
      { name: 'b', type: int, bits: 32 },
    ]);
  });
  for (const members of [1, 0]) {
    const found = sides(btf, new Set([1, 2]), words => {
      words[5] = (kinds.KIND_STRUCT << 24) | members;
    });
    t.deepEqual(found.counts, { members: 1 });
    t.is(found.findings[0].why, `2 members became ${members}`);
    t.is(found.findings[0].name, 'STRUCT s');
  }
  // As closure `forward` will have it: what stands for the struct is no struct.
  const forward = sides(btf, new Set([1, 2]), words => {
    words[5] = kinds.KIND_FWD << 24;
  });
  t.deepEqual(forward.counts, {});
});

test('ids that became 0, that are not in the base, or are not sorted', t => {
  const btf = build(b => {
    for (let i = 0; i < 5; i++) b.ptr(0);
  });
  const linted = (words: readonly number[]): LintedIds => ({
    bytes: fromWords(Uint32Array.from(words), 'big'),
    order: 'big',
    slots: words.map((_, i) => ({ offset: i * 4, id: i === 0 ? 0 : i })),
    sets: [{ first: 4, end: words.length * 4, stride: 4 }],
  });
  const found = (words: readonly number[]) => sides(btf, new Set([1, 2, 3]), undefined, linted(words)).counts;
  t.deepEqual(found([0, 1, 2, 3]), {});
  t.deepEqual(found([0, 0, 2, 3]), { 'id-zero': 1 });
  t.deepEqual(found([0, 1, 2, 4]), { 'id-outside': 1 });
  t.deepEqual(found([0, 1, 3, 2]), { 'id-order': 1 });
  // Pairs of id and flags: flags are no ids.
  const pairs = { ...linted([0, 1, 9, 2, 0]), slots: [], sets: [{ first: 4, end: 20, stride: 8 }] };
  t.deepEqual(sides(btf, new Set([1, 2, 3]), undefined, pairs).counts, {});
});

/** True when two types that belong together are on different sides. */
function tornApart({ types }: NaiveBtf, inBase: ReadonlySet<number>): boolean {
  const torn = (a: number, b: number): boolean => inBase.has(a) !== inBase.has(b);
  return types.some(
    (one, i) =>
      types.some((other, j) => i !== j && belongTogether(one, other) && torn(i + 1, j + 1)) ||
      (one.kind === kinds.KIND_DATASEC && one.refs.some(id => torn(id, i + 1))) ||
      (one.kind === kinds.KIND_DECL_TAG && one.refs[0] !== 0 && torn(one.refs[0], i + 1)),
  );
}

test('whatever is torn apart is found, and nothing else', t => {
  let torn = 0;
  let whole = 0;
  fc.assert(
    fc.property(kernelCase, fc.array(fc.boolean(), { minLength: 40, maxLength: 40 }), ({ bytes }, chosen) => {
      const btf = Btf.decode(bytes);
      const inBase = new Set(chosen.flatMap((yes, i) => (yes && i < btf.count ? [i + 1] : [])));
      const expected = tornApart(naiveParse(bytes), inBase);
      t.is(sides(btf, inBase).errors > 0, expected);
      if (expected) torn++;
      else whole++;
    }),
    { numRuns: 500 },
  );
  t.true(torn > 50 && whole > 50, `${torn} torn apart, ${whole} not`);
});

test('a split has no findings', t => {
  fc.assert(
    fc.property(kernelCase, ({ bytes, roots }) => {
      const btf = Btf.decode(bytes);
      const { companions, newIds, decoded } = splitBtf(btf, new NameIndex(btf), roots);
      t.deepEqual(lintSplit({ original: btf, companions, newIds, base: decoded.base }).counts, {});
    }),
  );
});

test('each rule has a source', t => {
  for (const [rule, { source }] of Object.entries(SPLIT_RULES)) t.regex(source, /^(kernel|include)\//, rule);
});
