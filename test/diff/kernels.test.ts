import { readFileSync } from 'node:fs';
import test from 'ava';
import { Btf } from '../../plugin/btf/btf.js';
import { diffTypes } from '../../plugin/diff/types.js';
import { bpftoolRaw } from '../support/bpftool.js';
import { DEBIAN_BTF, debianBtf, haveDebianBtf } from '../support/debian-btf.js';
import { kernelBtf } from '../support/kernel-btf.js';
import { haveTool } from '../support/tools.js';

const OLD = 'armv7-virt/vmlinux';
const NEW = 'armv7-virt-7.2/vmlinux';
const NAMELESS = ['PTR', 'ARRAY', 'CONST', 'VOLATILE', 'RESTRICT', 'FUNC_PROTO', 'TYPE_TAG', 'DECL_TAG'];

/** How many types there are of each kind and name, and their sizes in the order of ids, from bpftool's dump. */
function countNames(dump: string): Map<string, number[]> {
  const counts = new Map<string, number[]>();
  for (const line of dump.split('\n')) {
    const match = /^\[\d+\] (\w+) '([^']*)'(?:.* size=(\d+))?/.exec(line);
    if (match === null || match[2] === '(anon)' || NAMELESS.includes(match[1])) continue;
    const key = `${match[1].toLowerCase()} ${match[2]}`;
    counts.set(key, [...(counts.get(key) ?? []), Number(match[3] ?? 0)]);
  }
  return counts;
}

test('between two kernels, what was added and removed is what bpftool lists on one side only', async t => {
  if (!haveTool(t, 'bpftool', 'bpftool')) return;
  const [was, is] = [kernelBtf(OLD), kernelBtf(NEW)];
  const dumps = await Promise.all([was, is].map(({ path }) => bpftoolRaw(path)));
  const [before, after] = dumps.map(({ text }) => countNames(text ?? ''));
  const { types, unchanged } = diffTypes({ btf: Btf.decode(was.bytes) }, { btf: Btf.decode(is.bytes) });
  const named = types.filter(({ kind }) => kind !== 'decl_tag');
  const expected = (one: Map<string, number[]>, other: Map<string, number[]>): string[] =>
    [...one].flatMap(([key, sizes]) =>
      Array.from({ length: Math.max(0, sizes.length - (other.get(key)?.length ?? 0)) }, () => key),
    );
  const found = (verdict: string): string[] =>
    named.filter(type => type.verdict === verdict).map(({ kind, name }) => `${kind} ${name}`);
  t.true(found('added').length > 1000 && found('removed').length > 1000);
  t.deepEqual(found('added').sort(), expected(after, before).sort());
  t.deepEqual(found('removed').sort(), expected(before, after).sort());

  // Sizes of those that are there once on each side.
  const grew = (by: (was: number, is: number) => boolean): string[] =>
    [...before]
      .filter(([key, sizes]) => {
        const now = after.get(key);
        return sizes.length === 1 && now?.length === 1 && by(sizes[0], now[0]);
      })
      .map(([key]) => key);
  const once = (verdict: string): string[] =>
    found(verdict).filter(key => before.get(key)?.length === 1 && after.get(key)?.length === 1);
  t.deepEqual(once('grown').sort(), grew((was, is) => is > was).sort());
  t.deepEqual(once('shrunk').sort(), grew((was, is) => is < was).sort());

  const total = [...before.values()].reduce((sum, { length }) => sum + length, 0);
  t.is(named.filter(({ verdict }) => verdict !== 'added').length + unchanged, total);
});

/** The text of each type of bpftool's dump that nothing refers on from: numbers of ids taken away. */
function enums(dump: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const [text, kind, name] of dump.matchAll(/^\[\d+\] (ENUM|ENUM64) '([^']+)'.*(?:\n\t.*)*/gm)) {
    const key = `${kind.toLowerCase()} ${name}`;
    found.set(key, found.has(key) ? 'several' : text.replace(/^\[\d+\]/, ''));
  }
  return found;
}

test('enums that are not the same are those that bpftool prints differently', async t => {
  if (!haveTool(t, 'bpftool', 'bpftool')) return;
  const [was, is] = [kernelBtf(OLD), kernelBtf(NEW)];
  const dumps = await Promise.all([was, is].map(({ path }) => bpftoolRaw(path)));
  const [before, after] = dumps.map(({ text }) => enums(text ?? ''));
  const { types } = diffTypes({ btf: Btf.decode(was.bytes) }, { btf: Btf.decode(is.bytes) });
  const told = new Set(
    types
      .filter(({ verdict }) => ['grown', 'shrunk', 'changed'].includes(verdict))
      .map(({ kind, name }) => `${kind} ${name}`),
  );
  let compared = 0;
  for (const [key, text] of before) {
    const other = after.get(key);
    if (other === undefined || other === 'several' || text === 'several') continue;
    compared++;
    t.is(told.has(key), text !== other, key);
  }
  t.true(compared > 300);
});

for (const name of DEBIAN_BTF)
  test(`a kernel of Debian does not differ from itself: ${name}`, t => {
    if (!haveDebianBtf(t, name)) return;
    const bytes = readFileSync(debianBtf(name));
    const found = diffTypes({ btf: Btf.decode(bytes) }, { btf: Btf.decode(Uint8Array.from(bytes)) });
    t.deepEqual(found.types, []);
    t.deepEqual([found.bytes.up, found.bytes.down], [0, 0]);
    t.true(found.parts.length > 10);
  });
