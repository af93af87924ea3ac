import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { Btf } from '../../plugin/btf/btf.js';
import { formatRaw } from '../../plugin/btf/format-raw.js';
import { bpftoolRaw } from '../support/bpftool.js';
import { BTF_SAMPLES } from '../support/btf-samples.js';
import { DEBIAN_BTF, debianBtf, haveDebianBtf } from '../support/debian-btf.js';
import { kernelBtf, kernelFixtures } from '../support/kernel-btf.js';
import { haveTool } from '../support/tools.js';

const folder = mkdtempSync(join(tmpdir(), 'vmlinux-btf-'));
test.after.always(() => rmSync(folder, { recursive: true }));

/** Compared line by line: a diff of two dumps of 10 MB would help nobody. */
function sameText(t: ExecutionContext, ours: string, theirs: string): void {
  if (ours === theirs) {
    t.pass();
    return;
  }
  const [a, b] = [ours.split('\n'), theirs.split('\n')];
  const line = a.findIndex((text, i) => text !== b[i]);
  t.is(a[line], b[line], `line ${line + 1}`);
  t.is(a.length, b.length, 'number of lines');
}

BTF_SAMPLES.forEach((sample, i) => {
  test(`prints ${sample.title} as bpftool does`, async t => {
    const base = sample.base === undefined ? undefined : Btf.decode(sample.base);
    const ours = [...formatRaw(Btf.decode(sample.bytes, base))].join('');
    if (!haveTool(t, 'bpftool', 'bpftool')) return;
    const file = join(folder, `${i}.btf`);
    const baseFile = join(folder, `${i}.base.btf`);
    writeFileSync(file, sample.bytes);
    if (sample.base !== undefined) writeFileSync(baseFile, sample.base);
    const { text, complaint } = await bpftoolRaw(file, sample.base === undefined ? undefined : baseFile);
    if (text !== undefined) return sameText(t, ours, text);
    if (sample.newerThanBpftool) t.pass(`bpftool cannot read it: ${complaint}`);
    else t.fail(complaint);
  });
});

for (const name of DEBIAN_BTF) {
  test(`prints the BTF of Debian's ${name} kernel as bpftool does`, async t => {
    if (!haveDebianBtf(t, name) || !haveTool(t, 'bpftool', 'bpftool')) return;
    const { text, complaint } = await bpftoolRaw(debianBtf(name));
    if (text === undefined) return t.fail(complaint);
    sameText(t, [...formatRaw(Btf.decode(readFileSync(debianBtf(name))))].join(''), text);
  });
}

for (const name of kernelFixtures()) {
  test(`prints the BTF of ${name} as bpftool does`, async t => {
    if (!haveTool(t, 'bpftool', 'bpftool')) return;
    const { path, bytes, base } = kernelBtf(name);
    const { text, complaint } = await bpftoolRaw(path, base?.path);
    if (text === undefined) return t.fail(complaint);
    const btf = Btf.decode(bytes, base === undefined ? undefined : Btf.decode(base.bytes));
    sameText(t, [...formatRaw(btf)].join(''), text);
  });
}

test('chunks are some KB each, however large the BTF', t => {
  const sample = BTF_SAMPLES.find(({ title }) => title.startsWith('every kind'));
  if (sample === undefined) return t.fail();
  t.is([...formatRaw(Btf.decode(sample.bytes))].length, 1);
  if (!haveDebianBtf(t, 'amd64-6.12')) return;
  const lengths = Array.from(formatRaw(Btf.decode(readFileSync(debianBtf('amd64-6.12')))), chunk => chunk.length);
  t.true(lengths.length > 100);
  t.true(lengths.slice(0, -1).every(length => length >= 4096 && length < 2 ** 20));
});
