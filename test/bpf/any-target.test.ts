import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import fc from 'fast-check';
import { minimize } from '../../plugin/bpf/minimize.js';
import { Btf } from '../../plugin/btf/btf.js';
import { CodedError } from '../../plugin/errors.js';
import { arbitraryCoreTarget } from '../support/arbitrary-core-target.js';
import { bpfObject, minCoreBtf, programFile } from '../support/bpf.js';
import { bpftoolRaw } from '../support/bpftool.js';
import { scratchFolder } from '../support/scratch.js';
import { haveTool } from '../support/tools.js';

const folder = scratchFolder(test, 'any-target');
const RUNS = Number(process.env.VMLINUX_BTF_RUNS ?? 120);

/** The bytes, or undefined where the object is refused. */
function minimized(btf: Btf, file: string): Uint8Array | undefined {
  try {
    return minimize(btf, [bpfObject(file)]).bytes;
  } catch (error) {
    if (error instanceof CodedError && error.code === 'core-relocation') return undefined;
    throw error;
  }
}

test('on any BTF a program is refused by both, or both write the same', async t => {
  if (!haveTool(t, 'bpftool', 'bpftool')) return;
  const [kernel, theirs, ours] = ['kernel', 'theirs', 'ours'].map(name => join(folder, name));
  const seen = { refused: 0, made: 0 };
  await fc.assert(
    fc.asyncProperty(arbitraryCoreTarget, fc.constantFrom('core', 'absent'), async (bytes, program) => {
      const file = programFile(program);
      writeFileSync(kernel, bytes);
      rmSync(theirs, { force: true });
      const { ok, log } = await minCoreBtf(kernel, theirs, [file]);
      const made = minimized(Btf.decode(bytes), file);
      if (ok !== (made !== undefined)) throw new Error(`${ok ? 'only we refuse' : 'only bpftool refuses'}: ${log}`);
      seen[ok ? 'made' : 'refused']++;
      if (made === undefined || !existsSync(theirs)) return;
      writeFileSync(ours, made);
      if (!readFileSync(theirs).equals(made))
        throw new Error(`${(await bpftoolRaw(theirs)).text}\n--- ours\n${(await bpftoolRaw(ours)).text}`);
    }),
    { numRuns: RUNS, seed: Number(process.env.VMLINUX_BTF_SEED ?? 6) },
  );
  t.log(seen);
  t.true(seen.refused > 0 && seen.made > 0);
});
