import assert from 'node:assert';
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import fc from 'fast-check';
import { Btf } from '../../plugin/btf/btf.js';
import { kindName, ROLE_STRING, ROLE_TYPE } from '../../plugin/btf/kinds.js';
import { DuplicateFinder, type Duplicates } from '../../plugin/modules/duplicates.js';
import { runSplit } from '../../plugin/pipeline/split.js';
import { arbitraryBtf } from '../support/arbitrary-btf.js';
import { BtfBuilder } from '../support/build-btf.js';
import { fixture } from '../support/fixtures.js';
import { INSTALLED, moduleFolder } from '../support/module-folder.js';
import { scratchFolder } from '../support/scratch.js';

const folder = scratchFolder(test, 'duplicates');

/** The same by spelling every type out, own references to the given depth. */
function naive(modules: readonly Btf[], depth: number): Pick<Duplicates, 'types' | 'bytes'> {
  const counts = new Map<string, { modules: number; bytes: number }>();
  for (const btf of modules) {
    const spelled = new Map<string, number>();
    for (let id = btf.firstId; id < btf.endId; id++) {
      const text = spell(btf, id, depth);
      if (!spelled.has(text)) spelled.set(text, id);
    }
    for (const [text, id] of spelled) {
      const bytes = (btf.starts[id - btf.firstId + 1] - btf.starts[id - btf.firstId]) * 4;
      const count = counts.get(text) ?? { modules: 0, bytes };
      count.modules++;
      counts.set(text, count);
    }
  }
  const several = [...counts.values()].filter(({ modules }) => modules > 1);
  return {
    types: several.reduce((sum, { modules }) => sum + modules - 1, 0),
    bytes: several.reduce((sum, { modules, bytes }) => sum + (modules - 1) * bytes, 0),
  };
}

function spell(btf: Btf, id: number, depth: number): string {
  if (id < btf.firstId) return `#${id}`;
  if (depth < 0) return '…';
  const from = btf.starts[id - btf.firstId];
  const words = [];
  for (let at = from; at < btf.starts[id - btf.firstId + 1]; at++) {
    const word = btf.words[at];
    if (btf.roles[at] === ROLE_STRING) words.push(`"${btf.string(word)}"`);
    else words.push(btf.roles[at] === ROLE_TYPE ? spell(btf, word, depth - 1) : String(word));
  }
  return `${kindName(btf.kind(id))}(${words.join(' ')})`;
}

function found(modules: readonly Btf[], distilled = false): Duplicates {
  const finder = new DuplicateFinder();
  for (const btf of modules) finder.add(btf, distilled);
  return finder.found();
}

test('what several modules have is what spelling every type out tells', t => {
  fc.assert(
    fc.property(fc.array(arbitraryBtf, { minLength: 1, maxLength: 3 }), drafts => {
      const some = drafts.map(({ bytes, base }) => Btf.decode(bytes, base && Btf.decode(base)));
      // Two of them once more: types that happen to be the same are rare.
      const modules = [...some, ...some.slice(0, 2)];
      const { types, bytes } = found(modules);
      assert.deepEqual({ types, bytes }, naive(modules, 4));
    }),
    { numRuns: 300 },
  );
  t.pass();
});

/** A module with `struct list { struct list *next; u32 value; }`, whose types stand behind others. */
function module(base: BtfBuilder, before: number, value: string): Btf {
  const own = new BtfBuilder({ base });
  for (let i = 0; i < before; i++) own.int(`filler_${value}_${i}`, 4);
  const struct = own.ptr(0) + 1;
  const pointer = struct + 1;
  own.struct('list', 8, [
    { name: 'next', type: pointer, bits: 0 },
    { name: value, type: 1, bits: 32 },
  ]);
  own.ptr(struct);
  return Btf.decode(own.build(), Btf.decode(base.build()));
}

test('a type that leads to itself counts in any place of a module, and not with another member', t => {
  const base = new BtfBuilder();
  base.int('u32', 4);
  const { types, bytes, rows } = found([module(base, 0, 'value'), module(base, 3, 'value'), module(base, 1, 'other')]);
  // `void *` is in all three; the struct and its pointer in two.
  t.deepEqual(
    rows.map(({ kind, name, modules, bytes }) => [kind, name, modules, bytes]),
    [
      ['struct', 'list', 2, 36],
      ['ptr', '', 3, 24],
      ['ptr', '', 2, 12],
    ],
  );
  t.deepEqual({ types, bytes }, { types: 4, bytes: 72 });
});

test('ids of a distilled base are told by name: they mean nothing to other modules', t => {
  const distilled = (...names: readonly string[]): Btf => {
    const base = new BtfBuilder();
    for (const name of names) base.struct(name, 4, []);
    const own = new BtfBuilder({ base });
    own.ptr(names.indexOf('sock') + 1);
    return Btf.decode(own.build(), Btf.decode(base.build()));
  };
  const modules = [distilled('sock'), distilled('sk_buff', 'sock')];
  t.is(found(modules, true).types, 1);
  t.is(found(modules).types, 0);
});

test('a split and its report know of the types that two modules have', async t => {
  const modules = moduleFolder(join(folder, 'modules'), 'armv7-virt');
  copyFileSync(join(modules, INSTALLED['dummy.ko']), join(modules, 'kernel', 'again.ko'));
  const { modules: report } = await runSplit({
    file: fixture('armv7-virt/vmlinux'),
    out: join(folder, 'out'),
    modules,
    compressors: [],
  });
  const dummy = report?.rows.find(({ name }) => name.endsWith('dummy.ko'));
  // All types of one module are in the other, and nothing else is.
  t.true((dummy?.after.types ?? 0) > 3);
  t.is(report?.duplicates?.types, dummy?.after.types);
  t.true((report?.duplicates?.bytes ?? 0) > 0 && (report?.duplicates?.bytes ?? 0) < (dummy?.after.bytes ?? 0));
});
