import test from 'ava';
import fc from 'fast-check';
import { Btf } from '../../plugin/btf/btf.js';
import { encodeBtf } from '../../plugin/btf/encode.js';
import { KIND_CONST, KIND_FWD, KIND_STRUCT, KIND_TYPEDEF } from '../../plugin/btf/kinds.js';
import { NameIndex } from '../../plugin/btf/names.js';
import { CodedError } from '../../plugin/errors.js';
import { reach } from '../../plugin/modules/needs.js';
import { ModuleProver } from '../../plugin/modules/prove.js';
import { Rebaser, type Target } from '../../plugin/modules/rebase.js';
import { isForwardOf } from '../../plugin/split/forward.js';
import { NAME_ONLY, NOTHING } from '../../plugin/split/levels.js';
import { type Reach, splitBtf } from '../../plugin/split/split.js';
import { arbitraryBtf, pointingBtf } from '../support/arbitrary-btf.js';
import { BtfBuilder } from '../support/build-btf.js';
import { naiveParse } from '../support/naive-btf.js';
import { naiveType, rebaseMistakes } from '../support/naive-rebase.js';

/** A module on a vmlinux of which some types are in the base, padded or not. */
const arbitraryCase = fc
  .record({
    btf: fc.oneof(arbitraryBtf, pointingBtf),
    roots: fc.array(fc.nat(), { maxLength: 4 }),
    seeds: fc.array(fc.nat(), { maxLength: 4 }),
    padding: fc.constantFrom(0, 1, 64),
    closure: fc.constantFrom<Reach>('complete', 'forward'),
  })
  .filter(({ btf }) => btf.base !== undefined);

function prepare(
  base: Uint8Array,
  bytes: Uint8Array,
  rootSeeds: readonly number[],
  padding: number,
  closure: Reach = 'complete',
) {
  const original = Btf.decode(base);
  const roots =
    original.count === 0
      ? []
      : rootSeeds.map(seed => ({ id: 1 + (seed % original.count), reason: 'keep' as const, source: 'test' }));
  const names = new NameIndex(original);
  const plain = splitBtf(original, names, roots, undefined, closure);
  const split = splitBtf(original, names, roots, plain.base.length + padding, closure);
  const target: Target = { original, base: Btf.decode(split.paddedBase), inBase: split.inBase(), reach: closure };
  return { original, target, split, module: Btf.decode(bytes, original) };
}

test('a re-based module is its original, whatever both look like, and carries no more than it must', t => {
  let forwards = 0;
  fc.assert(
    fc.property(arbitraryCase, ({ btf, roots, padding, closure }) => {
      const { target, split, module } = prepare(btf.base ?? btf.bytes, btf.bytes, roots, padding, closure);
      const rebased = new Rebaser(target).rebase(module);
      new ModuleProver(target).prove(module, rebased.bytes, rebased.from, 'module');
      const mistakes = rebaseMistakes({
        original: btf.base ?? btf.bytes,
        module: btf.bytes,
        base: split.paddedBase,
        inBase: target.inBase,
        reach: closure,
        rebased: rebased.bytes,
        own: Array.from({ length: module.count }, (_, i) => module.firstId + i),
        ownNow: ownNow(rebased.from, module, target.base),
      });
      t.deepEqual(mistakes, []);
      for (const [i, id] of rebased.from.entries())
        if (
          id < module.firstId &&
          isForwardOf(Btf.decode(rebased.bytes, target.base), target.base.endId + i, target.original, id)
        )
          forwards++;
    }),
    { numRuns: 1000 },
  );
  t.true(forwards > 30, `${forwards} FWDs were made`);
});

function ownNow(from: Uint32Array, module: Btf, base: Btf): number[] {
  return Array.from(from.keys())
    .filter(i => from[i] >= module.firstId)
    .map(i => base.endId + i);
}

/** The own types that some seeds need, by a fixed point over plain objects. */
function naiveReach(bytes: Uint8Array, base: Uint8Array, seeds: readonly number[]): number[] {
  const btf = naiveParse(bytes, naiveParse(base));
  const needed = new Set(seeds);
  for (let before = -1; before !== needed.size; ) {
    before = needed.size;
    for (const id of [...needed])
      if (id >= btf.firstId) for (const ref of naiveType(btf, id).refs) if (ref !== 0) needed.add(ref);
    for (const [i, type] of btf.types.entries())
      if (type.kind === 17 && type.refs[0] >= btf.firstId && needed.has(type.refs[0])) needed.add(btf.firstId + i);
  }
  return [...needed].sort((a, b) => a - b);
}

test('pruned to some types, a module keeps what they need and nothing else', t => {
  let pruned = 0;
  fc.assert(
    fc.property(arbitraryCase, ({ btf, roots, seeds, padding, closure }) => {
      const base = btf.base ?? btf.bytes;
      const { target, split, module } = prepare(base, btf.bytes, roots, padding, closure);
      if (module.endId === 1) return true;
      const ids = seeds.map(seed => 1 + (seed % (module.endId - 1)));
      const needs = reach(
        module,
        ids.map(id => ({ id, why: 'test' })),
      );
      const expected = naiveReach(btf.bytes, base, ids);
      const own = expected.filter(id => id >= module.firstId);
      const kept = Array.from(needs.own.keys()).filter(i => needs.own[i] !== 0);
      t.deepEqual(
        kept.map(i => i + module.firstId),
        own,
      );
      t.deepEqual(
        [...needs.outside.keys()],
        expected.filter(id => id < module.firstId),
      );
      if (own.length < module.count) pruned++;
      const rebased = new Rebaser(target).rebase(module, needs.own);
      new ModuleProver(target).prove(module, rebased.bytes, rebased.from, 'module');
      t.deepEqual(
        rebaseMistakes({
          original: base,
          module: btf.bytes,
          base: split.paddedBase,
          inBase: target.inBase,
          reach: closure,
          rebased: rebased.bytes,
          own,
          ownNow: ownNow(rebased.from, module, target.base),
        }),
        [],
      );
      return true;
    }),
    { numRuns: 300 },
  );
  t.true(pruned > 100);
});

for (const [closure, count] of [
  ['complete', 3],
  ['forward', 4],
] as const)
  test(`the proof finds every single word of a re-based module that is another: ${closure}`, t => {
    const b = new BtfBuilder({ order: 'little' });
    const int = b.int('int', 4);
    const inner = b.struct('inner', 4, [{ name: 'a', type: int, bits: 0 }]);
    b.struct('outer', 8, [
      { name: 'b', type: inner, bits: 0 },
      { name: 'c', type: b.ptr(inner), bits: 32 },
    ]);
    const m = new BtfBuilder({ base: b });
    const argument = closure === 'complete' ? inner : m.ptr(inner);
    m.func('probe', m.funcProto(int, [{ name: 'x', type: argument }]));
    const { target, module } = prepare(b.build(), m.build(), [0], 16, closure);
    const { bytes, from } = new Rebaser(target).rebase(module);
    const prover = new ModuleProver(target);
    const rebased = prover.prove(module, bytes, from, 'module');
    t.is(rebased.count, count);
    t.is(rebased.kind(rebased.firstId), closure === 'complete' ? KIND_STRUCT : KIND_FWD);
    const start = rebased.header.length;
    for (let at = start; at < start + rebased.header.types.length; at += 4)
      for (const flip of [1, 0x100, 0x1000000, 0x80000000]) {
        const broken = Buffer.from(bytes);
        broken.writeUInt32LE((broken.readUInt32LE(at) ^ flip) >>> 0, at);
        const error = t.throws(
          () => new ModuleProver(target).prove(module, broken, from, 'module'),
          { instanceOf: CodedError },
          `${at} ${flip}`,
        );
        t.is(error?.code, 'invariant');
      }
    t.throws(() => prover.prove(module, bytes, from.slice(1), 'module'), {
      message: new RegExp(`${count} types where ${count - 1}`),
    });
    t.throws(() => prover.prove(module, bytes, from.toReversed(), 'module'), { message: /out of order/ });
  });

test('the proof finds a FWD, of base or module, where more than a pointer leads', t => {
  const b = new BtfBuilder();
  const int = b.int('int', 4);
  const [met, unmet] = ['met', 'unmet'].map(name => b.struct(name, 4, [{ name: 'a', type: int, bits: 0 }]));
  const root = b.struct('root', 8, [{ name: 'p', type: b.ptr(b.const(met)), bits: 0 }]);
  for (const struct of [met, unmet]) {
    const m = new BtfBuilder({ base: b });
    m.typedef('alias', m.const(struct));
    const { target, module } = prepare(b.build(), m.build(), [root - 1, int - 1], 0, 'forward');
    const { base, inBase } = target;
    t.is(inBase.levels[struct], struct === met ? NAME_ONLY : NOTHING);
    const prover = new ModuleProver(target);
    const right = new Rebaser(target).rebase(module);
    t.is(prover.prove(module, right.bytes, right.from, 'module').kind(base.endId), KIND_STRUCT);
    // By hand: the FWD of the base, or one of its own, instead of a copy of the struct.
    const own = struct === unmet ? [base.stringEnd, KIND_FWD << 24, 0] : [];
    const modifier = base.endId + own.length / 3;
    const alias = base.stringEnd + (struct === unmet ? 'unmet'.length + 1 : 0);
    const typedef = [alias, KIND_TYPEDEF << 24, modifier];
    const words = [...own, 0, KIND_CONST << 24, struct === unmet ? base.endId : inBase.ids[met], ...typedef];
    const strings = Buffer.from(struct === unmet ? 'unmet\0alias\0' : 'alias\0');
    const { order, header, layout } = module;
    const wrong = encodeBtf({ order, flags: header.flags, words: Uint32Array.from(words), strings, layout });
    const from = right.from.filter(id => id >= module.firstId || (id === struct && struct === unmet));
    t.throws(() => prover.prove(module, wrong, from, 'module'), { message: /needs more of type \d+ than a FWD/ });
  }
});

test('where vmlinux and module are sorted by name, as 7.x sorts them, the re-based module is too', t => {
  const b = new BtfBuilder();
  const word = b.ptr(0);
  b.array(word, word, 3);
  for (const name of ['alpha', 'beta', 'delta', 'int', 'zeta']) b.struct(name, 4, [{ name: 'x', type: word, bits: 0 }]);
  const m = new BtfBuilder({ base: b });
  const pointers = [3, 4, 5, 7].map(id => m.ptr(id));
  for (const [i, name] of ['aaa', 'charlie', 'omega', 'zzz'].entries()) m.typedef(name, pointers[i]);
  const { target, module } = prepare(b.build(), m.build(), [], 0);
  const { bytes } = new Rebaser(target).rebase(module);
  const after = naiveParse(
    bytes,
    naiveParse(target.base.header.length === 24 ? splitBase(target.base) : new Uint8Array()),
  );
  t.deepEqual(
    after.types.map(type => type.name),
    ['', '', '', '', '', 'aaa', 'alpha', 'beta', 'charlie', 'delta', 'omega', 'zeta', 'zzz'],
  );
});

function splitBase(base: Btf): Uint8Array {
  return Buffer.concat([
    Buffer.from([0x9f, 0xeb, 1, 0, 24, 0, 0, 0, 0, 0, 0, 0]),
    u32(base.words.byteLength),
    u32(base.words.byteLength),
    u32(base.strings.length),
    Buffer.from(base.words.buffer, base.words.byteOffset, base.words.byteLength),
    base.strings,
  ]);
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

test('a copied tracepoint typedef brings the function without which the kernel trusts its pointers', t => {
  const b = new BtfBuilder();
  const int = b.int('int', 4);
  const proto = b.funcProto(0, [{ name: 'x', type: b.ptr(int) }]);
  const typedef = b.typedef('btf_trace_demo', b.ptr(proto));
  const func = b.func('__bpf_trace_demo', proto);
  const m = new BtfBuilder({ base: b });
  m.const(typedef);
  const { target, module } = prepare(b.build(), m.build(), [0], 0);
  const { from } = new Rebaser(target).rebase(module);
  t.true(from.includes(typedef));
  t.true(from.includes(func));

  const own = new BtfBuilder({ base: b });
  const ownProto = own.funcProto(0, []);
  const ownTypedef = own.typedef('btf_trace_mine', own.ptr(ownProto));
  own.func('__bpf_trace_mine', ownProto);
  own.func('unrelated', ownProto);
  const needs = reach(Btf.decode(own.build(), Btf.decode(b.build())), [{ id: ownTypedef, why: 'test' }]);
  t.deepEqual([...needs.own], [1, 1, 1, 1, 0]);
});

test('tags of copied types follow them', t => {
  const b = new BtfBuilder();
  const int = b.int('int', 4);
  const struct = b.struct('tagged', 4, [{ name: 'x', type: int, bits: 0 }]);
  const tag = b.declTag('user', struct, 0);
  b.declTag('user', b.struct('other', 4, [{ name: 'x', type: int, bits: 0 }]), 0);
  const m = new BtfBuilder({ base: b });
  m.ptr(struct);
  const { target, module } = prepare(b.build(), m.build(), [0], 0);
  t.deepEqual([...new Rebaser(target).rebase(module).from], [struct, tag, module.firstId]);
});
