import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { minimize } from '../../plugin/bpf/minimize.js';
import { Relocator } from '../../plugin/bpf/relocate.js';
import { isFieldBased, relocationName } from '../../plugin/bpf/relocation.js';
import type { Spec } from '../../plugin/bpf/spec.js';
import { Btf } from '../../plugin/btf/btf.js';
import { readBtf } from '../../plugin/pipeline/input.js';
import { bpfObject, minCoreBtf, PROGRAMS, programFile, TARGETS } from '../support/bpf.js';
import { bpftoolRaw } from '../support/bpftool.js';
import { DEBIAN_BTF, debianBtf, haveDebianBtf } from '../support/debian-btf.js';
import { fixture } from '../support/fixtures.js';
import { KERNELS } from '../support/kernels.js';
import { scratchFolder } from '../support/scratch.js';
import { haveTool } from '../support/tools.js';

const folder = scratchFolder(test, 'libbpf');
const RUNNING = '/sys/kernel/btf/vmlinux';

const targets: readonly { readonly name: string; readonly file: string; readonly debian: boolean }[] = [
  ...KERNELS.map(name => ({ name, file: fixture(`${name}/vmlinux`), debian: false })),
  ...DEBIAN_BTF.map(name => ({ name, file: debianBtf(name), debian: true })),
  ...(existsSync(RUNNING) ? [{ name: 'the running kernel', file: RUNNING, debian: false }] : []),
];

/** One relocation, as libbpf and as this program decide it. */
interface Decided {
  readonly kind: string;
  /** Types of the kernel, in order. */
  readonly tried: { readonly id: number; readonly matches: boolean }[];
  /** Of the first that matches, for fields: member indices and offset, `0:92 @ offset 1264`; bits after the point. */
  at: string | undefined;
}

/** `<section> <n>` → what was decided, from libbpf's log. */
function decidedByLibbpf(log: string): Record<string, Decided> {
  const found: Record<string, Decided> = {};
  for (const line of log.split('\n')) {
    const relocation = /prog '([^']+)': relo #(\d+): <(\w+)> \[/.exec(line);
    if (relocation !== null)
      found[`${relocation[1]} ${relocation[2]}`] = { kind: relocation[3], tried: [], at: undefined };
    const candidate = /prog '([^']+)': relo #(\d+): (non-)?matching candidate #\d+ <\w+> \[(\d+)\]/.exec(line);
    if (candidate === null) continue;
    const decided = found[`${candidate[1]} ${candidate[2]}`];
    const matches = candidate[3] === undefined;
    decided.tried.push({ id: Number(candidate[4]), matches });
    if (matches) decided.at ??= /\(([\d:]+ @ offset [\d.]+)\)$/.exec(line)?.[1];
  }
  return found;
}

function decidedByUs(file: string, btf: Btf): Record<string, Decided> {
  const found: Record<string, Decided> = {};
  const counts = new Map<string, number>();
  for (const { section, relocation, candidates, matches, target } of new Relocator(bpfObject(file), btf).all()) {
    const nth = counts.get(section) ?? 0;
    counts.set(section, nth + 1);
    found[`${section} ${nth}`] = {
      kind: relocationName(relocation.kind),
      tried: candidates.map(id => ({ id, matches: matches.includes(id) })),
      at: target === undefined || !isFieldBased(relocation.kind) ? undefined : place(target),
    };
  }
  return found;
}

function place({ raw, bitOffset }: Spec): string {
  const bits = bitOffset % 8;
  return `${raw.join(':')} @ offset ${Math.floor(bitOffset / 8)}${bits === 0 ? '' : `.${bits}`}`;
}

for (const { name, file, debian } of targets) {
  test(`every relocation tries and takes the types that libbpf tries and takes: ${name}`, async t => {
    if (debian && !haveDebianBtf(t, name)) return;
    if (!haveTool(t, 'bpftool', 'bpftool')) return;
    const btf = await readBtf(file);
    for (const program of PROGRAMS) {
      const { ok, log } = await minCoreBtf(file, join(folder, `${name} ${program}`), [programFile(program)]);
      t.true(ok, log);
      const expected = decidedByLibbpf(log);
      t.true(Object.keys(expected).length > 0);
      for (const target of TARGETS) t.deepEqual(decidedByUs(programFile(program, target), btf), expected, program);
    }
  });

  test(`minimize writes what bpftool writes: ${name}`, async t => {
    if (debian && !haveDebianBtf(t, name)) return;
    if (!haveTool(t, 'bpftool', 'bpftool')) return;
    const btf = await readBtf(file);
    for (const programs of [...PROGRAMS.map(program => [program]), PROGRAMS]) {
      const theirs = join(folder, `${name} theirs`);
      const ours = join(folder, `${name} ours`);
      const { ok, log } = await minCoreBtf(
        file,
        theirs,
        programs.map(program => programFile(program)),
      );
      t.true(ok, log);
      const expected = (await bpftoolRaw(theirs)).text ?? '';
      t.true(expected.length > 100);
      for (const target of TARGETS) {
        const made = minimize(
          btf,
          programs.map(program => bpfObject(programFile(program, target))),
        );
        writeFileSync(ours, made.bytes);
        t.is((await bpftoolRaw(ours)).text, expected, programs.join());
        const { order, count } = Btf.decode(made.bytes);
        t.is(order, btf.order);
        t.is(count, made.types);
        // bpftool writes in the byte order of the machine it runs on.
        if (order === 'little') t.true(readFileSync(theirs).equals(made.bytes), programs.join());
      }
    }
  });
}
