import type { Metric } from '../report/metrics.js';
import type { Amount } from './units.js';

export const LEVELS = ['error', 'warn'] as const;

/** What a broken budget is. */
export type Level = (typeof LEVELS)[number];

/** An amount as it was written, and what it says. */
export interface Written<A extends Amount = Amount> {
  readonly text: string;
  readonly amount: A;
}

/** A limit on one figure of a report. */
export interface Budget {
  readonly metric: Metric;
  /** The most that the figure may be; a percent is of the whole of the metric. */
  readonly max?: Written;
  /** The most that it may be above the baseline; a percent is of the baseline. */
  readonly maxIncrease?: Written;
  /** An increase counts from this one on. */
  readonly andAtLeast?: Written<number>;
  /** Of `image.partition`: the size of the partition in bytes. */
  readonly partition?: Written<number>;
  readonly level: Level;
  /** Told when the budget is broken. */
  readonly message?: string;
}
