import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { Btf } from '../../plugin/btf/btf.js';
import { ElfPatch } from '../support/elf-patch.js';
import { fixture } from '../support/fixtures.js';
import { LINT_CASES } from '../support/lint/cases.js';
import { haveTool } from '../support/tools.js';
import { bootVmlinux, compareWithKernel, openHost } from './support/lint-boot.js';
import { MALTA } from './support/qemu.js';

const MINUTE = 60_000;

function haveTools(t: ExecutionContext): boolean {
  t.timeout(10 * MINUTE, 'booting under emulation');
  return haveTool(t, MALTA.qemu, MALTA.qemuPackage) && haveTool(t, `${MALTA.cross}gcc`, MALTA.crossPackage);
}

const vmlinux = (): string => fixture('mips32-malta-be/vmlinux');

// One after the other: two emulators at once would starve each other of the time that their timeouts count.
test.serial('Linux 6.12 takes the BTFs that lint takes and refuses the ones that lint refuses', async t => {
  if (!haveTools(t)) return;
  const { loads, modules, refused, stricter, differences } = await compareWithKernel(
    { machine: MALTA, vmlinux: vmlinux() },
    LINT_CASES,
  );
  t.deepEqual(differences, []);
  t.true(refused > 500, `${refused}`);
  t.true(stricter < modules / 20, `${stricter}`);
  t.log(`${loads} BTFs loaded, ${modules} modules tried, ${refused} refused, ${stricter} by the reader alone`);
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
      const probe = await bootVmlinux({ machine: MALTA, vmlinux: broken });
      t.is(probe.progLoad === 0, taken, `prog_load ${probe.progLoad}`);
      t.not(probe.progLoad, undefined, 'the kernel has to boot, or the control proves nothing');
    },
  );

function firstOf(elf: ElfPatch, kind: number): number {
  return Btf.decode(elf.elf.data(elf.section('.BTF'))).ofKind(kind)[0];
}
