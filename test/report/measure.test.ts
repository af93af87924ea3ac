import test from 'ava';
import fc from 'fast-check';
import { Btf } from '../../plugin/btf/btf.js';
import { kindName } from '../../plugin/btf/kinds.js';
import { NameIndex } from '../../plugin/btf/names.js';
import { attribute, largestTypes, measureKinds } from '../../plugin/report/measure.js';
import type { KindRow, ReasonRow, TypeRow } from '../../plugin/report/model.js';
import type { Root } from '../../plugin/roots/root.js';
import type { Closure } from '../../plugin/split/closure.js';
import { type Split, splitBtf } from '../../plugin/split/split.js';
import { kernelCase } from '../support/arbitrary-kernel-btf.js';
import { BtfBuilder } from '../support/build-btf.js';
import { withKernel } from '../support/kernel-roots.js';
import { KERNELS, SAMPLE_KERNELS } from '../support/kernels.js';
import { naiveParse } from '../support/naive-btf.js';

interface Measured {
  readonly btf: Btf;
  readonly split: Split;
  readonly closure: Closure;
}

function measured(btf: Btf, roots: readonly Root[]): Measured {
  const split = splitBtf(btf, new NameIndex(btf), roots);
  return { btf, split, closure: split.closure };
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

/** What is wrong with a table of reasons; empty when each byte and each type of the full BTF is counted once. */
function wrongReasons({ btf, closure, split }: Measured, rows: readonly ReasonRow[]): string[] {
  const wrong: string[] = [];
  const check = (what: string, one: number, other: number): void => {
    if (one !== other) wrong.push(`${what}: ${one}, not ${other}`);
  };
  const rest = rows.find(row => row.reason === 'rest');
  const kept = rows.filter(row => row.reason !== 'rest');
  check('bytes', sum(rows.map(row => row.bytes)), split.full.length);
  check('bytes of the base', sum(kept.map(row => row.bytes)), split.base.length);
  check('types', sum(rows.map(row => row.types)), btf.count);
  check('types of the rest', rest?.types ?? -1, btf.count - closure.types);
  check('type bytes', sum(rows.map(row => row.typeBytes)), btf.words.length * 4);
  check('string bytes', sum(rows.map(row => row.stringBytes)), naiveParse(split.full).strings.length);
  check('roots', sum(rows.map(row => row.roots)), closure.roots.length);
  for (const row of rows) if (row.reason !== 'header') check(row.reason, row.bytes, row.typeBytes + row.stringBytes);
  return wrong;
}

/** By kind, from one object a type. */
function naiveKinds({ btf, closure }: Measured): Map<string, Omit<KindRow, 'kind'>> {
  const rows = new Map<string, Omit<KindRow, 'kind'>>();
  const zero = { types: 0, bytes: 0 };
  for (let id = 1; id < btf.endId; id++) {
    const kind = kindName(btf.kind(id));
    const row = rows.get(kind) ?? { full: zero, base: zero, rest: zero };
    const side = closure.nearest[id] !== 0 ? 'base' : 'rest';
    const add = (part: 'full' | 'base' | 'rest') => ({
      types: row[part].types + 1,
      bytes: row[part].bytes + btf.recordBytes(id),
    });
    rows.set(kind, { ...row, full: add('full'), [side]: add(side) });
  }
  return rows;
}

function kindsAgree(made: Measured): boolean {
  const told = measureKinds(made.btf, made.closure);
  const naive = naiveKinds(made);
  return (
    told.length === naive.size &&
    told.every(({ kind, ...row }) => JSON.stringify(row) === JSON.stringify(naive.get(kind))) &&
    told.every(({ full }, i) => i === 0 || full.bytes <= told[i - 1].full.bytes)
  );
}

function naiveLargest({ btf, closure }: Measured): TypeRow[] {
  return Array.from({ length: btf.count }, (_, i) => i + 1)
    .sort((a, b) => btf.recordBytes(b) - btf.recordBytes(a) || a - b)
    .slice(0, 20)
    .map(id => ({
      id,
      kind: kindName(btf.kind(id)),
      name: btf.name(id),
      bytes: btf.recordBytes(id),
      side: closure.nearest[id] !== 0 ? 'base' : 'rest',
    }));
}

test('each byte of any BTF is attributed once, and kinds and largest types agree with a naive count', t => {
  fc.assert(
    fc.property(kernelCase, ({ bytes, roots }) => {
      const made = measured(Btf.decode(bytes), roots);
      const largest = largestTypes(made.btf, made.closure);
      return (
        wrongReasons(made, attribute(made.btf, made.closure, made.split.sizes)).length === 0 &&
        kindsAgree(made) &&
        JSON.stringify(largest) === JSON.stringify(naiveLargest(made))
      );
    }),
    { numRuns: 500 },
  );
  t.pass();
});

for (const name of KERNELS) {
  test(`each byte of the .BTF of ${name} is attributed once`, async t => {
    await withKernel(name, ({ btf }, { roots }) => {
      const made = measured(btf, roots);
      const rows = attribute(btf, made.closure, made.split.sizes);
      t.deepEqual(wrongReasons(made, rows), []);
      const reasons = ['kfunc', 'dtor', 'helper', 'map', 'iterator', 'ctx', 'struct_ops', 'stub'];
      for (const reason of SAMPLE_KERNELS[name].lean ? reasons : [...reasons, 'lsm'])
        t.true((rows.find(row => row.reason === reason)?.roots ?? 0) > 0, reason);
      t.true(kindsAgree(made));
      t.deepEqual(largestTypes(btf, made.closure), naiveLargest(made));
    });
  });
}

test('a type counts for its nearest root, a string for the first type of the base that names it', t => {
  const b = new BtfBuilder();
  const int = b.int('int', 4);
  const near = b.struct('near', 4, [{ name: 'int', type: int, bits: 0 }]);
  b.struct('rest', 4, [{ name: 'near', type: int, bits: 0 }]);
  b.string('nobody');
  const made = measured(Btf.decode(b.build()), [
    { id: near, reason: 'map', source: 'm' },
    { id: near, reason: 'keep', source: 'k' },
  ]);
  t.deepEqual(attribute(made.btf, made.closure, made.split.sizes), [
    { reason: 'map', roots: 1, types: 2, typeBytes: 40, stringBytes: 9, bytes: 49 },
    { reason: 'keep', roots: 1, types: 0, typeBytes: 0, stringBytes: 0, bytes: 0 },
    { reason: 'rest', roots: 0, types: 1, typeBytes: 24, stringBytes: 5, bytes: 29 },
    { reason: 'header', roots: 0, types: 0, typeBytes: 0, stringBytes: 1, bytes: 25 },
  ]);
});

test('bytes that are not accounted for are an error', t => {
  const { btf, closure, split } = measured(Btf.decode(new BtfBuilder().build()), []);
  const full = { ...split.sizes.full, bytes: 26 };
  t.throws(() => attribute(btf, closure, { ...split.sizes, full }), { message: /25 of 26 bytes are attributed/ });
});
