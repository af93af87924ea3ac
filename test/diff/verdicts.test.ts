import test from 'ava';
import { Btf } from '../../plugin/btf/btf.js';
import { KIND_DECL_TAG, KIND_STRUCT } from '../../plugin/btf/kinds.js';
import type { TypeChange, TypeDiff } from '../../plugin/diff/model.js';
import { diffTypes } from '../../plugin/diff/types.js';
import { changeWords } from '../../plugin/report/render/change-words.js';
import { BtfBuilder } from '../support/build-btf.js';

interface Common {
  readonly int: number;
  readonly u8: number;
}

type Add = (b: BtfBuilder, common: Common) => unknown;

function build(add: Add): Btf {
  const b = new BtfBuilder();
  add(b, { int: b.int('int', 4, { encoding: 1 }), u8: b.int('u8', 1) });
  return Btf.decode(b.build());
}

function diff(before: Add, after: Add): TypeDiff {
  return diffTypes({ btf: build(before) }, { btf: build(after) });
}

/** `verdict kind name: words`. */
function told({ types }: TypeDiff): string[] {
  return types.map(({ verdict, kind, name, changes, more }) => {
    const words = changeWords(changes, more ?? 0, true);
    return `${verdict} ${kind} ${name}${words === '' ? '' : `: ${words}`}`;
  });
}

function only({ types }: TypeDiff): TypeChange {
  if (types.length !== 1) throw new Error(`${types.length} types`);
  return types[0];
}

const struct =
  (size: number, ...members: readonly (readonly [name: string, bits: number, type?: 'u8'])[]): Add =>
  (b, { int, u8 }) =>
    b.struct(
      's',
      size,
      members.map(([name, bits, type]) => ({ name, bits, type: type === undefined ? int : u8 })),
    );

test('what is only on one side was added or removed', t => {
  const found = diff(
    b => b.fwd('old'),
    b => b.float('double', 8),
  );
  t.deepEqual(told(found).sort(), ['added float double', 'removed fwd old']);
  t.deepEqual(found.verdicts, { added: 1, removed: 1, grown: 0, shrunk: 0, changed: 0, moved: 0 });
  t.is(found.unchanged, 2);
  const [added] = found.types.filter(({ verdict }) => verdict === 'added');
  t.deepEqual(added.size, { before: 0, after: 8 });
  t.deepEqual(added.record, { before: 0, after: 12 });
  t.deepEqual(added.id, { before: 0, after: 3 });
  t.is(found.moved, undefined);
});

test('a struct that grew tells bytes of memory and of BTF, and its member', t => {
  const found = only(diff(struct(4, ['a', 0]), struct(8, ['a', 0], ['b', 32])));
  t.is(found.verdict, 'grown');
  t.deepEqual(found.size, { before: 4, after: 8 });
  t.deepEqual(found.record, { before: 24, after: 36 });
  t.deepEqual(found.changes, [{ what: 'added', of: 'member', name: 'b', after: 'int' }]);
});

test('members that went, moved or have another type', t => {
  t.deepEqual(told(diff(struct(8, ['a', 0], ['b', 32]), struct(4, ['b', 0, 'u8']))), [
    'shrunk struct s: member a removed (int); member b: int → u8; member b moved by -32 bits',
  ]);
  t.deepEqual(told(diff(struct(8, ['a', 0], ['b', 32]), struct(8, ['b', 0], ['a', 32]))), [
    'changed struct s: member a moved by +32 bits; member b moved by -32 bits',
  ]);
});

test('members that moved alike are told together', t => {
  const names = ['a', 'b', 'c'] as const;
  const at = (start: number): Add => struct(32, ...names.map((name, i) => [name, start + i * 32] as const));
  const [{ changes }] = diff(at(0), at(64)).types;
  t.is(changeWords(changes, 0, false), '3 members moved by +64 bits');
});

test('members of nameless structs are those of the struct around them', t => {
  const inner =
    (...names: readonly string[]): Add =>
    (b, { int }) => {
      const nameless = b.struct(
        '',
        names.length * 4,
        names.map((name, i) => ({ name, type: int, bits: i * 32 })),
      );
      b.struct('s', 16, [
        { name: 'first', type: int, bits: 0 },
        { name: '', type: nameless, bits: 32 },
      ]);
    };
  t.deepEqual(told(diff(inner('a'), inner('a', 'b'))), ['changed struct s: member b added (int)']);
});

test('bit fields, and the flag that says how offsets are written', t => {
  const fields =
    (width: number, flag: boolean): Add =>
    (b, { int }) =>
      b.struct('s', 4, [{ name: 'a', type: int, bits: 8, width }], flag);
  t.deepEqual(told(diff(fields(0, false), fields(0, true))), []);
  t.deepEqual(told(diff(fields(0, false), fields(3, true))), ['changed struct s: member a: int → int : 3']);
});

test('values of an enum', t => {
  const values =
    (...values: readonly (readonly [string, number])[]): Add =>
    b =>
      b.enum(
        'e',
        4,
        values.map(([name, value]) => ({ name, value: BigInt(value) })),
        true,
      );
  t.deepEqual(told(diff(values(['A', 0], ['B', 1], ['C', 2]), values(['A', 0], ['B', -1], ['D', 2]))), [
    'changed enum e: value C removed (2); value B: 1 → -1; value D added (2)',
  ]);
  t.deepEqual(told(diff(values(['A', 0], ['B', 1]), values(['B', 1], ['A', 0]))), [
    'changed enum e: the same values in another order or grouping',
  ]);
  const wide =
    (value: bigint): Add =>
    b =>
      b.enum64('w', 8, [{ name: 'A', value }]);
  t.deepEqual(told(diff(wide(1n << 40n), wide(1n << 41n))), [
    'changed enum64 w: value A: 1099511627776 → 2199023255552',
  ]);
});

test('a function with another prototype, or another linkage', t => {
  const func =
    (parameters: readonly string[], returns: 'int' | 'void', linkage = 0): Add =>
    (b, { int }) =>
      b.func(
        'f',
        b.funcProto(
          returns === 'int' ? int : 0,
          parameters.map(name => ({ name, type: int })),
        ),
        linkage,
      );
  t.deepEqual(told(diff(func(['a'], 'int'), func(['b', 'a'], 'void', 1))), [
    'changed func f: linkage: static → global; result: int → void; parameter b added (int)',
  ]);
  t.deepEqual(told(diff(func(['a'], 'int'), func(['a__nullable'], 'int'))), [
    'changed func f: parameter 1 renamed: a → a__nullable',
  ]);
});

test('what stands behind a pointer counts by its name', t => {
  const pointing =
    (to: string, size: number): Add =>
    (b, { int }) => {
      const target = b.struct(to, size, [{ name: 'x', type: int, bits: 0 }]);
      b.struct('s', 8, [{ name: 'p', type: b.const(b.ptr(b.const(target))), bits: 0 }]);
      b.typedef('t', b.ptr(b.array(target, int, 3)));
    };
  t.deepEqual(told(diff(pointing('x', 4), pointing('x', 8))), ['grown struct x']);
  t.deepEqual(told(diff(pointing('x', 4), pointing('y', 4))).sort(), [
    'added struct y',
    'changed struct s: member p: const struct x *const → const struct y *const',
    'changed typedef t: type: struct x (*)[3] → struct y (*)[3]',
    'removed struct x',
  ]);
});

test('a forward declaration is referred to as what it declares', t => {
  const found = diff(
    b => b.typedef('t', b.ptr(b.fwd('x'))),
    b => b.typedef('t', b.ptr(b.struct('x', 0, []))),
  );
  t.deepEqual(told(found).sort(), ['added struct x', 'removed fwd x']);
  t.deepEqual(
    told(
      diff(
        b => b.fwd('x'),
        b => b.fwd('x', true),
      ),
    ),
    ['changed fwd x: type: struct → union'],
  );
});

test('nameless types that changed within are told where they are used', t => {
  const callback =
    (deep: boolean): Add =>
    (b, { int, u8 }) =>
      b.var('v', b.ptr(b.struct('', 4, [{ name: 'a', type: deep ? u8 : int, bits: 0 }])));
  t.deepEqual(told(diff(callback(false), callback(true))), ['changed var v: type changed within struct {…} *']);
  t.deepEqual(
    told(
      diff(
        (b, { int }) => b.typedef('f', b.ptr(b.funcProto(int, [{ name: '', type: b.ptr(int) }]))),
        (b, { int }) => b.typedef('f', b.ptr(b.funcProto(int, [{ name: '', type: 0 }]))),
      ),
    ),
    ['changed typedef f: type: int (*)(int *) → int (*)(...)'],
  );
});

test('variables of a section, integers and variables', t => {
  const section =
    (...entries: readonly (readonly [string, number, number])[]): Add =>
    (b, { int }) =>
      b.datasec(
        '.data',
        64,
        entries.map(([name, offset, size]) => ({ type: b.var(name, int), offset, size })),
      );
  t.deepEqual(
    told(diff(section(['a', 0, 4], ['b', 4, 4]), section(['b', 8, 8]))).filter(line => line.includes('datasec')),
    ['changed datasec .data: variable a removed; variable b: 4 → 8 bytes; variable b moved by +4 bytes'],
  );
  t.deepEqual(
    told(
      diff(
        (b, { int }) => [b.int('i', 4), b.var('v', int)],
        (b, { u8 }) => [b.int('i', 4, { encoding: 1 }), b.var('v', u8, 1)],
      ),
    ).sort(),
    [
      'changed int i: encoding: unsigned, 32 bits → signed, 32 bits',
      'changed var v: linkage: static → global; type: int → u8',
    ],
  );
});

test('types of one name: those of one layout belong together, then the order counts', t => {
  const twice =
    (...sizes: readonly number[]): Add =>
    b => {
      for (const size of sizes) b.struct('s', size, []);
    };
  const found = diff(twice(8, 16, 24), twice(24, 4, 8, 32));
  t.deepEqual(
    found.types.map(({ verdict, size }) => [verdict, size?.before, size?.after]),
    [
      ['added', 0, 32],
      ['shrunk', 16, 4],
    ],
  );
  t.is(found.unchanged, 4);
});

test('a tag on something else is another tag', t => {
  const tagged =
    (name: string): Add =>
    (b, { int }) => {
      const ids = ['f', 'g'].map(each => b.func(each, b.funcProto(int, [])));
      b.declTag('bpf_kfunc', ids[name === 'f' ? 0 : 1]);
    };
  t.deepEqual(told(diff(tagged('f'), tagged('g'))).sort(), [
    'added decl_tag bpf_kfunc of func g',
    'removed decl_tag bpf_kfunc of func f',
  ]);
  const { types, bytes } = diffTypes({ btf: build(tagged('f')) }, { btf: build(tagged('g')) }, KIND_DECL_TAG);
  t.is(types.length, 2);
  t.deepEqual([bytes.up, bytes.down], [16, 16]);
});

test('between two splits types move, and what changed as well is told once', t => {
  const both = (size: number): Btf => build(b => [b.struct('a', 4, []), b.struct('b', size, []), b.fwd('c')]);
  const found = diffTypes({ btf: both(4), baseTypes: 3 }, { btf: both(8), baseTypes: 4 });
  t.deepEqual(
    found.types.map(({ verdict, name, side }) => [verdict, name, side]),
    [['grown', 'b', { before: 'rest', after: 'base' }]],
  );
  t.deepEqual(found.moved, { toBase: 1, toRest: 0 });
  const back = diffTypes({ btf: both(4), baseTypes: 5 }, { btf: both(4), baseTypes: 3 });
  t.deepEqual(told(back).sort(), ['moved fwd c', 'moved struct b']);
  t.deepEqual(back.moved, { toBase: 0, toRest: 2 });
  t.is(diffTypes({ btf: both(4), baseTypes: 3 }, { btf: both(4) }).moved, undefined);
});

test('limited to one kind, types and bytes are of that kind', t => {
  const found = diffTypes(
    { btf: build(b => [b.struct('s', 4, []), b.fwd('f')]) },
    { btf: build(b => [b.struct('t', 4, []), b.fwd('g')]) },
    KIND_STRUCT,
  );
  t.deepEqual(told(found), ['removed struct s', 'added struct t'].sort().reverse().sort());
  t.deepEqual(found.bytes, { before: 12, after: 12, up: 12, down: 12 });
});

test('strings that came and went, and padding', t => {
  const a = build(b => b.fwd('a_name'));
  const b = build(b => b.fwd('another_name'));
  const strings = diffTypes({ btf: a }, { btf: b }).parts.find(({ part }) => part === 'strings');
  t.deepEqual([strings?.up, strings?.down], ['another_name'.length + 1, 'a_name'.length + 1]);
  const padded = build(b => {
    b.fwd('a_name');
    b.ownString('never used');
  });
  const padding = diffTypes({ btf: a }, { btf: padded });
  t.deepEqual([padding.types.length, padding.bytes.up, padding.bytes.down], [0, 'never used'.length + 1, 0]);
});

test('of a module its own types are compared; those of the base count by name', t => {
  const moduleOn = (size: number, member: string): Btf => {
    const base = new BtfBuilder();
    const target = base.struct('in_base', size, []);
    const module = new BtfBuilder({ base });
    module.struct('own', 4, [{ name: member, type: module.ptr(target), bits: 0 }]);
    return Btf.decode(module.build(), Btf.decode(base.build()));
  };
  t.deepEqual(told(diffTypes({ btf: moduleOn(4, 'p') }, { btf: moduleOn(8, 'p') })), []);
  const found = diffTypes({ btf: moduleOn(4, 'p') }, { btf: moduleOn(8, 'q') });
  t.deepEqual(told(found), [
    'changed struct own: member p removed (struct in_base *); member q added (struct in_base *)',
  ]);
  t.deepEqual(only(found).id, { before: 3, after: 3 });
});

test('a struct with thousands of changes tells the first, and how many more there are', t => {
  const many =
    (prefix: string): Add =>
    (b, { int }) =>
      b.struct(
        's',
        4,
        Array.from({ length: 5000 }, (_, i) => ({ name: `${prefix}${i}`, type: int, bits: 0 })),
      );
  const found = only(diff(many('a'), many('b')));
  t.is(found.changes.length, 32);
  t.is(found.more, 10_000 - 32);
});
