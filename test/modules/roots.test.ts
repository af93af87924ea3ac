import test from 'ava';
import fc from 'fast-check';
import { Btf } from '../../plugin/btf/btf.js';
import { KIND_PTR, KIND_VAR } from '../../plugin/btf/kinds.js';
import { NameIndex } from '../../plugin/btf/names.js';
import { reach } from '../../plugin/modules/needs.js';
import { distilledRoots, neededRoots, pointeeRoots, sharedRoots } from '../../plugin/modules/roots.js';
import { levelsInBase, withModuleRoots } from '../../plugin/pipeline/module-roots.js';
import { renderMarkdown } from '../../plugin/report/render/markdown.js';
import { renderText } from '../../plugin/report/render/text.js';
import type { Root } from '../../plugin/roots/root.js';
import { Companions } from '../../plugin/split/companions.js';
import { levelsOf } from '../../plugin/split/forward.js';
import { NAME_ONLY, NOTHING, WHOLE } from '../../plugin/split/levels.js';
import { REPORT } from '../support/any-report.js';
import { arbitraryBtf } from '../support/arbitrary-btf.js';
import { kernelCase } from '../support/arbitrary-kernel-btf.js';
import { BtfBuilder } from '../support/build-btf.js';
import { type NaiveType, naiveParse } from '../support/naive-btf.js';
import { naiveLevels } from '../support/naive-rebase.js';

const NONE = new Uint32Array();

const ascending = (ids: ReadonlySet<number>): number[] => [...ids].sort((a, b) => a - b);

/** Everything that some types lead to, without what is in the base. */
function needed(refs: readonly (readonly number[])[], from: readonly number[], base: ReadonlySet<number>): Set<number> {
  const met = new Set<number>();
  const queue = [...from];
  for (let id = queue.pop(); id !== undefined; id = queue.pop()) {
    if (id === 0 || met.has(id) || base.has(id)) continue;
    met.add(id);
    queue.push(...refs[id - 1]);
  }
  return met;
}

test('roots for what modules share lead to all of it, and to nothing else', t => {
  let shared = 0;
  fc.assert(
    fc.property(
      arbitraryBtf,
      fc.array(fc.array(fc.nat(), { maxLength: 4 }), { maxLength: 5 }),
      fc.array(fc.nat(), { maxLength: 2 }),
      ({ bytes, base }, entries, baseSeeds) => {
        const original = Btf.decode(base ?? bytes);
        const refs = naiveParse(base ?? bytes).types.map(type => type.refs);
        if (refs.length === 0) return;
        const pick = (seeds: readonly number[]): number[] => seeds.map(seed => 1 + (seed % refs.length));
        const inBase = needed(refs, pick(baseSeeds), new Set());
        const modules = entries.map((seeds, i) => ({
          name: `m${i}`,
          entries: Uint32Array.from(pick(seeds)),
          named: NONE,
        }));
        const sets = modules.map(module => needed(refs, [...module.entries], inBase));
        const expected = new Set(refs.map((_, i) => i + 1).filter(id => sets.filter(set => set.has(id)).length > 1));
        const flags = Uint8Array.from({ length: refs.length + 1 }, (_, id) => (inBase.has(id) ? WHOLE : NOTHING));
        const roots = sharedRoots(original, modules, flags, 'complete');
        t.deepEqual(
          ascending(
            needed(
              refs,
              roots.map(root => root.id),
              inBase,
            ),
          ),
          ascending(expected),
        );
        for (const { source } of roots) t.regex(source, /^shared by m\d and m\d$/);
        // In the base now: nothing is shared any more.
        for (const id of expected) flags[id] = WHOLE;
        t.deepEqual(sharedRoots(original, modules, flags, 'complete'), []);
        shared += expected.size;
      },
    ),
    { numRuns: 500 },
  );
  t.true(shared > 100);
});

test('roots for what modules share are found in a few steps: with them no two modules need a copy of the same type', t => {
  let shared = 0;
  const picks = fc.array(fc.nat(), { maxLength: 4 });
  fc.assert(
    fc.property(
      kernelCase,
      fc.array(fc.record({ entries: picks, named: picks }), { maxLength: 4 }),
      fc.constantFrom('complete' as const, 'forward' as const),
      ({ bytes, roots }, modules, reach) => {
        const btf = Btf.decode(bytes);
        const companions = new Companions(btf, new NameIndex(btf));
        const { types } = naiveParse(bytes);
        const pick = (seeds: readonly number[]): Uint32Array =>
          Uint32Array.from(seeds, seed => 1 + (seed % types.length));
        const references = modules.map(({ entries, named }, i) => ({
          name: `m${i}`,
          entries: pick(entries),
          named: reach === 'forward' ? pick(named) : NONE,
        }));
        const all = withModuleRoots(btf, companions, roots, { roots: [], references }, reach);
        const inBase = levelsInBase(btf, companions, all, reach);
        const copies = references.flatMap(({ entries, named }) => {
          const typeOf = (id: number): NaiveType => types[id - 1];
          // What a pointer of the module stands for, which wants the names, and what else it has.
          const pointer = { ...types[0], kind: KIND_PTR, name: '', refs: [...named] };
          const other = { ...types[0], kind: KIND_VAR, name: '', refs: [...entries] };
          const levels = naiveLevels(
            id => (id < 0 ? (id === -1 ? pointer : other) : typeOf(id)),
            new Map([-1, -2].map(id => [id, WHOLE])),
            reach,
            (id, level) => id > 0 && inBase[id] >= level,
          );
          return [...levels].filter(([id, level]) => id > 0 && level === WHOLE && inBase[id] < WHOLE).map(([id]) => id);
        });
        t.is(new Set(copies).size, copies.length);
        shared += all.length - roots.length;
      },
    ),
    { numRuns: 500 },
  );
  t.true(shared > 100, `${shared}`);
});

test('closure forward: a struct that modules only point to is not shared; the pointers are, and what one of them has inside', t => {
  const b = new BtfBuilder();
  const int = b.int('int', 4);
  const [pointed, embedded, far] = ['pointed', 'embedded', 'far'].map(name =>
    b.struct(name, 4, [{ name: 'x', type: int, bits: 0 }]),
  );
  const pointer = b.ptr(b.const(pointed));
  const proto = b.funcProto(0, [{ name: 'a', type: pointer }]);
  const outer = b.struct('outer', 16, [
    { name: 'e', type: embedded, bits: 0 },
    { name: 'p', type: b.ptr(far), bits: 64 },
  ]);
  const original = Btf.decode(b.build());
  const companions = new Companions(original, new NameIndex(original));
  const modules = ['m0', 'm1'].map(name => ({
    name,
    entries: Uint32Array.of(proto, outer),
    named: Uint32Array.of(pointed),
  }));
  const roots: Root[] = [{ id: int, reason: 'keep', source: '' }];
  const shared = sharedRoots(original, modules, levelsOf(original, companions, roots), 'forward');
  t.deepEqual(
    shared.map(({ id }) => id),
    [proto, outer],
  );
  const levels = levelsOf(original, companions, [...roots, ...shared]);
  t.deepEqual(
    [pointed, embedded, far].map(id => levels[id]),
    [NAME_ONLY, WHOLE, NAME_ONLY],
  );
  t.deepEqual(sharedRoots(original, modules, levels, 'forward'), []);
});

test('what kfuncs, iterators, members and stubs of a module point to in vmlinux is whole in the base', t => {
  const b = new BtfBuilder();
  const int = b.int('int', 4);
  const named = (name: string): number => b.struct(name, 4, [{ name: 'x', type: int, bits: 0 }]);
  const [taken, returned, iterated, member, stub, notCalled, listed, far] = [
    ...['taken', 'returned', 'iterated', 'member', 'stub', 'notCalled', 'listed', 'far'].map(named),
  ];
  const toTaken = b.typedef('taken_p', b.ptr(b.const(taken)));
  const deep = b.ptr(b.ptr(far));
  const common = b.funcProto(0, [{ name: 's', type: b.ptr(stub) }]);
  const pointers = { iterated: b.ptr(iterated), member: b.ptr(member), notCalled: b.ptr(notCalled) };
  const m = new BtfBuilder({ base: b });
  const own = m.struct('own', 4, [{ name: 'x', type: int, bits: 0 }]);
  const kfunc = m.func(
    'bpf_demo',
    m.funcProto(m.ptr(returned), [
      { name: 'a', type: toTaken },
      { name: 'b', type: m.ptr(own) },
      { name: 'c', type: deep },
    ]),
  );
  const iterator = m.func('bpf_iter_demo', m.funcProto(int, [{ name: 'i', type: pointers.iterated }]));
  const ops = m.struct('demo_ops', 16, [
    { name: 'call', type: m.ptr(m.funcProto(int, [{ name: 'm', type: pointers.member }])), bits: 0 },
    { name: 'data', type: pointers.notCalled, bits: 64 },
  ]);
  const stubs = ['one', 'two'].map(name => m.func(name, common));
  const original = Btf.decode(b.build());
  const module = Btf.decode(m.build(), original);
  const seeds = [
    ...[kfunc, iterator, ...stubs].map(id => ({ id, why: `func ${module.name(id)}` })),
    { id: ops, why: 'struct_ops demo_ops', isOps: true },
    { id: listed, why: 'in .BTF_ids' },
  ];
  const found = pointeeRoots('demo', module, seeds);
  t.deepEqual(
    found.map(({ id, source }) => `${original.name(id)}, ${source}`),
    [
      'returned, demo: func bpf_demo',
      'taken, demo: func bpf_demo',
      'iterated, demo: func bpf_iter_demo',
      'stub, demo: func one',
      'member, demo: struct_ops demo_ops',
    ],
  );
  const needs = reach(module, seeds);
  const roots = [...neededRoots('demo', needs), ...found];
  const levels = levelsOf(original, new Companions(original, new NameIndex(original)), roots);
  t.deepEqual(
    [taken, returned, iterated, member, stub, notCalled, listed, far].map(id => levels[id]),
    [WHOLE, WHOLE, WHOLE, WHOLE, WHOLE, NAME_ONLY, WHOLE, NAME_ONLY],
  );
});

test('names of a .BTF.base: every type that the kernel would meet, and what vmlinux lacks', t => {
  const b = new BtfBuilder();
  const int = b.int('int', 4);
  const struct = b.struct('twice', 4, [{ name: 'x', type: int, bits: 0 }]);
  const union = b.union('twice', 8, [{ name: 'x', type: int, bits: 0 }]);
  b.typedef('twice', int);
  const wide = b.enum64('wide', 8, [{ name: 'A', value: 1n }]);
  const d = new BtfBuilder();
  d.struct('twice', 4, []);
  d.enum('wide', 8, []);
  d.int('int', 8);
  d.fwd('gone');
  const original = Btf.decode(b.build());
  const { roots, missing } = distilledRoots('demo', Btf.decode(d.build()), original, new NameIndex(original));
  t.deepEqual(
    roots.map(root => root.id),
    [struct, union, wide, int],
  );
  t.deepEqual(missing, ['int int', 'fwd gone']);
});

test('a report shows each module and their sum', t => {
  const count = (types: number, bytes: number) => ({ types, bytes });
  const report = {
    ...REPORT,
    modules: {
      mode: 'prune' as const,
      before: count(300, 12_000),
      after: count(30, 1_500),
      rows: [
        {
          name: 'kernel/net/a.ko',
          before: count(100, 5_000),
          after: count(10, 700),
          copied: 3,
          signature: 'made' as const,
        },
        {
          name: 'kernel/b_<x>.ko.xz',
          before: count(200, 7_000),
          after: count(20, 800),
          copied: 4,
          signature: 'none' as const,
        },
      ],
    },
  };
  const text = renderText(report);
  t.regex(text, /kernel\/net\/a\.ko +100 +5,000 +10 +700 +3 +made/);
  t.regex(text, /sum +300 +12,000 +30 +1,500 +7/);
  t.regex(text, /went from 12,000 to 1,500 bytes/);
  t.notRegex(text, /are refused by the split kernel/);
  t.regex(renderMarkdown(report), /\| kernel\/b\\_\\<x\\>\.ko\.xz \|/);
});
