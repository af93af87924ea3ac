/**
 * Mutates ELF files, BTF, .BTF.ext, modules and out folders, and holds the program to its rule: a result or one coded
 * error of exit 2 or 3, within a second and 300 MiB, the input unchanged.
 *
 *   npm run fuzz -- --minutes 10 [--seed 7] [--target btf]      until the first failure, or the time is over
 *   npm run fuzz -- --seed 7 --case 1234 [--target btf]         one case again
 *   npm run fuzz -- --cases 20000 --seed 1 --json               a fixed number, all failures (what CI does)
 *
 * `--targets MODULE` takes the targets of another module than test/fuzz/targets.js. A failure is written, as small as it gets, to test/corpus. Exit code 1 when there was one.
 */
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { keepFailures } from '../test/fuzz/keep.js';
import { LIMITS } from '../test/fuzz/protocol.js';
import { type Summary, superviseCases } from '../test/fuzz/supervise.js';
import type { Target } from '../test/fuzz/target.js';

const text = { type: 'string' } as const;
const { values } = parseArgs({
  options: {
    targets: text,
    minutes: text,
    seed: text,
    target: text,
    case: text,
    cases: text,
    json: { type: 'boolean' },
  },
});

function wholeNumber(name: 'seed' | 'case' | 'cases', fallback: number): number {
  const value = values[name] === undefined ? fallback : Number(values[name]);
  if (!Number.isInteger(value) || value < 0 || value >= 2 ** 31) throw new Error(`--${name} takes a whole number`);
  return value;
}

const targets = pathToFileURL(
  resolve(values.targets ?? join(import.meta.dirname, '..', 'test', 'fuzz', 'targets.js')),
).href;
const { TARGETS } = (await import(targets)) as { TARGETS: readonly Target[] };

const minutes = Number(values.minutes ?? '1');
if (!(minutes > 0)) throw new Error('--minutes takes a number above 0');
if (values.target !== undefined && !TARGETS.some(({ name }) => name === values.target))
  throw new Error(`--target takes one of ${TARGETS.map(({ name }) => name).join(', ')}`);
const seed = wholeNumber('seed', Math.floor(Date.now() / 1000) % 2 ** 31);
const from = wholeNumber('case', 0);
const counted = values.case !== undefined || values.cases !== undefined;
const to = values.case !== undefined ? from + 1 : wholeNumber('cases', 2 ** 31 - 1);

const started = Date.now();
const summary = await superviseCases({
  targets,
  seed,
  from,
  to,
  only: values.target,
  most: counted ? 20 : 1,
  until: counted ? undefined : started + minutes * 60_000,
  onProgress: (done, failures) => {
    if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${done} cases, ${failures} failures`);
  },
});
if (values.json) process.stdout.write(`${JSON.stringify(summary)}\n`);
else {
  for (const line of table(summary)) console.log(line);
  for (const failure of await keepFailures(targets, summary, values.target)) console.log(failure);
}
process.exitCode = summary.failures.length > 0 || summary.peak > LIMITS.memory ? 1 : 0;

/** A line a target: how many cases were fine, and how many were refused. */
function* table({ cases, tally, slowest, peak }: Summary): Generator<string> {
  for (const [target, counts] of Object.entries(tally).sort()) {
    const all = Object.values(counts).reduce((sum, count) => sum + count, 0);
    const codes = Object.keys(counts).filter(label => label !== 'fine' && label !== 'crash');
    yield `${target.padEnd(12)} ${all} cases, ${counts.fine ?? 0} fine, ${codes.length} codes: ${codes.sort().join(' ')}`;
  }
  const seconds = Math.round((Date.now() - started) / 1000);
  yield `seed ${seed}: ${cases} cases in ${seconds} s; slowest ${slowest} ms, peak ${peak} MiB`;
}
