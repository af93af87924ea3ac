import fs, { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { MemorySource } from '../../plugin/bytes/source.js';
import { ElfFile } from '../../plugin/elf/file.js';
import { overwriteSection } from '../../plugin/elf/overwrite.js';
import { CodedError } from '../../plugin/errors.js';
import { sampleBytes, targets } from './samples.js';

const folder = mkdtempSync(join(tmpdir(), 'vmlinux-btf-overwrite-'));
test.after.always(() => rmSync(folder, { recursive: true, force: true }));

const bytes = sampleBytes(targets[0]);
const elf = ElfFile.open(new MemorySource(bytes, 'a.o'));
const data = elf.section('.data');

function withFile(name: string, use: (fd: number, path: string) => void): Buffer {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  const fd = openSync(path, 'r+');
  try {
    use(fd, path);
  } finally {
    closeSync(fd);
  }
  return readFileSync(path);
}

test.serial('a section is overwritten in place and nothing else changes', t => {
  const fresh = new Uint8Array(data.size).fill(0xaa);
  const after = withFile('plain.o', (fd, path) => overwriteSection(fd, path, data, fresh));
  const expected = Buffer.from(bytes);
  expected.set(fresh, data.offset);
  t.true(after.equals(expected));
});

test.serial('short writes are carried on', t => {
  const real = fs.writeSync;
  const lengths: number[] = [];
  const short = (fd: number, buffer: Uint8Array, offset: number, length: number, position: number): number => {
    lengths.push(length);
    return real(fd, buffer, offset, Math.min(length, 128), position);
  };
  const fresh = Uint8Array.from({ length: data.size }, (_, i) => i);
  const after = withFile('short.o', (fd, path) => {
    fs.writeSync = short as typeof fs.writeSync;
    syncBuiltinESMExports();
    try {
      overwriteSection(fd, path, data, fresh);
    } finally {
      fs.writeSync = real;
      syncBuiltinESMExports();
    }
  });
  t.deepEqual(lengths, [300, 172, 44]);
  t.true(after.subarray(data.offset, data.offset + data.size).equals(fresh));
});

test.serial('replacement of another length, or for a section without bytes, is a RangeError', t => {
  const after = withFile('length.o', (fd, path) => {
    t.throws(() => overwriteSection(fd, path, data, new Uint8Array(data.size - 1)), { instanceOf: RangeError });
    t.throws(() => overwriteSection(fd, path, data, new Uint8Array(data.size + 1)), { instanceOf: RangeError });
    const bss = elf.sections.find(section => section.name === '.bss') ?? data;
    t.throws(() => overwriteSection(fd, path, bss, new Uint8Array(bss.size)), { instanceOf: RangeError });
  });
  t.true(after.equals(bytes));
});

test.serial('a full disk and a file that is not open for writing are write-failed, with the place', t => {
  const fresh = new Uint8Array(data.size);
  const path = join(folder, 'read-only.o');
  writeFileSync(path, bytes);
  for (const [file, flags, errno] of [
    ['/dev/full', 'w', 'ENOSPC'],
    [path, 'r', 'EBADF'],
  ] as const) {
    const fd = openSync(file, flags);
    const error = t.throws(() => overwriteSection(fd, file, data, fresh), { instanceOf: CodedError });
    closeSync(fd);
    t.is(error?.code, 'write-failed');
    t.is(error?.detail, errno);
    t.deepEqual(error?.place, { file, section: '.data', offset: data.offset });
  }
});
