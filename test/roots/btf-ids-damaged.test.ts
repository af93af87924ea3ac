import { readFileSync } from 'node:fs';
import test from 'ava';
import { Btf } from '../../plugin/btf/btf.js';
import { MemorySource } from '../../plugin/bytes/source.js';
import { ElfFile } from '../../plugin/elf/file.js';
import { SymbolTable } from '../../plugin/elf/symbols.js';
import { CodedError } from '../../plugin/errors.js';
import { type BtfIds, readBtfIds } from '../../plugin/roots/btf-ids.js';
import { ElfPatch } from '../support/elf-patch.js';
import { fixture } from '../support/fixtures.js';

const original = readFileSync(fixture('mips32-malta-be/vmlinux'));
const opened = ElfFile.open(new MemorySource(original, 'original'));
const btf = Btf.decode(opened.data(opened.section('.BTF')));

function read(patch: ElfPatch, types = btf): BtfIds | undefined {
  const elf = ElfFile.open(new MemorySource(patch.bytes, 'vmlinux'));
  return readBtfIds(elf, SymbolTable.read(elf), types);
}

/** Offset of a symbol's word in the file. */
const place = (patch: ElfPatch, symbol: string): number => patch.offsetOf(patch.symbol(symbol).value);

const SET = '__BTF_ID__set__noreturn_deny';

const DAMAGE: readonly (readonly [what: string, detail: RegExp, damage: (patch: ElfPatch) => unknown])[] = [
  [
    'a set that counts more than its symbol has room for',
    /counts 7, its symbol has room for 6/,
    patch => patch.u32(place(patch, SET), 7),
  ],
  [
    'a set whose ids do not ascend',
    /set noreturn_deny is not sorted/,
    patch => {
      const at = place(patch, SET) + 4;
      const first = patch.word(at);
      return patch.u32(at, patch.word(at + 4)).u32(at + 4, first);
    },
  ],
  [
    'a set with a type that it does not name',
    /id 1 is \w+:.*, which set noreturn_deny does not name/,
    patch => patch.u32(place(patch, SET) + 4, 1),
  ],
  [
    'an id beyond the last type',
    /type id 4294967295, the last is 56690/,
    patch => patch.u32(patch.offsetOf(patch.symbolLike(/^__BTF_ID__struct__bpf_ctx_convert__\d+$/).value), 0xffffffff),
  ],
  [
    'an id that is another type than its symbol says',
    /its symbol says struct:bpf_ctx_convert/,
    patch => patch.u32(patch.offsetOf(patch.symbolLike(/^__BTF_ID__struct__bpf_ctx_convert__\d+$/).value), 1),
  ],
  [
    'a symbol of no known form',
    /is of no known form/,
    patch => patch.symbolName(patch.symbolLike(/^__BTF_ID__struct__bpf_ctx_convert__\d+$/), '__BTF_ID__strukt'),
  ],
  [
    'a symbol between two words',
    /lies outside the section/,
    patch => patch.symbolField(patch.symbol(SET), 'value', Number(patch.symbol(SET).value) + 2),
  ],
  [
    'a symbol behind the section',
    /lies outside the section/,
    patch => patch.symbolField(patch.symbol(SET), 'value', Number(patch.symbol(SET).value) + 0x100000),
  ],
  [
    'a set of no size',
    /set noreturn_deny has a size of 0 bytes/,
    patch => patch.symbolField(patch.symbol(SET), 'size', 0),
  ],
  [
    'a set that leaves the section',
    /set noreturn_deny has a size of 1048576 bytes/,
    patch => patch.symbolField(patch.symbol(SET), 'size', 0x100000),
  ],
];

for (const [what, detail, damage] of DAMAGE) {
  test(`refused: ${what}`, t => {
    const patch = new ElfPatch(original);
    damage(patch);
    const error = t.throws(() => read(patch), { instanceOf: CodedError });
    t.is(error?.code, 'btf-ids');
    t.regex(error?.detail ?? '', detail);
    t.is(error?.place.section, '.BTF_ids');
  });
}

test('refused: ids of another build, whose BTF has other types', t => {
  const mips = read(new ElfPatch(original));
  t.true((mips?.roots.length ?? 0) > 500);
  const elf = ElfFile.open(new MemorySource(readFileSync(fixture('armv7-virt/vmlinux')), 'other'));
  const other = Btf.decode(elf.data(elf.section('.BTF')));
  t.is(t.throws(() => read(new ElfPatch(original), other), { instanceOf: CodedError })?.code, 'btf-ids');
});

test('an id that was left at 0 is unresolved, not an error', t => {
  const patch = new ElfPatch(original);
  patch.u32(patch.offsetOf(patch.symbolLike(/^__BTF_ID__struct__bpf_ctx_convert__\d+$/).value), 0);
  t.deepEqual(read(patch)?.unresolved.toSorted(), ['struct:bpf_crypto_ctx', 'struct:bpf_ctx_convert']);
});

test('a kernel without the section has no ids', t => {
  const patch = new ElfPatch(original);
  const { offset } = patch.section('.shstrtab');
  const name = patch.headerField('.BTF_ids', 'name');
  patch.bytes.write('.none_ids', offset + name, 'latin1');
  t.is(read(patch), undefined);
});
