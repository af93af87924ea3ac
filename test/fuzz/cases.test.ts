import test from 'ava';
import { scratchFolder } from '../support/scratch.js';
import { makeCase, partsOf } from './cases.js';
import { Numbers } from './field.js';
import { Random } from './random.js';
import { groupsOf } from './seed.js';
import * as seeds from './seeds.js';
import { emptied, runTarget } from './target.js';
import { prepare, TARGETS } from './targets.js';

const folder = scratchFolder(test, 'fuzz-cases');
test.before(prepare);

const only = (name: string) => TARGETS.find(target => target.name === name);

test('a case is its number: the same bytes again, and other bytes under another number or seed', t => {
  const text = (seed: number, number: number): string =>
    partsOf(makeCase(TARGETS, seed, number))
      .map(part => Buffer.from(part).toString('latin1'))
      .join();
  const cases = Array.from({ length: 200 }, (_, number) => text(1, number));
  t.deepEqual(
    Array.from({ length: 200 }, (_, number) => text(1, number)),
    cases,
  );
  t.true(new Set(cases).size > 195);
  t.true(cases.filter((bytes, number) => bytes === text(2, number)).length < 5);
});

test('the random numbers are the same on every machine', t => {
  const random = new Random(1, 2);
  t.deepEqual([random.next(), random.next(), random.below(10), random.below(1000)], [3939327392, 3661908459, 9, 429]);
});

test('mutations leave the seeds as they are', t => {
  for (const target of TARGETS) {
    const before = target.seeds().map(({ parts }) => parts.map(part => part.slice()));
    for (let number = 0; number < 200; number++) partsOf(makeCase(TARGETS, 5, number, target));
    t.deepEqual(
      target.seeds().map(({ parts }) => parts.map(part => Uint8Array.from(part))),
      before.map(parts => parts.map(part => Uint8Array.from(part))),
      target.name,
    );
  }
});

test('every target has a seed that it takes whole', async t => {
  for (const target of TARGETS) {
    const outcomes: string[] = [];
    for (const { name, parts } of target.seeds()) {
      const outcome = await runTarget(
        target,
        parts.map(part => part.slice()),
        emptied(folder),
      );
      outcomes.push(`${name}: ${JSON.stringify(outcome)}`);
      t.not(outcome.kind, 'crash', outcomes.at(-1));
    }
    t.true(
      outcomes.some(outcome => outcome.endsWith('{"kind":"fine"}')),
      `${target.name}: ${outcomes.join('\n')}`,
    );
  }
});

test('the fields of each kind of file are known', t => {
  const known = (parts: readonly Uint8Array[]): string[] => [...groupsOf(parts[0]).keys()].sort();
  const btf = ['btf-header', 'btf-info', 'btf-name', 'btf-plain', 'btf-type'];
  for (const { parts, name } of seeds.bareBtf()) t.deepEqual(known(parts), btf, name);
  for (const { parts, name } of seeds.kernels()) {
    const relocatable = ['arm64', 'riscv64', 's390x'].includes(name);
    const elf = ['ehdr', 'ids', 'phdr', 'pointer', ...(relocatable ? ['rela'] : []), 'shdr', 'sym'];
    t.deepEqual(known(parts), [...btf, ...elf].sort(), name);
  }
  for (const { parts, name } of seeds.modules())
    for (const group of [/^(arm64|mips64|riscv64|x86_64)-/.test(name) ? 'rela' : 'rel', 'sym', 'pointer', 'btf-type'])
      t.true(known(parts).includes(group), `${name}: ${group}`);
  for (const { parts, name } of seeds.bpfObjects())
    for (const group of ['rel', 'ext-header', 'ext-size', 'ext-record'])
      t.true(known(parts).includes(group), `${name}: ${group}`);
});

test('the mutations truncate, extend, lie about lengths, make cycles and huge vlens', t => {
  const met = { shorter: 0, longer: 0, lyingHeader: 0, hugeVlen: 0, ownType: 0 };
  for (let number = 0; number < 3000; number++) {
    const made = makeCase(TARGETS, 1, number, only('btf'));
    const [original] = made.seed.parts;
    const [bytes] = partsOf(made);
    if (bytes.length < original.length) met.shorter++;
    if (bytes.length > original.length) met.longer++;
    if (bytes.length !== original.length) continue;
    const numbers = new Numbers(bytes, original[0] === 0x9f ? 'little' : 'big');
    if (numbers.at(12, 4) > bytes.length || numbers.at(20, 4) > bytes.length) met.lyingHeader++;
    const groups = groupsOf(original);
    if (groups.get('btf-info')?.some(({ at }) => (numbers.at(at, 4) & 0xff_ffff) >= 0xffff)) met.hugeVlen++;
    if (groups.get('btf-type')?.some(({ at, self }) => numbers.at(at, 4) === self)) met.ownType++;
  }
  for (const [what, times] of Object.entries(met)) t.true(times >= 20, `${what}: ${times}`);
});
