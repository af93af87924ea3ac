/** Limits that every case is held to. */
export const LIMITS = {
  /** One case, in milliseconds of the machine's time, the faster of two runs. */
  time: 1000,
  /** A run that has not ended is taken to hang after so many milliseconds of the machine's time, */
  hang: 5000,
  /** or after so many that have passed: on a busy machine it may wait for its turn. */
  patience: 60_000,
  /** The whole process at its peak, in MiB. */
  memory: 300,
} as const;

/** Heap of the thread in MiB, so that a case that fills it ends the thread and not the process. */
export const HEAP = 192;
/** MiB, as the program's own thread has it; threads have four by default, which hides recursion. */
export const STACK = 1;

/** What the worker is started with. */
export interface Order {
  /** Module whose `TARGETS` are run, as a URL: a test plants targets of its own. */
  readonly targets: string;
  readonly seed: number;
  /** First case, and one past the last. */
  readonly from: number;
  readonly to: number;
  /** Name of the only target, or undefined for all. */
  readonly only: string | undefined;
  /** Two Int32: the case that runs, or -1 before the first; how many runs were started. */
  readonly current: SharedArrayBuffer;
}

export interface Failure {
  readonly case: number;
  readonly target: string;
  readonly seed: string;
  readonly kind: 'crash' | 'slow' | 'hang' | 'memory';
  readonly what: string;
}

/** By target: how many cases were fine, and how many were refused with each code. */
export type Tally = Record<string, Record<string, number>>;

/** Adds `n` cases that came to `label`. */
export function count(tally: Tally, target: string, label: string, n: number): void {
  tally[target] ??= {};
  tally[target][label] = (tally[target][label] ?? 0) + n;
}

/** `broken`: the fuzzer itself threw. */
export type Message =
  | { readonly kind: 'broken'; readonly what: string }
  | { readonly kind: 'failure'; readonly failure: Failure }
  | { readonly kind: 'progress'; readonly done: number; readonly tally: Tally; readonly slowest: number };
