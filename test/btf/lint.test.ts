import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import fc from 'fast-check';
import { Btf } from '../../plugin/btf/btf.js';
import { KIND_TYPE_TAG } from '../../plugin/btf/kinds.js';
import { KEPT } from '../../plugin/btf/lint/findings.js';
import { ANY_KERNEL, KERNELS, type KernelRules, kernelRules } from '../../plugin/btf/lint/kernels.js';
import { RULES } from '../../plugin/btf/lint/rules.js';
import { type LintOptions, lint } from '../../plugin/btf/lint.js';
import { CodedError } from '../../plugin/errors.js';
import { SPLIT_RULES } from '../../plugin/split/lint-split.js';
import { validBtf } from '../support/arbitrary-valid-btf.js';
import { BtfBuilder } from '../support/build-btf.js';
import { DEBIAN_BTF, debianBtf, haveDebianBtf } from '../support/debian-btf.js';
import { repository } from '../support/fixtures.js';
import { kernelBtf, kernelFixtures } from '../support/kernel-btf.js';
import { caseBytes } from '../support/lint/case.js';
import { LINT_CASES } from '../support/lint/cases.js';
import { mutate, randomNumbers } from '../support/lint/mutate.js';
import { naiveFindings } from '../support/lint/naive.js';
import { addValidTypes } from '../support/lint/valid-btf.js';
import { naiveParse } from '../support/naive-btf.js';

function rulesOf(version: string): KernelRules {
  const rules = kernelRules(version);
  if (rules === undefined) throw new Error(`no rules for ${version}`);
  return rules;
}

const V6_12 = rulesOf('6.12');
const PROGRAM: LintOptions = { kernel: V6_12, loadedBy: 'program', pointerBytes: 4 };

/** Rules that a BTF breaks, `reader` when it is not decoded. */
function broken(bytes: Uint8Array, options: LintOptions): string[] {
  try {
    return Object.keys(lint(Btf.decode(bytes), options).counts);
  } catch (error) {
    if (error instanceof CodedError) return ['reader'];
    throw error;
  }
}

for (const order of ['little', 'big'] as const)
  test(`each mistake is found, what is none is not: ${order}-endian`, t => {
    for (const item of LINT_CASES) {
      const rules = broken(caseBytes(item, new BtfBuilder({ order, ...item.options })), PROGRAM);
      if (item.rule === undefined) t.deepEqual(rules, [], item.title);
      else t.true(rules.includes(item.rule), `${item.title}: ${rules}`);
    }
  });

/** Rules that no case breaks, because a small BTF cannot, or no BTF on its own. Each has a test below. */
const ELSEWHERE = ['section-place', 'layout-size', 'no-types', 'types-limit', 'strings-limit', 'sorted'];

test('each rule has a case, or a test of its own', t => {
  const tried = new Set<string>(LINT_CASES.flatMap(({ rule }) => rule ?? []));
  t.deepEqual(
    Object.keys(RULES).filter(rule => !tried.has(rule)),
    ELSEWHERE,
  );
});

test('a finding is data: rule, level, id, name, why and source', t => {
  const b = new BtfBuilder();
  b.float('odd', 3);
  t.deepEqual(lint(Btf.decode(b.build())), {
    findings: [
      {
        rule: 'float-size',
        level: 'error',
        id: 1,
        name: 'FLOAT odd',
        why: '3 bytes',
        source: 'kernel/bpf/btf.c:btf_float_check_meta',
      },
    ],
    counts: { 'float-size': 1 },
    errors: 1,
    warnings: 0,
  });
});

test('what the kernel asks of programs only is a warning for its own BTF', t => {
  const b = new BtfBuilder();
  b.struct('self', 4, [{ name: 'm', type: 1, bits: 0 }]);
  const btf = Btf.decode(b.build());
  t.like(lint(btf), { errors: 0, warnings: 1, counts: { loop: 1 } });
  t.like(lint(btf, { loadedBy: 'program' }), { errors: 1, warnings: 0 });
  t.like(lint(btf, { errorsOnly: true }), { errors: 0, warnings: 0 });
});

test('findings of one rule are counted, and a few are kept', t => {
  const b = new BtfBuilder();
  for (let i = 0; i < 1000; i++) b.float('odd', 3);
  const { findings, counts, errors } = lint(Btf.decode(b.build()));
  t.is(findings.length, KEPT);
  t.deepEqual(counts, { 'float-size': 1000 });
  t.is(errors, 1000);
});

test('ids of findings are those of the split BTF; the base is not looked at', t => {
  const base = new BtfBuilder();
  base.float('odd', 3);
  base.struct('self', 4, [{ name: 'm', type: 2, bits: 0 }]);
  const split = new BtfBuilder({ base });
  split.typedef('fine', 1);
  split.float('a b', 5);
  const btf = Btf.decode(split.build(), Btf.decode(base.build()));
  t.deepEqual(
    lint(btf).findings.map(({ rule, id }) => [rule, id]),
    [['float-size', 4]],
  );
});

test('names of the base are checked where split BTF uses them', t => {
  const base = new BtfBuilder();
  base.int('long int', 4);
  const split = new BtfBuilder({ base });
  split.fwd('long int');
  t.deepEqual(lint(Btf.decode(split.build(), Btf.decode(base.build()))).counts, { name: 1 });
});

test('a section at the wrong place, an empty one too', t => {
  const base = new BtfBuilder();
  base.int('int', 4);
  const bytes = new BtfBuilder({ base }).build();
  t.deepEqual(lint(Btf.decode(bytes, Btf.decode(base.build()))).counts, {});
  // Strings at 0, as long as the data; the empty type section at 4, within them.
  const overlap = Uint8Array.from([...bytes, ...new Uint8Array(8)]);
  new DataView(overlap.buffer).setUint32(8, 4, true);
  new DataView(overlap.buffer).setUint32(20, 8, true);
  t.deepEqual(lint(Btf.decode(overlap, Btf.decode(base.build()))).counts, { 'section-place': 1 });
});

test('a section that describes kinds has whole entries', t => {
  const b = new BtfBuilder({ header: 32 });
  b.int('int', 4);
  const bytes = b.build();
  t.deepEqual(lint(Btf.decode(bytes), { kernel: rulesOf('7.2') }).counts, {});
  const view = new DataView(bytes.buffer);
  // The last two bytes become padding of the strings' front: another length for both.
  view.setUint32(28, view.getUint32(28, true) - 2, true);
  view.setUint32(16, view.getUint32(16, true) - 2, true);
  view.setUint32(20, view.getUint32(20, true) + 2, true);
  t.deepEqual(lint(Btf.decode(bytes), { kernel: rulesOf('7.2') }).counts, { 'layout-size': 1 });
});

test('a BTF without types and without a base', t => {
  t.deepEqual(lint(Btf.decode(new BtfBuilder().build())).counts, { 'no-types': 1 });
});

test('more types than BTF_MAX_TYPE', t => {
  const ptrs = (count: number): Btf => {
    const b = new BtfBuilder();
    for (let i = 0; i < count; i++) b.ptr(0);
    return Btf.decode(b.build());
  };
  t.deepEqual(lint(ptrs(0xfffff - 1), { errorsOnly: true }).counts, {});
  t.deepEqual(lint(ptrs(0xfffff), { errorsOnly: true }).counts, { 'types-limit': 1 });
});

test('more strings than BTF_MAX_NAME_OFFSET', t => {
  const strings = (bytes: number): Btf => {
    const b = new BtfBuilder();
    b.fwd('f');
    const small = b.build();
    const large = new Uint8Array(small.length - 3 + bytes);
    large.set(small);
    new DataView(large.buffer).setUint32(20, bytes, true);
    return Btf.decode(large);
  };
  t.deepEqual(lint(strings(1 << 24)).counts, {});
  t.deepEqual(lint(strings((1 << 24) + 1)).counts, { 'strings-limit': 1 });
});

test('vmlinux of 7.2 is sorted by name, anonymous types first', t => {
  const build = (...names: string[]): Btf => {
    const b = new BtfBuilder();
    for (const name of names)
      if (name === '') b.ptr(0);
      else b.fwd(name);
    return Btf.decode(b.build());
  };
  const sorted = build('', '', 'A', 'B', 'B', 'Ba', '_', 'a', 'a\xe9');
  const unsorted = build('', 'a', '', 'b', 'aa');
  t.deepEqual(lint(sorted, { kernel: rulesOf('7.2') }).counts, {});
  t.deepEqual(
    lint(unsorted, { kernel: rulesOf('7.2') }).findings.map(({ id }) => id),
    [3, 5],
  );
  for (const options of [
    { kernel: V6_12 },
    {},
    { kernel: rulesOf('7.2'), loadedBy: 'program' },
  ] satisfies LintOptions[])
    t.deepEqual(lint(unsorted, options).counts, {});
});

/** What one kernel takes and another refuses: breaks the rule up to the last version, and none from the next one on. */
const RELAXED: readonly { rule: string; until: string; fill: (b: BtfBuilder) => unknown; header?: 32 }[] = [
  { rule: 'section-name', until: '6.6', fill: b => b.datasec('?a b', 4, []) },
  { rule: 'kind-flag', until: '6.12', fill: b => b.record(KIND_TYPE_TAG, 'a(1)', { flag: true }, b.int('int', 4)) },
  { rule: 'tag-order', until: '6.12', fill: b => b.const(b.typeTag('user', b.int('int', 4))) },
  {
    rule: 'info-bits',
    until: '6.12',
    fill: b =>
      b.enum(
        'many',
        4,
        Array.from({ length: 65_536 }, (_, i) => ({ name: 'V', value: BigInt(i) })),
      ),
  },
  { rule: 'header-length', until: '6.12', fill: b => b.int('int', 4), header: 32 },
];

for (const { rule, until, fill, header } of RELAXED)
  test(`${rule} is relaxed after ${until}`, t => {
    const b = new BtfBuilder(header === undefined ? {} : { header });
    fill(b);
    const btf = Btf.decode(b.build());
    const last = KERNELS.findIndex(({ version }) => version === until);
    for (const [i, kernel] of KERNELS.entries())
      t.deepEqual(Object.keys(lint(btf, { kernel: { ...kernel, sorted: false } }).counts), i <= last ? [rule] : []);
    t.deepEqual(lint(btf).counts, {}, 'a BTF of an unknown kernel');
  });

test('versions', t => {
  t.is(kernelRules('6.1'), KERNELS[0]);
  t.is(kernelRules('6.12.117-1-amd64'), KERNELS[2]);
  t.is(kernelRules('6.12.117 SMP mod_unload ARMv7'), KERNELS[2]);
  t.is(kernelRules('7.3'), KERNELS[3]);
  t.is(kernelRules('10.0'), KERNELS[3]);
  t.deepEqual(kernelRules('6.18'), { ...ANY_KERNEL, version: '6.12-7.2' });
  t.deepEqual(kernelRules('6.5'), { ...KERNELS[0], version: '6.1-6.6' });
  for (const none of ['6.0', '5.15', '', 'six', '6', 'v6.12', '6.99999']) t.is(kernelRules(none), undefined, none);
});

for (const name of kernelFixtures())
  test(`nothing is found in ${name}`, t => {
    const { bytes, base } = kernelBtf(name);
    const btf = Btf.decode(bytes, base === undefined ? undefined : Btf.decode(base.bytes));
    t.like(lint(btf, { kernel: V6_12 }), { errors: 0, warnings: 0 });
    t.like(lint(btf, { kernel: V6_12, loadedBy: 'program' }), { errors: 0 });
  });

for (const name of DEBIAN_BTF)
  test(`nothing is found in the BTF of Debian's ${name}`, t => {
    if (!haveDebianBtf(t, name)) return;
    const kernel = rulesOf(name.split('-')[1]);
    t.like(lint(Btf.decode(readFileSync(debianBtf(name))), { kernel, loadedBy: 'program' }), {
      errors: 0,
      warnings: 0,
    });
  });

test('every kind, as compilers make it, is taken by all kernels', t => {
  for (const order of ['little', 'big'] as const)
    for (const kernel of KERNELS) {
      const b = new BtfBuilder({ order });
      addValidTypes(b);
      for (const pointerBytes of [4, 8])
        t.deepEqual(broken(b.build(), { kernel, loadedBy: 'program', pointerBytes }), []);
    }
});

test('nothing is found in any BTF that was made by the rules', t => {
  fc.assert(
    fc.property(validBtf, bytes => {
      for (const kernel of [KERNELS[0], V6_12, ANY_KERNEL])
        t.deepEqual(broken(bytes, { kernel, loadedBy: 'program', pointerBytes: 8 }), []);
    }),
    { numRuns: 300 },
  );
});

test('a checker that shares nothing with lint finds the same types', t => {
  let found = 0;
  fc.assert(
    fc.property(validBtf, fc.nat(), (valid, seed) => {
      const bytes = mutate(valid, randomNumbers(seed));
      if (broken(bytes, { kernel: V6_12 })[0] === 'reader') return;
      const naive = naiveParse(bytes);
      // Which empty names have an offset, the naive reader does not tell.
      if (naive.nameOffsets.some(offset => offset !== 0 && naive.strings[offset] === 0)) return;
      const { findings, counts } = lint(Btf.decode(bytes), { kernel: V6_12, errorsOnly: true });
      const { 'modifier-loop': loops, ...expected } = naiveFindings(naive);
      for (const [rule, ids] of Object.entries(expected)) {
        if (ids.length > KEPT) continue;
        const got = new Set(findings.filter(finding => finding.rule === rule).map(({ id }) => id));
        t.deepEqual([...got], ids, rule);
        found += ids.length;
      }
      t.is(loops.length > 0, counts['modifier-chain'] !== undefined);
    }),
    { numRuns: 2000 },
  );
  t.true(found > 300, `${found} mistakes were met`);
});

test('hostile BTF takes linear time: long chains, loops, and a million names that are none', t => {
  const b = new BtfBuilder();
  const odd = b.string('-'.repeat(5000));
  for (let i = 0; i < 200_000; i++) b.record(8, odd + (i % 5000), {}, b.endId + 1);
  b.typedef('end', 1);
  const btf = Btf.decode(b.build());
  const started = performance.now();
  const { counts } = lint(btf);
  t.true(performance.now() - started < 5000);
  t.is(counts.name, 200_000);
  t.true(counts['modifier-chain'] > 1000);
});

test('docs/lint.md has every rule as the catalogues have it', t => {
  const text = readFileSync(join(repository, 'docs', 'lint.md'), 'utf8');
  for (const [id, { rule }] of Object.entries({ ...RULES, ...SPLIT_RULES }))
    t.true(text.includes(`| \`${id}\` | ${rule.replaceAll('*_check', '\\*_check')} | `), id);
});
