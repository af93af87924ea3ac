import { mutate } from './mutate.js';
import { Random } from './random.js';
import type { Seed } from './seed.js';
import type { Target } from './target.js';

/** One input, told by the seed of the run and its number. */
export interface Case {
  readonly target: Target;
  readonly seed: Seed;
  /** The start of each mutation's random numbers: leaving some out gives a simpler case. */
  readonly mutations: readonly number[];
}

const MOST_MUTATIONS = 12;

/** Case `number` of a run. `only`: every case for this target, and otherwise as without it. */
export function makeCase(targets: readonly Target[], runSeed: number, number: number, only?: Target): Case {
  const random = new Random(runSeed, number);
  const any = random.weighted(targets);
  const target = only ?? any;
  const seed = random.pick(target.seeds());
  const mutations: number[] = [];
  do mutations.push(random.next());
  while (mutations.length < MOST_MUTATIONS && !random.oneIn(2));
  return { target, seed, mutations };
}

/** The bytes of a case: the same on every machine. */
export function partsOf({ target, seed, mutations }: Case): Uint8Array[] {
  const parts = seed.parts.map(part => Uint8Array.from(part));
  for (const start of mutations) mutate(parts, seed, target.seeds(), new Random(start));
  return parts;
}
