import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { Question, Reply } from './probe-worker.js';
import { type Failure, HEAP, LIMITS, STACK } from './protocol.js';
import type { Outcome } from './target.js';

/** What came of an input: an outcome within the limits, or a failure. */
export type Answer = Exclude<Outcome, { kind: 'crash' }> | Pick<Failure, 'kind' | 'what'>;

/** Milliseconds; many probes of an input that hangs are made while it is made smaller. */
const HUNG = 10_000;

/** Runs single inputs in a thread of its own, which is replaced when one of them does not end or fills its memory. */
export class Probe {
  readonly #targets: string;
  #worker: Worker | undefined;

  /** `targets`: URL of a module with `TARGETS`. */
  constructor(targets: string) {
    this.#targets = targets;
  }

  async ask(target: string, parts: readonly Uint8Array[]): Promise<Answer> {
    const worker = this.#worker ?? (await this.#start());
    worker.postMessage({ target, parts } satisfies Question);
    const answer = await replyOf(worker);
    if (answer.kind === 'hang' || answer.kind === 'memory') await this.close();
    return answer;
  }

  async #start(): Promise<Worker> {
    const worker = new Worker(new URL('./probe-worker.js', import.meta.url), {
      workerData: { targets: this.#targets },
      resourceLimits: { maxOldGenerationSizeMb: HEAP, stackSizeMb: STACK },
    });
    await once(worker, 'message');
    this.#worker = worker;
    return worker;
  }

  async close(): Promise<void> {
    await this.#worker?.terminate();
    this.#worker = undefined;
  }
}

function replyOf(worker: Worker): Promise<Answer> {
  return new Promise(resolve => {
    const settle = (answer: Answer): void => {
      clearTimeout(timer);
      worker.off('error', onError);
      worker.off('message', onMessage);
      resolve(answer);
    };
    const onError = (error: NodeJS.ErrnoException): void =>
      settle(
        error.code === 'ERR_WORKER_OUT_OF_MEMORY'
          ? { kind: 'memory', what: `its heap grew beyond ${HEAP} MiB` }
          : { kind: 'crash', what: String(error) },
      );
    const onMessage = ({ outcome, time }: Reply): void =>
      settle(
        outcome.kind !== 'crash' && time > LIMITS.time ? { kind: 'slow', what: `${Math.round(time)} ms` } : outcome,
      );
    const hung = (): void => settle({ kind: 'hang', what: `no end after ${HUNG} ms` });
    const timer = setTimeout(hung, HUNG);
    worker.on('error', onError);
    worker.on('message', onMessage);
  });
}
