import { readFileSync } from 'node:fs';
import test from 'ava';
import { Btf } from '../../plugin/btf/btf.js';
import { NameIndex } from '../../plugin/btf/names.js';
import { MemorySource } from '../../plugin/bytes/source.js';
import { ElfFile } from '../../plugin/elf/file.js';
import { Relocations } from '../../plugin/elf/relocations.js';
import { SystemMap } from '../../plugin/elf/system-map.js';
import { CodedError, type ErrorCode } from '../../plugin/errors.js';
import { type BtfIds, readBtfIds } from '../../plugin/roots/btf-ids.js';
import { readStructOps, type StructOps } from '../../plugin/roots/struct-ops.js';
import { ElfPatch } from '../support/elf-patch.js';
import { fixture } from '../support/fixtures.js';
import { haveBinutils, systemMapOf } from '../support/system-map.js';

const KERNEL = 'mips32-malta-be';
const path = fixture(`${KERNEL}/vmlinux`);
const original = readFileSync(path);
const opened = ElfFile.open(new MemorySource(original, 'original'));
const btf = Btf.decode(opened.data(opened.section('.BTF')));

function read(patch: ElfPatch, map: string): { ids: BtfIds | undefined; structOps: StructOps } {
  const elf = ElfFile.open(new MemorySource(patch.bytes, 'vmlinux'));
  const symbols = SystemMap.read(new MemorySource(Buffer.from(map, 'latin1'), 'System.map'), elf);
  return {
    ids: readBtfIds(elf, symbols, btf),
    structOps: readStructOps(elf, Relocations.read(elf), symbols, btf, new NameIndex(btf)),
  };
}

const SET = '__BTF_ID__set__noreturn_deny';
const place = (patch: ElfPatch, symbol: string): number => patch.offsetOf(patch.symbol(symbol).value);
const without = (map: string, name: string): string => map.replace(new RegExp(`^.* ${name}\\n`, 'm'), '');

/** One byte behind the set. */
function oddOf(map: string): string {
  const address = new RegExp(`^(\\w+) r ${SET}$`, 'm').exec(map)?.[1] ?? '';
  return (BigInt(`0x${address}`) + 1n).toString(16);
}

interface Damage {
  readonly what: string;
  readonly code: ErrorCode;
  readonly detail: RegExp;
  readonly patch?: (patch: ElfPatch) => unknown;
  readonly map?: (map: string) => string;
}

const DAMAGE: readonly Damage[] = [
  {
    what: 'a set that counts into the next one',
    code: 'btf-ids',
    detail: /^set noreturn_deny counts 7, up to the next symbol there is room for 6$/,
    patch: p => p.u32(place(p, SET), 7),
  },
  {
    what: 'a set that counts one too few',
    code: 'btf-ids',
    detail: /^set noreturn_deny counts 5, an id follows behind it$/,
    patch: p => p.u32(place(p, SET), 5),
  },
  {
    what: 'a set that counts 4,294,967,295',
    code: 'btf-ids',
    detail: /^set noreturn_deny counts 4294967295, up to/,
    patch: p => p.u32(place(p, SET), 0xffffffff),
  },
  {
    what: 'a set whose ids do not ascend',
    code: 'btf-ids',
    detail: /^set noreturn_deny is not sorted$/,
    patch: p => p.u32(place(p, SET) + 8, 1),
  },
  {
    what: 'a symbol of .BTF_ids somewhere else',
    code: 'btf-ids',
    detail: /^__BTF_ID__set__noreturn_deny lies outside the section$/,
    // At the end of the map, where all addresses are higher.
    map: map => `${without(map, SET)}ffffffffffff0000 r ${SET}\n`,
  },
  {
    what: 'a symbol between two words of .BTF_ids',
    code: 'btf-ids',
    detail: /^__BTF_ID__set__noreturn_deny lies outside the section$/,
    // Behind the label of the set, which has the same address: the words are four bytes apart.
    map: map => without(map, SET).replace(/^(.*) r noreturn_deny\n/m, `$&${oddOf(map)} r ${SET}\n`),
  },
  {
    what: 'no symbol of .BTF_ids',
    code: 'btf-ids',
    detail: /^no symbol names its words$/,
    map: map => map.replace(/^.* __BTF_ID__.*\n/gm, ''),
  },
  {
    what: 'no variable of a struct_ops',
    code: 'struct-ops',
    detail: /^no variable found for tcp_congestion_ops$/,
    map: map => without(map, 'bpf_tcp_congestion_ops'),
  },
  {
    what: 'no symbol at the table of stubs',
    code: 'struct-ops',
    detail: /^no variable found for tcp_congestion_ops$/,
    map: map => without(map, '__bpf_ops_tcp_congestion_ops'),
  },
  {
    what: 'a function where the table of stubs is',
    code: 'struct-ops',
    detail: /^no variable found for tcp_congestion_ops$/,
    map: map => map.replace(/^(\w+) \w (?=__bpf_ops_tcp_congestion_ops$)/m, '$1 t '),
  },
  {
    what: 'no symbol at a stub',
    code: 'struct-ops',
    detail: /^the stub of tcp_congestion_ops\.cong_avoid at 0x\w+ meets no symbol$/,
    map: map => without(map, 'bpf_tcp_ca_cong_avoid'),
  },
];

test('an undamaged map is taken', t => {
  if (!haveBinutils(t, KERNEL)) return;
  const { ids, structOps } = read(new ElfPatch(original), systemMapOf(KERNEL, path));
  t.true((ids?.roots.length ?? 0) > 500);
  t.deepEqual(structOps.names, ['bpf_dummy_ops', 'tcp_congestion_ops']);
});

for (const { what, code, detail, patch, map } of DAMAGE) {
  test(`refused: ${what}`, t => {
    if (!haveBinutils(t, KERNEL)) return;
    const damaged = new ElfPatch(original);
    patch?.(damaged);
    const text = systemMapOf(KERNEL, path);
    const changed = map?.(text) ?? text;
    if (map !== undefined) t.not(changed, text);
    const error = t.throws(() => read(damaged, changed), { instanceOf: CodedError });
    t.is(error?.code, code);
    t.regex(error?.detail ?? '', detail);
  });
}

test('zeros behind a set are no ids: alignment', t => {
  if (!haveBinutils(t, KERNEL)) return;
  const patch = new ElfPatch(original);
  const at = place(patch, SET);
  const ids = Array.from({ length: 6 }, (_, i) => patch.word(at + 4 + i * 4));
  t.true(ids.every(id => id > 0));
  // The last id and its symbol go.
  patch.u32(at, 5).u32(at + 24, 0);
  const map = systemMapOf(KERNEL, path);
  const last = (patch.symbol(SET).value + 24n).toString(16);
  const names = [...map.matchAll(new RegExp(`^\\w*${last} r (__BTF_ID__\\w+)$`, 'gm'))].map(([, name]) => name);
  t.is(names.length, 1);
  const [lastName] = names;
  // Sorted by id: which name the last word has is not told by its symbol. Take the one that the last id stands for.
  const wanted = `__BTF_ID__func__${btf.name(ids[5])}__`;
  const text = map
    .replace(new RegExp(`^.* ${lastName}\\n`, 'm'), '')
    .replace(new RegExp(` ${wanted}\\d+$`, 'm'), ` ${lastName}`);
  const { ids: found } = read(patch, text);
  const kept = found?.roots.filter(root => root.source === 'noreturn_deny').map(root => root.id);
  t.deepEqual(kept, ids.slice(0, 5));
});
