import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { MemorySource } from '../../plugin/bytes/source.js';
import { CodedError } from '../../plugin/errors.js';
import { overlay, proveUntouched, remapIds } from '../../plugin/image/image.js';
import { readelfHeader, readelfSections, readelfSymbols } from '../elf/readelf.js';
import { bpftoolRaw } from '../support/bpftool.js';
import { KERNELS } from '../support/kernels.js';
import { scratchFolder } from '../support/scratch.js';
import { type SplitKernel, splitKernel } from '../support/split-kernel.js';
import { haveTool } from '../support/tools.js';

const folder = scratchFolder(test, 'image');
const MIB = 1 << 20;

interface Range {
  readonly start: number;
  readonly end: number;
  readonly address: bigint;
}

/** Where readelf says that a section's bytes stand in the file. */
function rangeOf(path: string, name: string): Range {
  const line = readelfSections(path)
    .map(text => text.split(' '))
    .find(words => words[1] === name);
  if (line === undefined) throw new Error(`${path} has no ${name}`);
  const [, , , address, offset, size] = line;
  return { start: Number(offset), end: Number(offset) + Number(size), address: BigInt(address) };
}

/** How many differing bytes lie in each range, and how many elsewhere, as cmp lists them (offsets from 1). */
function countDifferences(before: string, after: string, ranges: readonly Range[]): number[] {
  const tests = ranges.map(({ start, end }, i) => `$1 > ${start} && $1 <= ${end} { n[${i}]++; next }`).join(' ');
  const print = [...ranges, undefined].map((_, i) => `n[${i}] + 0`).join(', ');
  const script = `cmp -l "$0" "$1" | awk '${tests} { n[${ranges.length}]++ } END { print ${print} }'`;
  return execFileSync('bash', ['-c', script, before, after], { encoding: 'utf8' }).trim().split(' ').map(Number);
}

/** `KIND 'name'` by type id, as bpftool dumps a BTF. */
async function namesOf(path: string): Promise<string[]> {
  const names: string[] = [];
  const { text = '' } = await bpftoolRaw(path);
  for (const [, id, name] of text.matchAll(/^\[(\d+)\] (\w+ '[^']*')/gm)) names[Number(id)] = name;
  return names;
}

/** Name, offset in `.BTF_ids` and size of each `__BTF_ID__` symbol, as readelf lists them. */
function idSymbols(path: string, address: bigint): { name: string; offset: number; size: number }[] {
  return (readelfSymbols(path) ?? [])
    .map(line => line.split(' '))
    .filter(words => words.at(-1)?.startsWith('__BTF_ID__'))
    .map(words => ({ name: words.at(-1) ?? '', offset: Number(BigInt(words[1]) - address), size: Number(words[2]) }));
}

for (const kernel of KERNELS) {
  let split: SplitKernel;
  let image = '';
  test.before(async () => {
    split = await splitKernel(kernel, folder);
    image = join(split.out, 'vmlinux');
  });

  test(`cmp finds no changed byte outside .BTF and .BTF_ids: ${kernel}`, t => {
    if (!haveTool(t, 'cmp', 'diffutils') || !haveTool(t, 'readelf', 'binutils')) return;
    const ranges = [rangeOf(split.vmlinux, '.BTF'), rangeOf(split.vmlinux, '.BTF_ids')];
    const [types, ids, elsewhere] = countDifferences(split.vmlinux, image, ranges);
    t.true(types > 1000, 'types changed');
    t.true(ids > 100, 'ids changed');
    t.is(elsewhere, 0);
    t.deepEqual(readelfHeader(image), readelfHeader(split.vmlinux));
    t.deepEqual(readelfSections(image), readelfSections(split.vmlinux));
  });

  test(`.BTF of the image is base.btf: ${kernel}`, t => {
    const { start, end } = rangeOf(image, '.BTF');
    t.true(
      readFileSync(image)
        .subarray(start, end)
        .equals(readFileSync(join(split.out, 'base.btf'))),
    );
  });

  test(`each id in .BTF_ids names the type that it named, and the sets are sorted: ${kernel}`, async t => {
    if (!haveTool(t, 'bpftool', 'bpftool') || !haveTool(t, 'readelf', 'binutils')) return;
    const { start, address } = rangeOf(image, '.BTF_ids');
    const little = readelfHeader(image).order === 'little';
    const [before, after] = [split.vmlinux, image].map(path => readFileSync(path).subarray(start));
    const word = (bytes: Buffer, at: number): number => (little ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at));
    const [oldNames, newNames] = await Promise.all([namesOf(split.vmlinux), namesOf(join(split.out, 'base.btf'))]);
    const checked = { ids: 0, sets: 0 };
    const same = (name: string, at: number): void => {
      const [was, is] = [word(before, at), word(after, at)];
      checked.ids++;
      if (was === 0) t.is(is, 0, name);
      else if (oldNames[was] === undefined || oldNames[was] !== newNames[is]) t.fail(`${name}: ${was} became ${is}`);
    };
    for (const { name, offset, size } of idSymbols(image, address)) {
      const set = /^__BTF_ID__set(8?)__/.exec(name);
      if (set === null) {
        same(name, offset);
        continue;
      }
      checked.sets++;
      const stride = set[1] === '8' ? 8 : 4;
      t.is(word(after, offset), size / stride - 1, `${name} counts its ids`);
      t.is(word(after, offset), word(before, offset));
      let last = 0;
      for (let at = offset + stride; at < offset + size; at += stride) {
        same(name, at);
        if (stride === 8) t.is(word(after, at + 4), word(before, at + 4), 'flags stay');
        t.true(word(after, at) >= last, `${name} is sorted`);
        last = word(after, at);
      }
    }
    t.true(checked.ids > 300 && checked.sets >= 20, JSON.stringify(checked));
  });
}

test('remapIds changes the ids and nothing else, in either byte order', t => {
  for (const order of ['little', 'big'] as const) {
    const words = (...values: number[]): Uint8Array => {
      const bytes = new DataView(new ArrayBuffer(values.length * 4));
      for (const [i, value] of values.entries()) bytes.setUint32(i * 4, value, order === 'little');
      return new Uint8Array(bytes.buffer);
    };
    const before = words(2, 1, 3, 7, 0, 99);
    const slots = [
      { offset: 8, id: 3 },
      { offset: 4, id: 1 },
      { offset: 16, id: 0 },
    ];
    const after = remapIds(before, slots, Uint32Array.of(0, 5, 6, 0x0102_0304), order);
    t.deepEqual(after, words(2, 5, 0x0102_0304, 7, 0, 99));
    t.deepEqual(before, words(2, 1, 3, 7, 0, 99), 'the original is not changed');
  }
});

test('overlay lays down what overlaps, wherever the piece of the file begins', t => {
  const replacement = { section: 'x', offset: 4, bytes: Uint8Array.of(1, 2, 3, 4) };
  const laid = (offset: number, length: number): number[] => {
    const chunk = new Uint8Array(length);
    overlay(chunk, offset, replacement);
    return [...chunk];
  };
  t.deepEqual(laid(0, 12), [0, 0, 0, 0, 1, 2, 3, 4, 0, 0, 0, 0]);
  t.deepEqual(laid(0, 4), [0, 0, 0, 0]);
  t.deepEqual(laid(2, 4), [0, 0, 1, 2]);
  t.deepEqual(laid(5, 2), [2, 3]);
  t.deepEqual(laid(6, 4), [3, 4, 0, 0]);
  t.deepEqual(laid(8, 2), [0, 0]);
});

/** A file of more than two pieces, with a replacement across the border of two. */
function files(change: (after: Uint8Array) => void): { before: MemorySource; after: MemorySource } {
  const bytes = Uint8Array.from({ length: 2 * MIB + 100 }, (_, i) => i * 7);
  const changed = bytes.slice();
  changed.set(REPLACEMENT.bytes, REPLACEMENT.offset);
  change(changed);
  return { before: new MemorySource(bytes, 'before'), after: new MemorySource(changed, 'after') };
}
const REPLACEMENT = { section: '.BTF', offset: MIB - 8, bytes: new Uint8Array(16).fill(0xee) };

test('proveUntouched accepts the replacement, also across a border of two pieces', t => {
  const { before, after } = files(() => {});
  t.notThrows(() => proveUntouched(before, after, [REPLACEMENT]));
});

test('proveUntouched finds one wrong byte, outside and inside the replacement, and tells where', t => {
  for (const at of [0, MIB - 9, MIB - 8, MIB, MIB + 7, MIB + 8, 2 * MIB, 2 * MIB + 99]) {
    const { before, after } = files(bytes => {
      bytes[at] ^= 0x10;
    });
    for (const code of ['invariant', 'verify'] as const) {
      const error = t.throws(() => proveUntouched(before, after, [REPLACEMENT], code), { instanceOf: CodedError });
      t.is(error?.code, code);
      t.is(error?.place.offset, at);
      t.is(error?.place.file, 'after');
    }
  }
});

test('proveUntouched finds a replacement that was not made, and another length', t => {
  const { before, after } = files(() => {});
  t.throws(() => proveUntouched(before, before, [REPLACEMENT]), { instanceOf: CodedError });
  t.throws(() => proveUntouched(before, after, []), { instanceOf: CodedError });
  const longer = new MemorySource(new Uint8Array(before.size + 1), 'longer');
  t.throws(() => proveUntouched(before, longer, []), { instanceOf: CodedError });
});
