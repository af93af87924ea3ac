import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { Btf } from '../../plugin/btf/btf.js';
import { KIND_STRUCT } from '../../plugin/btf/kinds.js';
import { MemorySource } from '../../plugin/bytes/source.js';
import { ElfFile } from '../../plugin/elf/file.js';
import { runSplit } from '../../plugin/pipeline/split.js';
import { fixture } from '../support/fixtures.js';
import { WHOLE_KERNELS } from '../support/kernels.js';
import { scratchFolder } from '../support/scratch.js';
import { haveLibbpf, walkTypes } from '../support/type-walk.js';

const folder = scratchFolder(test, 'type-walk');

interface Split {
  /** Raw BTF of the unsplit kernel. */
  readonly original: string;
  readonly base: string;
  readonly rest: string;
}

async function split(kernel: string, reach: 'complete' | 'forward', suffix = ''): Promise<Split> {
  const file = fixture(`${kernel}/vmlinux`);
  const out = join(folder, `${kernel}-${reach}${suffix}`);
  await runSplit({ file, out, compressors: [], reach });
  const original = join(out, 'original.btf');
  const elf = ElfFile.open(new MemorySource(readFileSync(file), file));
  writeFileSync(original, elf.data(elf.section('.BTF')));
  return { original, base: join(out, 'base.btf'), rest: join(out, 'rest.btf') };
}

for (const kernel of WHOLE_KERNELS)
  for (const reach of ['complete', 'forward'] as const)
    test(`${kernel}, ${reach}: libbpf finds every definition in the base or the rest, with the same layout`, async t => {
      if (!haveLibbpf(t)) return;
      const { original, base, rest } = await split(kernel, reach);
      const { found, wrong } = await walkTypes(original, base, rest);
      t.deepEqual(wrong.slice(0, 10), []);
      for (const [kind, least] of Object.entries({ struct: 3000, union: 30, enum: 500, typedef: 1000, func: 20_000 }))
        t.true(found[kind] > least, `${kind}: ${found[kind]}`);
    });

test('negative control: a member that moved, and a name that is gone, are found', async t => {
  if (!haveLibbpf(t)) return;
  const { original, base, rest } = await split('arm64-virt', 'complete', '-changed');
  const onBase = Btf.decode(readFileSync(base));
  const name = 'linux_dirent64';
  const changed = (how: string, change: (bytes: Buffer, btf: Btf, id: number) => void): string => {
    const bytes = readFileSync(rest);
    const btf = Btf.decode(bytes, onBase);
    const ids = Array.from({ length: btf.count }, (_, i) => btf.firstId + i);
    change(bytes, btf, ids.find(id => btf.kind(id) === KIND_STRUCT && btf.name(id) === name) ?? 0);
    const path = join(folder, `${how}.btf`);
    writeFileSync(path, bytes);
    return path;
  };
  const moved = changed('moved', (bytes, btf, id) => {
    // Behind the type's three words: name, type and offset of the first member, and the offset of the second.
    const at = btf.header.length + btf.header.types.offset + 4 * (btf.start(id) + 3 + 3 + 2);
    bytes.writeUInt32LE(bytes.readUInt32LE(at) + 8, at);
  });
  t.deepEqual((await walkTypes(original, base, moved)).wrong, [`different struct ${name}`]);
  const gone = changed('gone', (bytes, btf, id) => {
    const at = btf.header.length + btf.header.strings.offset + btf.nameOffset(id) - onBase.stringEnd;
    t.is(bytes.toString('latin1', at, at + name.length), name);
    bytes.write('x', at);
  });
  t.true((await walkTypes(original, base, gone)).wrong.includes(`missing struct ${name}`));
});
