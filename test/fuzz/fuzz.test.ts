import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import test from 'ava';
import { repository } from '../support/fixtures.js';
import { LIMITS } from './protocol.js';
import type { Summary } from './supervise.js';
import { TARGETS } from './targets.js';

const CASES = 21_000;
const SEED = 1;

test('21,000 mutated files: each is read or refused with one coded error, in time and in memory', async t => {
  t.timeout(900_000, 'on a busy machine');
  const args = [join(repository, 'build', 'scripts', 'fuzz.js'), '--cases', `${CASES}`, '--seed', `${SEED}`, '--json'];
  // A run that found something ends with 1.
  const { stdout } = await promisify(execFile)(process.execPath, args).catch((error: { stdout: string }) => error);
  const { cases, failures, tally, peak, slowest } = JSON.parse(stdout) as Summary;
  t.deepEqual(failures, []);
  t.is(cases, CASES);
  t.true(peak <= LIMITS.memory, `${peak} MiB`);
  t.true(slowest <= LIMITS.time, `${slowest} ms`);
  t.log(`seed ${SEED}, slowest ${slowest} ms, peak ${peak} MiB`);
  // Mutations that always or never break a file would prove nothing about its reader.
  const weights = TARGETS.reduce((sum, { weight }) => sum + weight, 0);
  for (const { name, weight } of TARGETS) {
    const { fine = 0, ...refused } = tally[name] ?? {};
    const all = fine + Object.values(refused).reduce((sum, count) => sum + count, 0);
    t.true(all > (CASES * weight) / weights / 2, `${name}: ${all} cases`);
    // Of a slow target there are a hundred cases, which do not meet every error.
    t.true(
      fine < all && Object.keys(refused).length >= (weight === 1 ? 2 : 3),
      `${name}: ${JSON.stringify(tally[name])}`,
    );
    if (name !== 'verify') t.true(fine > all / 100, `${name}: ${fine} of ${all} fine`);
  }
});
