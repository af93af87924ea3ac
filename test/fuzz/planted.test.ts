import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import test from 'ava';
import { repository } from '../support/fixtures.js';
import { makeCase, partsOf } from './cases.js';
import { minimize } from './minimize.js';
import { TARGETS } from './planted.js';
import { Probe } from './probe.js';
import type { Summary } from './supervise.js';

const planted = join(repository, 'build', 'test', 'fuzz', 'planted.js');

/** A run of the fuzzer on one planted target, in a process of its own, for memory is counted by process. */
async function fuzz(target: string, cases = 200): Promise<Summary> {
  const args = ['--targets', planted, '--target', target, '--seed', '1', '--cases', String(cases), '--json'];
  const run = promisify(execFile)(process.execPath, [join(repository, 'build', 'scripts', 'fuzz.js'), ...args]);
  // A run that found something ends with 1.
  const { stdout } = await run.catch((error: { stdout: string }) => error);
  return JSON.parse(stdout) as Summary;
}

const DEFECTS = [
  { target: 'throws', cases: 200, kind: 'crash', what: /^TypeError: Cannot read properties of undefined/ },
  { target: 'rejects', cases: 200, kind: 'crash', what: /^RangeError: late/ },
  { target: 'recurses', cases: 200, kind: 'crash', what: /^RangeError: Maximum call stack size exceeded/ },
  { target: 'changes its input', cases: 200, kind: 'crash', what: /^it changed its input, part 0$/ },
  { target: 'takes its time', cases: 20, kind: 'slow', what: /^\d{4,} ms$/ },
  { target: 'hangs', cases: 20, kind: 'hang', what: /^no end after \d+ ms of work$/ },
  { target: 'allocates', cases: 20, kind: 'memory', what: /^\d{3,} MiB$/ },
  { target: 'fills the heap', cases: 20, kind: 'memory', what: /^its heap grew beyond \d+ MiB$/ },
] as const;

for (const { target, cases, kind, what } of DEFECTS)
  test.serial(`found: a reader that ${target}`, async t => {
    t.timeout(600_000, 'hangs are waited for');
    const { failures } = await fuzz(target, cases);
    t.true(failures.length > 0);
    for (const failure of failures) {
      t.is(failure.kind, kind);
      t.is(failure.target, target);
      t.regex(failure.what, what);
      const { mutations, seed } = makeCase(
        TARGETS,
        1,
        failure.case,
        TARGETS.find(({ name }) => name === target),
      );
      t.is(seed.name, failure.seed);
      t.true(mutations.length > 0);
    }
    // Every case whose input shows the defect is found, and no other.
    const chosen = TARGETS.find(({ name }) => name === target);
    const loud = Array.from({ length: cases }, (_, number) => number).filter(number =>
      partsOf(makeCase(TARGETS, 1, number, chosen))[0].includes(0xff),
    );
    t.deepEqual(
      failures.map(failure => failure.case),
      loud.slice(0, failures.length),
    );
    t.is(failures.length, Math.min(loud.length, 20));
  });

test.serial('nothing is found in a reader that behaves', async t => {
  const { failures, cases, tally } = await fuzz('behaves');
  t.deepEqual(failures, []);
  t.is(cases, 200);
  t.deepEqual(tally, { behaves: { fine: 200 } });
});

test.serial('a failure is made as small as it gets: one byte of the seed', async t => {
  const target = TARGETS[0];
  const probe = new Probe(new URL('./planted.js', import.meta.url).href);
  t.teardown(() => probe.close());
  let tried = 0;
  for (let number = 0; tried < 5; number++) {
    const made = makeCase(TARGETS, 3, number, target);
    const before = partsOf(made)[0];
    if (!before.includes(0xff) || before.length !== 64) continue;
    tried++;
    const smaller = await minimize(made, probe);
    t.is(smaller?.answer.kind, 'crash');
    t.deepEqual(
      [...(smaller?.parts[0] ?? [])].filter(byte => byte !== 0),
      [0xff],
    );
  }
});

test.serial('what does not fail is not made smaller', async t => {
  const probe = new Probe(new URL('./planted.js', import.meta.url).href);
  t.teardown(() => probe.close());
  const behaves = TARGETS.find(({ name }) => name === 'behaves');
  t.is(await minimize(makeCase(TARGETS, 1, 0, behaves), probe), undefined);
});
