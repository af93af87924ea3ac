import test from 'ava';
import fc from 'fast-check';
import { Btf } from '../../plugin/btf/btf.js';
import * as kinds from '../../plugin/btf/kinds.js';
import { NameIndex } from '../../plugin/btf/names.js';
import type { Root } from '../../plugin/roots/root.js';
import { splitBtf } from '../../plugin/split/split.js';
import { type KernelCase, kernelCase, pointerCase } from '../support/arbitrary-kernel-btf.js';
import { BtfBuilder } from '../support/build-btf.js';
import { type NaiveBtf, type NaiveType, naiveParse } from '../support/naive-btf.js';
import { belongTogether } from '../support/naive-closure.js';

const STRUCTS: readonly number[] = [kinds.KIND_STRUCT, kinds.KIND_UNION];
const MODIFIERS: readonly number[] = [kinds.KIND_CONST, kinds.KIND_VOLATILE, kinds.KIND_RESTRICT, kinds.KIND_TYPE_TAG];
const LINKS: readonly number[] = [...MODIFIERS, kinds.KIND_PTR, kinds.KIND_ARRAY, kinds.KIND_FUNC_PROTO];

const anyCase = fc.oneof(kernelCase, pointerCase);

interface Made {
  readonly original: NaiveBtf;
  readonly base: NaiveBtf;
  readonly rest: NaiveBtf;
  readonly idOf: Uint32Array;
}

function forward({ bytes, roots }: KernelCase): Made {
  const btf = Btf.decode(bytes);
  const split = splitBtf(btf, new NameIndex(btf), roots, undefined, 'forward');
  const base = naiveParse(split.paddedBase);
  return { original: naiveParse(bytes), base, rest: naiveParse(split.rest, base), idOf: split.idOf };
}

/** Relaxes until nothing changes; for small BTFs. What must be whole in the base, and what must at least be named there. */
function naiveNeeds(btf: NaiveBtf, roots: readonly Root[]): { whole: Set<number>; named: Set<number> } {
  const at = (id: number): NaiveType => btf.types[id - 1];
  const throughModifiers = (id: number, also: readonly number[] = []): number => {
    for (let steps = 0; steps < 300; steps++) {
      if (id === 0 || ![...MODIFIERS, ...also].includes(at(id).kind)) return id;
      id = at(id).refs[0];
    }
    return 0;
  };
  const pointees = (proto: number): number[] => {
    if (proto === 0 || at(proto).kind !== kinds.KIND_FUNC_PROTO) return [];
    return at(proto).refs.flatMap(ref => {
      const pointer = throughModifiers(ref, [kinds.KIND_TYPEDEF]);
      if (pointer === 0 || at(pointer).kind !== kinds.KIND_PTR) return [];
      const target = throughModifiers(at(pointer).refs[0], [kinds.KIND_TYPEDEF]);
      return target !== 0 && STRUCTS.includes(at(target).kind) ? [target] : [];
    });
  };
  const whole = new Set<number>();
  const named = new Set<number>();
  for (const { id, reason } of roots) {
    whole.add(id);
    const { kind, refs } = at(id);
    if (kind === kinds.KIND_FUNC) {
      const found = pointees(refs[0]);
      if (['stub', 'iterator'].includes(reason)) for (const one of found) whole.add(one);
      if (reason === 'kfunc') for (const one of found) if (at(one).name.startsWith('bpf_iter_')) whole.add(one);
    }
    if (kind === kinds.KIND_STRUCT && reason === 'struct_ops')
      for (const ref of refs) {
        const pointer = throughModifiers(ref, [kinds.KIND_TYPEDEF]);
        if (pointer === 0 || at(pointer).kind !== kinds.KIND_PTR) continue;
        for (const one of pointees(throughModifiers(at(pointer).refs[0], [kinds.KIND_TYPEDEF]))) whole.add(one);
      }
  }
  for (let size = -1; size !== whole.size + named.size; ) {
    size = whole.size + named.size;
    for (const id of named) {
      const { kind, name, refs } = at(id);
      if (MODIFIERS.includes(kind)) {
        if (refs[0] !== 0) named.add(refs[0]);
      } else if (!STRUCTS.includes(kind) || name === '') whole.add(id);
    }
    for (const id of whole) {
      const { kind, refs } = at(id);
      for (const ref of refs) if (ref !== 0) (kind === kinds.KIND_PTR ? named : whole).add(ref);
      for (const [i, other] of btf.types.entries()) {
        const dataOf = (a: NaiveType, b: number): boolean => a.kind === kinds.KIND_DATASEC && a.refs.includes(b);
        if (belongTogether(at(id), other) || dataOf(other, id) || dataOf(at(id), i + 1)) whole.add(i + 1);
      }
    }
  }
  for (const [i, { kind, refs }] of btf.types.entries())
    if (kind === kinds.KIND_DECL_TAG && whole.has(refs[0])) whole.add(i + 1);
  return { whole, named };
}

/** A type as text, with what it leads to; a named struct, union or typedef by its name alone, a FWD as what it stands for. */
function describe(all: readonly NaiveType[], id: number, depth = 0): string {
  if (id === 0) return 'void';
  const { kind, flag, name, refs } = all[id - 1];
  if (kind === kinds.KIND_FWD) return `${flag ? 'union' : 'struct'} ${name}`;
  if (depth > 3) return `${kinds.kindName(kind)} ${name}`;
  if (depth > 0 && STRUCTS.includes(kind) && name !== '') return `${kinds.kindName(kind)} ${name}`;
  if (depth > 0 && kind === kinds.KIND_TYPEDEF) return `typedef ${name}`;
  const { vlen, names, plain } = all[id - 1];
  return `${kinds.kindName(kind)} ${name} ${flag} ${vlen} ${names} ${plain} (${refs.map(ref => describe(all, ref, depth + 1))})`;
}

const joined = ({ base, rest }: Made): NaiveType[] => [...base.types, ...rest.types];
const sorted = (texts: readonly string[]): string => [...texts].sort().join('\n');

test('the base holds what is needed whole, and a FWD for each struct that is only pointed to', t => {
  let forwards = 0;
  fc.assert(
    fc.property(anyCase, input => {
      const { original, base } = forward(input);
      const { whole, named } = naiveNeeds(original, input.roots);
      const text = (id: number): string => `${original.types[id - 1].kind} ${original.types[id - 1].name}`;
      const wanted = [...named].filter(id => !whole.has(id));
      const isForward = (id: number): boolean => STRUCTS.includes(original.types[id - 1].kind);
      const flag = (id: number): boolean => original.types[id - 1].kind === kinds.KIND_UNION;
      forwards += wanted.filter(isForward).length;
      return (
        sorted(base.types.map(({ kind, name, flag }) => `${kind} ${name}${kind === kinds.KIND_FWD ? flag : ''}`)) ===
        sorted([
          ...[...whole].map(
            id => text(id) + (original.types[id - 1].kind === kinds.KIND_FWD ? original.types[id - 1].flag : ''),
          ),
          ...wanted.filter(id => !isForward(id)).map(id => text(id)),
          ...wanted.filter(isForward).map(id => `${kinds.KIND_FWD} ${original.types[id - 1].name}${flag(id)}`),
        ])
      );
    }),
    { numRuns: 400 },
  );
  t.true(forwards > 100, `${forwards} FWDs were met`);
});

test('every definition of the input stands once over base and rest, and says the same', t => {
  fc.assert(
    fc.property(anyCase, input => {
      const made = forward(input);
      const all = joined(made);
      const { types } = made.original;
      const seen = types.map((_, i) => describe(types, i + 1));
      const own = (type: NaiveType): boolean => !LINKS.includes(type.kind) && type.kind !== kinds.KIND_FWD;
      const texts = (list: readonly NaiveType[]): string =>
        sorted(list.flatMap((type, i) => (own(type) ? [describe(list, i + 1)] : [])));
      return texts(types) === texts(all) && types.every((_, i) => describe(all, made.idOf[i + 1]) === seen[i]);
    }),
    { numRuns: 400 },
  );
  t.pass();
});

test('from the rest, nameless types lead to definitions and never to a FWD that the input had not', t => {
  fc.assert(
    fc.property(anyCase, input => {
      const made = forward(input);
      const all = joined(made);
      const old = new Set(made.original.types.filter(({ kind }) => kind === kinds.KIND_FWD).map(({ name }) => name));
      const defined = new Set(
        all.filter(({ kind }) => STRUCTS.includes(kind)).map(({ kind, name }) => `${kind} ${name}`),
      );
      const met = new Set<number>();
      const reach = (id: number): boolean => {
        if (id === 0 || met.has(id)) return true;
        met.add(id);
        const { kind, name, flag, refs } = all[id - 1];
        if (kind === kinds.KIND_FWD)
          return old.has(name) || !defined.has(`${flag ? kinds.KIND_UNION : kinds.KIND_STRUCT} ${name}`);
        return !LINKS.includes(kind) || refs.every(reach);
      };
      return made.rest.types.every(type => type.refs.every(reach));
    }),
    { numRuns: 400 },
  );
  t.pass();
});

/** void f(struct pointed *, struct iter *) over sorted types, as Linux 7 wants them: nameless first, then by name. */
function example(): { bytes: Uint8Array; func: number } {
  const b = new BtfBuilder();
  const [pointer, iterPointer, constant, constPointer, proto] = [1, 2, 3, 4, 5];
  const [iter, callback, func, int, pointed] = [6, 7, 8, 9, 10];
  b.ptr(pointed);
  b.ptr(iter);
  b.const(pointed);
  b.ptr(constant);
  b.funcProto(0, [
    { name: 'p', type: pointer },
    { name: 'it', type: iterPointer },
  ]);
  b.struct('bpf_iter_x', 4, [{ name: 'left', type: int, bits: 0 }]);
  b.typedef('callback', pointer);
  b.func('f', proto);
  b.int('int', 4);
  b.struct('pointed', 8, [
    { name: 'next', type: pointer, bits: 0 },
    { name: 'twin', type: constPointer, bits: 32 },
  ]);
  b.struct('used', 4, [{ name: 'cb', type: callback, bits: 0 }]);
  return { bytes: b.build(), func };
}

test('an example: a kfunc, what it points to, and an iterator’s argument', t => {
  const { bytes, func } = example();
  const { base, rest } = forward({ bytes, roots: [{ id: func, reason: 'kfunc', source: 'set' }] });
  const names = ({ types }: NaiveBtf): string[] =>
    types.map(({ kind, name }) => `${kinds.kindName(kind)} ${name}`.trim());
  t.deepEqual(names(base), ['ptr', 'ptr', 'func_proto', 'struct bpf_iter_x', 'func f', 'int int', 'fwd pointed']);
  // The pointer to `pointed` stands twice: the base's leads to the FWD, the rest's to the definition.
  t.deepEqual(names(rest), ['ptr', 'const', 'ptr', 'typedef callback', 'struct pointed', 'struct used']);
  t.deepEqual(base.types[0].refs, [7]);
  t.deepEqual(rest.types[0].refs, [12]);
  t.deepEqual(rest.types[4].refs, [8, 10]);
  for (const side of [base, rest]) {
    const order = side.types.map(({ name }) => name);
    t.deepEqual(order, [...order].sort());
  }
});
