import { Worker } from 'node:worker_threads';
import type { FileSource } from '../bytes/source.js';
import { hashSource } from './hash.js';

/** The hash of a file that a thread of its own finds out. */
export interface HashAside {
  /** Hex SHA-256; made here where the thread could not. */
  readonly sha256: () => Promise<string>;
  /** Ends the thread; to be called before the file is closed. */
  readonly stop: () => Promise<unknown>;
}

/** Starts to hash an open file while this thread goes on: a vmlinux with DWARF has hundreds of megabytes. */
export function hashAside(source: FileSource): HashAside {
  const worker = new Worker(`(${hashInThread})(require)`, { eval: true, workerData: source.openPath });
  const told = new Promise<string | undefined>(resolve => {
    worker.once('message', resolve);
    worker.once('error', () => resolve(undefined));
    worker.once('exit', () => resolve(undefined));
  });
  return { sha256: async () => (await told) ?? hashSource(source), stop: () => worker.terminate() };
}

/** Runs as the text of a script: it has nothing but what it asks `load` for. */
function hashInThread(load: (name: string) => never): void {
  const { parentPort, workerData }: typeof import('node:worker_threads') = load('node:worker_threads');
  const { openSync, readSync }: typeof import('node:fs') = load('node:fs');
  const { createHash }: typeof import('node:crypto') = load('node:crypto');
  const hash = createHash('sha256');
  const room = new Uint8Array(1 << 20);
  const fd = openSync(workerData, 'r');
  for (let got = readSync(fd, room); got > 0; got = readSync(fd, room)) hash.update(room.subarray(0, got));
  parentPort?.postMessage(hash.digest('hex'));
}
