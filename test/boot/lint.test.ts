import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { Btf } from '../../plugin/btf/btf.js';
import { NameIndex } from '../../plugin/btf/names.js';
import type { Root } from '../../plugin/roots/root.js';
import { splitBtf } from '../../plugin/split/split.js';
import { BtfBuilder } from '../support/build-btf.js';
import { ElfPatch } from '../support/elf-patch.js';
import { fixture } from '../support/fixtures.js';
import { caseBytes } from '../support/lint/case.js';
import { LINT_CASES } from '../support/lint/cases.js';
import { mutate, randomNumbers } from '../support/lint/mutate.js';
import { addValidTypes } from '../support/lint/valid-btf.js';
import { haveTool } from '../support/tools.js';
import { bootVmlinux, openHost, tryAll, verdict } from './support/lint-boot.js';
import { MALTA } from './support/qemu.js';

const MINUTE = 60_000;
/** Of each of the BTFs that are mutated. */
const MUTANTS = 400;
const SEED = 20261122;

function haveTools(t: ExecutionContext): boolean {
  t.timeout(10 * MINUTE, 'booting under emulation');
  return haveTool(t, MALTA.qemu, MALTA.qemuPackage) && haveTool(t, `${MALTA.cross}gcc`, MALTA.crossPackage);
}

const vmlinux = (): string => fixture('mips32-malta-be/vmlinux');

/** What a few small structs of the fixture's kernel need: real BTF that is small enough to be broken often. */
function cutDown(btf: Btf): Uint8Array {
  const names = new NameIndex(btf);
  const roots = ['tcphdr', 'iphdr', 'work_struct', 'in6_addr', 'timer_list'].map(
    (name): Root => ({ id: names.first(name, 4), reason: 'keep', source: 'test' }),
  );
  return splitBtf(btf, names, roots).base;
}

function valid(options: ConstructorParameters<typeof BtfBuilder>[0]): Uint8Array {
  const b = new BtfBuilder({ order: 'big', ...options });
  addValidTypes(b);
  return b.build();
}

interface Tried {
  readonly title: string;
  readonly bytes: Uint8Array;
}

function withMutants(title: string, bytes: Uint8Array): Tried[] {
  const random = randomNumbers(SEED);
  const mutants = Array.from({ length: MUTANTS }, (_, i) => ({
    title: `${title}, mutant ${i}`,
    bytes: mutate(bytes, random),
  }));
  return [{ title, bytes }, ...mutants];
}

// One after the other: two emulators at once would starve each other of the time that their timeouts count.
test.serial('Linux 6.12 takes the BTFs that lint takes and refuses the ones that lint refuses', async t => {
  if (!haveTools(t)) return;
  const host = openHost(vmlinux());
  const { endId, stringEnd } = host.btf;
  const onto = { endId, stringEnd };
  const loads: Tried[] = [
    ...LINT_CASES.map(item => ({ title: item.title, bytes: caseBytes(item, new BtfBuilder({ order: 'big' })) })),
    { title: 'vmlinux', bytes: host.bytes },
    ...withMutants('every kind', valid({})),
    ...withMutants('cut down from vmlinux', cutDown(host.btf)),
  ];
  const modules: Tried[] = [
    ...LINT_CASES.map(item => ({ title: item.title, bytes: caseBytes(item, new BtfBuilder({ order: 'big', onto })) })),
    ...withMutants('every kind on vmlinux', valid({ onto })),
  ];
  const { probe, text } = await tryAll(
    vmlinux(),
    loads.map(({ bytes }) => bytes),
    modules.map(({ bytes }) => host.module(bytes)),
  );
  if (probe.tried.size !== modules.length) t.log(text.slice(-4000));

  let refused = 0;
  for (const [i, { title, bytes }] of loads.entries()) {
    const broken = verdict(bytes);
    const kernel = probe.load.get(`/load/${i}`);
    t.is(kernel?.result !== 0, broken.length > 0, `${title}: lint ${broken}, kernel ${kernel?.result} ${kernel?.says}`);
    if (broken.length > 0) refused++;
  }
  let stricter = 0;
  for (const [i, { title, bytes }] of modules.entries()) {
    const broken = verdict(bytes, host.btf);
    const kernel = probe.tried.get(`/try/${i}.ko`);
    const said = `${title} as a module: lint ${broken}, kernel ${kernel}`;
    // The kernel does not look where references of its own BTF lead; the reader, which everything else relies on, does.
    if (kernel === 0 && broken[0] === 'reader') stricter++;
    else t.is(kernel !== 0, broken.length > 0, said);
    if (broken.length > 0) refused++;
  }
  t.true(refused > 500, `${refused}`);
  t.true(stricter < modules.length / 20, `${stricter}`);
  t.log(
    `${loads.length} BTFs loaded, ${modules.length} modules tried, ${refused} refused, ${stricter} by the reader alone`,
  );
});

const folder = mkdtempSync(join(tmpdir(), 'vmlinux-btf-lint-'));
test.after.always(() => rmSync(folder, { recursive: true, force: true }));

/** Offset in the file of a word of the first type of a kind in `.BTF`. */
function wordOf(elf: ElfPatch, kind: number, word: number): number {
  const section = elf.section('.BTF');
  const btf = Btf.decode(elf.elf.data(section));
  const id = btf.ofKind(kind)[0];
  return section.offset + btf.header.length + btf.header.types.offset + (btf.start(id) + word) * 4;
}

const KIND_INT = 1;
const KIND_PTR = 2;
const KIND_FUNC = 12;

/** What the kernel does not hold its own BTF to, and what it does. */
for (const [mistake, sabotage, rule, taken] of [
  [
    'flags in its header',
    (elf: ElfPatch) => void elf.bytes.fill(1, elf.section('.BTF').offset + 3, elf.section('.BTF').offset + 4),
    'header-flags',
    false,
  ],
  ['a PTR with a vlen', (elf: ElfPatch) => void elf.u32(wordOf(elf, KIND_PTR, 1), (KIND_PTR << 24) | 1), 'vlen', false],
  [
    'a FUNC that is an INT',
    (elf: ElfPatch) => void elf.u32(wordOf(elf, KIND_FUNC, 2), firstOf(elf, KIND_INT)),
    'func-proto',
    true,
  ],
] as const)
  test.serial(
    `the BTF of vmlinux with ${mistake} is ${taken ? 'a warning of lint, and taken' : 'refused by lint and kernel'}`,
    async t => {
      if (!haveTools(t)) return;
      const elf = new ElfPatch(readFileSync(vmlinux()));
      sabotage(elf);
      const broken = join(folder, rule);
      writeFileSync(broken, elf.bytes);
      const found = openHost(broken).findings();
      t.deepEqual(found.counts, { [rule]: 1 });
      t.is(found.errors === 0, taken);
      const probe = await bootVmlinux(broken);
      t.is(probe.progLoad === 0, taken, `prog_load ${probe.progLoad}`);
      t.not(probe.progLoad, undefined, 'the kernel has to boot, or the control proves nothing');
    },
  );

function firstOf(elf: ElfPatch, kind: number): number {
  return Btf.decode(elf.elf.data(elf.section('.BTF'))).ofKind(kind)[0];
}
