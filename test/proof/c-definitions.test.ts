import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { execa } from 'execa';
import { runSplit } from '../../plugin/pipeline/split.js';
import { kernelBtf } from '../support/kernel-btf.js';
import { KERNELS, SAMPLE_KERNELS } from '../support/kernels.js';
import { scratchFolder } from '../support/scratch.js';
import { haveTool, toolEnvironment } from '../support/tools.js';

const folder = scratchFolder(test, 'definitions');

async function lines(tool: string, ...args: readonly string[]): Promise<string[]> {
  const { stdout } = await execa(tool, args, { env: toolEnvironment, encoding: 'latin1', maxBuffer: 2 ** 28 });
  return stdout.split('\n');
}

/** Definitions are in another order, so that C needs other forward declarations and empty lines. */
const definitions = (text: readonly string[]): string[] =>
  text.filter(line => line !== '' && !/^(struct|union) \w+;$/.test(line)).sort();

for (const name of KERNELS) {
  const original = join(folder, `${name}.btf`);
  const out = join(folder, name);
  const full = join(out, 'full.btf');
  const forward = join(folder, `${name}-forward`);
  const least = SAMPLE_KERNELS[name].lean ? 25_000 : 40_000;

  test.before(async () => {
    const { path, bytes } = kernelBtf(`${name}/vmlinux`);
    writeFileSync(original, bytes);
    await runSplit({ file: path, out, compressors: [] });
    await runSplit({ file: path, out: forward, compressors: [], reach: 'forward' });
  });

  test(`closure forward of ${name}: bpftool makes the same C of the rest on its base as of the kernel`, async t => {
    if (!haveTool(t, 'bpftool', 'bpftool')) return;
    const dump = (file: string, ...base: string[]) =>
      lines('bpftool', ...base, 'btf', 'dump', 'file', file, 'format', 'c');
    const [before, after, alone] = await Promise.all([
      dump(original),
      dump(join(forward, 'rest.btf'), '-B', join(forward, 'base.btf')),
      dump(join(forward, 'base.btf')),
    ]);
    // A split dump has the types of the rest and what they need of the base; the base's own are in the other dump.
    const all = new Set([...definitions(alone), ...definitions(after)]);
    t.deepEqual(
      definitions(before).filter(line => !all.has(line)),
      [],
    );
    t.true(after.length > least);
    t.true(alone.length > 3_000);
  });

  test(`bpftool makes the same C of full.btf as of ${name}`, async t => {
    if (!haveTool(t, 'bpftool', 'bpftool')) return;
    const [before, after] = await Promise.all(
      [original, full].map(file => lines('bpftool', 'btf', 'dump', 'file', file, 'format', 'c')),
    );
    t.true(before.length > least);
    t.is(definitions(after).join('\n') === definitions(before).join('\n'), true);
  });

  test(`pahole lays out every struct of full.btf as of ${name}`, async t => {
    if (!haveTool(t, 'pahole', 'pahole')) return;
    const [before, after] = await Promise.all([original, full].map(file => lines('pahole', '-F', 'btf', file)));
    t.true(before.length > least);
    t.is(after.sort().join('\n') === before.sort().join('\n'), true);
  });

  test(`pahole reads the base of ${name} alone: task_struct is as it was`, async t => {
    if (!haveTool(t, 'pahole', 'pahole')) return;
    const show = (file: string) => lines('pahole', '-F', 'btf', file, '-C', 'task_struct');
    const [before, after] = await Promise.all([show(original), show(join(out, 'base.btf'))]);
    t.true(before.length > 100);
    t.deepEqual(after, before);
  });
}
