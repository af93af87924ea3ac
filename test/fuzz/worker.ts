/** The thread that runs cases: it may hang or run out of memory, and is then ended by {@link superviseCases}. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { makeCase, partsOf } from './cases.js';
import { peakMemory } from './memory.js';
import { count, type Failure, LIMITS, type Message, type Order, type Tally } from './protocol.js';
import { emptied, type Outcome, runTarget, type Target } from './target.js';

const { seed, from, to, only, current, targets: module } = workerData as Order;
const { TARGETS: targets, prepare } = (await import(module)) as {
  TARGETS: readonly Target[];
  prepare: () => Promise<void>;
};
const chosen = targets.find(({ name }) => name === only);
const running = new Int32Array(current);
const folder = mkdtempSync(join(tmpdir(), 'vmlinux-btf-fuzz-'));
const tell = (message: Message): void => parentPort?.postMessage(message);
let tally: Tally = {};
let slowest = 0;
/** The memory is freed with this thread: another goes on. */
let full = false;

/** Milliseconds of the machine's time, and no more than passed: on a busy machine a case waits for its turn. */
async function timed(target: Target, parts: readonly Uint8Array[]): Promise<{ outcome: Outcome; time: number }> {
  Atomics.add(running, 1, 1);
  const started = performance.now();
  const used = process.cpuUsage();
  const outcome = await runTarget(target, parts, folder);
  const { user, system } = process.cpuUsage(used);
  return { outcome, time: Math.min(performance.now() - started, (user + system) / 1000) };
}

async function runCase(number: number): Promise<void> {
  const made = makeCase(targets, seed, number, chosen);
  const parts = partsOf(made);
  const fail = (kind: Failure['kind'], what: string): void =>
    tell({ kind: 'failure', failure: { case: number, target: made.target.name, seed: made.seed.name, kind, what } });
  let { outcome, time } = await timed(made.target, parts);
  emptied(folder);
  if (time > LIMITS.time) {
    // A busy machine is no defect: the same case again.
    const again = await timed(made.target, parts);
    emptied(folder);
    time = Math.min(time, again.time);
  }
  slowest = Math.max(slowest, time);
  const peak = peakMemory();
  // What fills memory may take its time for that alone, where pages are slow to come.
  if (peak > LIMITS.memory) {
    fail('memory', `${Math.round(peak)} MiB`);
    full = true;
  } else if (time > LIMITS.time) fail('slow', `${Math.round(time)} ms`);
  if (outcome.kind === 'crash') fail('crash', outcome.what);
  count(tally, made.target.name, outcome.kind === 'refused' ? outcome.code : outcome.kind, 1);
}

await prepare();
try {
  let told = from;
  for (let number = from; number < to; number++) {
    Atomics.store(running, 0, number);
    try {
      await runCase(number);
    } catch (error) {
      tell({ kind: 'broken', what: `case ${number}: ${error instanceof Error ? error.stack : error}` });
      break;
    }
    if (number + 1 - told < 500 && number + 1 < to && !full) continue;
    tell({ kind: 'progress', done: number + 1 - told, tally, slowest });
    tally = {};
    told = number + 1;
    if (full) break;
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
