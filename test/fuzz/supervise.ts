import { Worker } from 'node:worker_threads';
import { makeCase } from './cases.js';
import { forgetPeak, peakMemory } from './memory.js';
import { count, type Failure, HEAP, LIMITS, type Message, type Order, STACK, type Tally } from './protocol.js';
import type { Target } from './target.js';

const LOOK_EVERY = 100;

export interface RunOptions {
  /** Module with `TARGETS` and `prepare`, as a URL. */
  readonly targets: string;
  readonly seed: number;
  readonly from: number;
  /** One past the last case. */
  readonly to: number;
  readonly only?: string | undefined;
  /** Ends the run after so many failures. */
  readonly most: number;
  /** Ends the run at this time (Date.now). */
  readonly until?: number | undefined;
  readonly onProgress?: (done: number, failures: number) => void;
}

export interface Summary {
  readonly seed: number;
  readonly cases: number;
  readonly failures: readonly Failure[];
  readonly tally: Tally;
  /** Milliseconds of the slowest case, and MiB of the process at its peak. */
  readonly slowest: number;
  readonly peak: number;
}

/** Runs cases in a thread; one that hangs or fills its memory is a failure, and the run goes on behind it. */
export async function superviseCases(options: RunOptions): Promise<Summary> {
  const run = new Run(options);
  let from = options.from;
  while (from < options.to && !run.over) from = await run.from(from);
  return run.summary();
}

class Run {
  readonly #options: RunOptions;
  readonly #failures: Failure[] = [];
  readonly #tally: Tally = {};
  #broken: string | undefined;
  #cases = 0;
  #slowest = 0;
  #peak = 0;

  constructor(options: RunOptions) {
    this.#options = options;
  }

  get over(): boolean {
    const { most, until } = this.#options;
    return this.#failures.length >= most || (until !== undefined && Date.now() >= until);
  }

  summary(): Summary {
    return {
      seed: this.#options.seed,
      cases: this.#cases,
      failures: this.#failures,
      tally: this.#tally,
      slowest: Math.round(this.#slowest),
      peak: Math.round(Math.max(this.#peak, peakMemory())),
    };
  }

  /** Runs one thread until it is done or must be ended; returns the case to go on with. */
  async from(from: number): Promise<number> {
    const { targets, seed, to, only } = this.#options;
    const counted = this.#cases;
    this.#peak = Math.max(this.#peak, peakMemory());
    forgetPeak();
    const current = new SharedArrayBuffer(8);
    const running = new Int32Array(current);
    running[0] = -1;
    const order: Order = { targets, seed, from, to, only, current };
    const worker = new Worker(new URL('./worker.js', import.meta.url), {
      workerData: order,
      resourceLimits: { maxOldGenerationSizeMb: HEAP, stackSizeMb: STACK },
    });
    let seen = -1;
    let since = Date.now();
    let used = process.cpuUsage();
    let hung = false;
    const timer = setInterval(() => {
      const now = Atomics.load(running, 1);
      if (now !== seen || now === 0) {
        since = Date.now();
        used = process.cpuUsage();
      }
      seen = now;
      const { user, system } = process.cpuUsage(used);
      hung = (user + system) / 1000 > LIMITS.hang || Date.now() - since > LIMITS.patience;
      if (hung || this.over) worker.terminate();
    }, LOOK_EVERY);
    worker.on('message', (message: Message) => this.#hear(message));
    const death = await new Promise<Error | undefined>((resolve, reject) => {
      let error: Error | undefined;
      worker.on('error', thrown => {
        error = thrown;
      });
      worker.on('exit', () => (error !== undefined && running[0] < 0 ? reject(error) : resolve(error)));
    });
    clearInterval(timer);
    if (this.#broken !== undefined) throw new Error(`the fuzzer is broken: ${this.#broken}`);
    const last = running[0];
    // A thread that was ended has not told its last cases.
    this.#cases = counted + last + 1 - from;
    if (hung) await this.#blame(last, 'hang', `no end after ${LIMITS.hang} ms of work`);
    else if ((death as NodeJS.ErrnoException | undefined)?.code === 'ERR_WORKER_OUT_OF_MEMORY')
      await this.#blame(last, 'memory', `its heap grew beyond ${HEAP} MiB`);
    else if (death !== undefined) await this.#blame(last, 'crash', `${death.name}: ${death.message}`);
    return last + 1;
  }

  #hear(message: Message): void {
    if (message.kind === 'broken') this.#broken = message.what;
    else if (message.kind === 'failure') {
      if (!this.over) this.#failures.push(message.failure);
    } else {
      this.#cases += message.done;
      this.#slowest = Math.max(this.#slowest, message.slowest);
      for (const [target, counts] of Object.entries(message.tally))
        for (const [label, n] of Object.entries(counts)) count(this.#tally, target, label, n);
    }
    this.#options.onProgress?.(this.#cases, this.#failures.length);
  }

  async #blame(number: number, kind: Failure['kind'], what: string): Promise<void> {
    const { TARGETS, prepare } = (await import(this.#options.targets)) as {
      TARGETS: readonly Target[];
      prepare: () => Promise<void>;
    };
    await prepare();
    const only = TARGETS.find(({ name }) => name === this.#options.only);
    const { target, seed } = makeCase(TARGETS, this.#options.seed, number, only);
    this.#failures.push({ case: number, target: target.name, seed: seed.name, kind, what });
  }
}
