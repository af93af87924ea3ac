/** Targets with a defect each, in place of targets.ts: the tests see whether the fuzzer finds them. */
import type { Seed } from './seed.js';
import type { Target } from './target.js';

const SEEDS: readonly Seed[] = [{ name: 'zeros', parts: [new Uint8Array(64)] }];
const seeds = (): readonly Seed[] => SEEDS;
const LOUD = 0xff;

export async function prepare(): Promise<void> {}

const kept: unknown[] = [];

function recurse(depth: number): number {
  return depth === 0 ? 0 : 1 + recurse(depth - 1);
}

/** Each behaves unless a byte is 0xff somewhere. */
const planted = (name: string, defect: (bytes: Uint8Array) => unknown): Target => ({
  name,
  weight: 1,
  seeds,
  run: ([bytes]) => (bytes.includes(LOUD) ? defect(bytes) : undefined),
});

export const TARGETS: readonly Target[] = [
  planted('throws', () => (undefined as unknown as Uint8Array).length),
  planted('rejects', async () => Promise.reject(new RangeError('late'))),
  planted('hangs', () => {
    for (;;);
  }),
  planted('takes its time', () => {
    const start = process.cpuUsage();
    for (let used = process.cpuUsage(start); used.user + used.system < 1_300_000; ) used = process.cpuUsage(start);
  }),
  planted('allocates', () => new Uint8Array(400 << 20).fill(1).length),
  planted('fills the heap', () => {
    for (;;) kept.push(new Array(1_000_000).fill(kept));
  }),
  planted('recurses', () => recurse(20_000)),
  planted('changes its input', bytes => bytes.fill(0)),
  planted('behaves', () => {}),
];
