/** The thread that runs one input after the other as it is told, for {@link Probe}. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { emptied, type Outcome, runTarget, type Target } from './target.js';

const { TARGETS } = (await import(workerData.targets)) as { TARGETS: readonly Target[] };

/** What a probe is asked. */
export interface Question {
  readonly target: string;
  readonly parts: readonly Uint8Array[];
}

/** What it answers; `time` in milliseconds. */
export interface Reply {
  readonly outcome: Outcome;
  readonly time: number;
}

parentPort?.on('message', async ({ target: name, parts }: Question) => {
  const target = TARGETS.find(target => target.name === name);
  if (target === undefined) throw new Error(`no target ${name}`);
  const folder = mkdtempSync(join(tmpdir(), 'vmlinux-btf-probe-'));
  const started = performance.now();
  const outcome = await runTarget(target, parts, emptied(folder));
  const time = performance.now() - started;
  rmSync(folder, { recursive: true });
  parentPort?.postMessage({ outcome, time } satisfies Reply);
});
parentPort?.postMessage('ready');
