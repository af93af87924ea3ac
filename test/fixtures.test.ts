import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { FileSource } from '../plugin/bytes/source.js';
import { ElfFile } from '../plugin/elf/file.js';
import { fixture, repository } from './support/fixtures.js';

interface Entry {
  readonly name: string;
  readonly bytes: number;
  readonly sha256: string;
  readonly trimmed?: boolean;
}

const folder = join(repository, 'test', 'fixtures');
const entries: readonly Entry[] = JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8')).fixtures;
const MAX_BYTES = 15_500_000;

test('the manifest lists every packed fixture, by name, and nothing else', t => {
  const packed = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(name => name.endsWith('.br'));
  t.deepEqual(
    packed.map(name => name.slice(0, -'.br'.length)).sort(),
    entries.map(({ name }) => name),
  );
});

test(`all fixtures together stay below ${MAX_BYTES} bytes`, t => {
  const total = entries.reduce((sum, { name }) => sum + statSync(join(folder, `${name}.br`)).size, 0);
  t.log(`${total} bytes`);
  t.true(total < MAX_BYTES);
});

for (const { name, bytes, sha256, trimmed = false } of entries) {
  test(`${name} unpacks to what the manifest says`, t => {
    const unpacked = readFileSync(fixture(name));
    t.is(unpacked.length, bytes);
    t.is(createHash('sha256').update(unpacked).digest('hex'), sha256);
  });

  if (name.endsWith('/vmlinux'))
    test(`${name} has ${trimmed ? 'no' : 'its'} code`, t => {
      const source = FileSource.open(fixture(name));
      t.teardown(() => source.close());
      const elf = ElfFile.open(source);
      t.is(
        elf.data(elf.section('.text')).every(byte => byte === 0),
        trimmed,
      );
    });
}
