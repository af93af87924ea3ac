import { readFileSync } from 'node:fs';
import test from 'ava';
import { readBtfExt } from '../../plugin/bpf/btf-ext.js';
import { minimize } from '../../plugin/bpf/minimize.js';
import { needsOf } from '../../plugin/bpf/needs.js';
import { readBpfObject } from '../../plugin/bpf/object.js';
import { Btf } from '../../plugin/btf/btf.js';
import { NameIndex } from '../../plugin/btf/names.js';
import { MemorySource } from '../../plugin/bytes/source.js';
import { ElfFile } from '../../plugin/elf/file.js';
import { CodedError } from '../../plugin/errors.js';
import { PROGRAMS, programFile, TARGETS } from '../support/bpf.js';
import { BtfBuilder } from '../support/build-btf.js';

const core = readFileSync(programFile('core'));

function sectionsOf(bytes: Uint8Array): { btf: Btf; ext: Uint8Array; btfAt: number; extAt: number; extSize: number } {
  const elf = ElfFile.open(new MemorySource(bytes, 'core.o'));
  const [btf, ext] = [elf.section('.BTF'), elf.section('.BTF.ext')];
  return {
    btf: Btf.decode(elf.data(btf)),
    ext: elf.data(ext),
    btfAt: btf.offset,
    extAt: ext.offset,
    extSize: ext.size,
  };
}

/** A copy of .BTF.ext with one 32-bit word changed. */
function withWord(ext: Uint8Array, at: number, change: (old: number) => number): Uint8Array {
  const copy = Uint8Array.from(ext);
  const view = new DataView(copy.buffer);
  view.setUint32(at, change(view.getUint32(at, true)) >>> 0, true);
  return copy;
}

test('every number of .BTF.ext that lies is told with its place', t => {
  const { btf, ext } = sectionsOf(core);
  t.true(readBtfExt(ext, btf, 'little').length > 0);
  const view = new DataView(ext.buffer, ext.byteOffset);
  const header = view.getUint32(4, true);
  const relocations = header + view.getUint32(24, true);
  const lies: readonly [string, Uint8Array][] = [
    ['the magic', withWord(ext, 0, word => word ^ 1)],
    ['the version', withWord(ext, 0, word => word ^ 0x30000)],
    ['the flags', withWord(ext, 0, word => word ^ 0x1000000)],
    ['hdr_len of 4 GiB', withWord(ext, 4, () => -1)],
    ['hdr_len too short', withWord(ext, 4, () => 20)],
    ['func_info_off', withWord(ext, 8, () => 0xfffffff0)],
    ['func_info_off, not aligned', withWord(ext, 8, () => 2)],
    ['func_info_len', withWord(ext, 12, () => 0xfffffffc)],
    ['line_info_len', withWord(ext, 20, length => length + 4)],
    ['core_relo_off', withWord(ext, 24, offset => offset + 4)],
    ['core_relo_len', withWord(ext, 28, length => length - 4)],
    ['core_relo_len of 4', withWord(ext, 28, () => 4)],
    ['record size 0', withWord(ext, relocations, () => 0)],
    ['record size 18', withWord(ext, relocations, () => 18)],
    ['record size of 2 GiB', withWord(ext, relocations, () => 0x80000000)],
    ['a section name outside', withWord(ext, relocations + 4, () => 0x7fffffff)],
    ['no record', withWord(ext, relocations + 8, () => 0)],
    ['records that go on', withWord(ext, relocations + 8, count => count + 1)],
    ['4 G records', withWord(ext, relocations + 8, () => -1)],
    ['type id 0', withWord(ext, relocations + 16, () => 0)],
    ['a type id outside', withWord(ext, relocations + 16, () => btf.endId)],
    ['an access outside', withWord(ext, relocations + 20, () => -1)],
    ['nothing but a header', ext.subarray(0, 7)],
  ];
  for (const [what, bytes] of lies) {
    const error = t.throws(() => readBtfExt(bytes, btf, 'little'), { instanceOf: CodedError }, what);
    t.is(error.code, 'btf-ext', what);
    t.is(error.place.section, '.BTF.ext');
    t.true(Number(error.place.offset) >= 0);
  }
  t.throws(() => readBtfExt(ext, btf, 'big'), { instanceOf: CodedError });
});

test('records that are longer than what is known of them are read', t => {
  const { btf, ext } = sectionsOf(core);
  const groups = readBtfExt(ext, btf, 'little');
  const view = new DataView(ext.buffer, ext.byteOffset);
  const start = view.getUint32(4, true) + view.getUint32(24, true);
  const longer: number[] = [20];
  for (let at = start + 4; at < ext.length; ) {
    const count = view.getUint32(at + 4, true);
    longer.push(view.getUint32(at, true), count);
    for (let i = 0; i < count; i++)
      longer.push(...[0, 4, 8, 12].map(word => view.getUint32(at + 8 + i * 16 + word, true)), 0xdeadbeef);
    at += 8 + count * 16;
  }
  const bytes = new Uint8Array(start + longer.length * 4);
  bytes.set(ext.subarray(0, start));
  const out = new DataView(bytes.buffer);
  longer.forEach((word, i) => {
    out.setUint32(start + i * 4, word, true);
  });
  out.setUint32(28, longer.length * 4, true);
  t.deepEqual(readBtfExt(bytes, btf, 'little'), groups);
});

/** A kernel with some of the types that the programs ask for. */
function smallKernel(): Btf {
  const b = new BtfBuilder();
  const int = b.int('int', 4, { encoding: 1 });
  const task = b.struct('task_struct', 8, [
    { name: 'pid', type: int, bits: 0 },
    { name: 'tgid', type: int, bits: 32 },
  ]);
  b.func('vfs_read', b.funcProto(int, [{ name: 'task', type: b.ptr(task) }]));
  return Btf.decode(b.build());
}

test('of 2,400 damaged objects each is read or refused with a coded error, at once', t => {
  const kernel = smallKernel();
  const names = new NameIndex(kernel);
  let seed = 1;
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff;
    return Math.floor((seed / 0x80000000) * below);
  };
  const outcomes = new Map<string, number>();
  let slowest = 0;
  for (const program of PROGRAMS)
    for (const target of TARGETS) {
      const whole = readFileSync(programFile(program, target));
      const { btfAt, extAt, extSize } = sectionsOf(whole);
      for (let i = 0; i < 400; i++) {
        const bytes = Uint8Array.from(i % 10 === 0 ? whole.subarray(0, random(whole.length)) : whole);
        for (let change = 0; change <= random(3); change++) {
          // Mostly where types and relocations stand.
          const at = i % 3 === 0 ? random(bytes.length) : (i % 3 === 1 ? extAt : btfAt) + random(extSize);
          if (at < bytes.length) bytes[at] = i % 2 === 0 ? random(256) : bytes[at] ^ (1 << random(8));
        }
        const started = performance.now();
        let outcome = 'read';
        try {
          const object = readBpfObject(new MemorySource(bytes, 'x.o'));
          needsOf(object, kernel, names);
          minimize(kernel, [object]);
        } catch (error) {
          if (!(error instanceof CodedError)) throw error;
          outcome = error.code;
        }
        slowest = Math.max(slowest, performance.now() - started);
        outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      }
    }
  t.log(Object.fromEntries(outcomes), `slowest ${slowest.toFixed(0)} ms`);
  t.true((outcomes.get('read') ?? 0) > 100 && (outcomes.get('btf-ext') ?? 0) > 100);
  t.true(slowest < 1000);
});

test('types that lead to one another in more ways than can be counted are refused, not followed', t => {
  const local = sectionsOf(core).btf;
  t.true(local.count > 0);
  const b = new BtfBuilder();
  const int = b.int('int', 4);
  let inner = b.struct('', 4, [{ name: 'other', type: int, bits: 0 }]);
  for (let depth = 0; depth < 60; depth++)
    inner = b.struct('', 4, [
      { name: '', type: inner, bits: 0 },
      { name: '', type: inner, bits: 0 },
    ]);
  b.struct('task_struct', 4, [{ name: '', type: inner, bits: 0 }]);
  const endless = b.endId;
  b.struct('sk_buff', 4, [{ name: '', type: endless, bits: 0 }]);
  const kernel = Btf.decode(b.build());
  const object = readBpfObject(new MemorySource(core, 'core.o'));
  const started = performance.now();
  const { needs } = needsOf(object, kernel, new NameIndex(kernel));
  t.true(performance.now() - started < 2000);
  t.true(needs.find(({ name }) => name === 'task_struct')?.missing.includes('.pid'));
  t.deepEqual(needs.find(({ name }) => name === 'sk_buff')?.refused, ['types are nested too deep']);
  t.is(t.throws(() => minimize(kernel, [object]), { instanceOf: CodedError }).code, 'core-relocation');
});
