import { closeSync, mkdirSync, readdirSync, renameSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { CodedError, formatError } from '../errors.js';
import { isRead, makeFifos, openForWriting, readLines } from '../host/fifo.js';
import { isAbandoned, stagingPrefix } from '../host/staging.js';
import { TOOL } from '../version.js';
import { Requests, readRequest } from './request.js';
import { SideFolder } from './side-files.js';

/** Wrappers that wait at one time, two for each job of make at the most; another one starts Node itself. */
const SLOTS = 64;
/** With fewer left, more are made. */
const FEW = SLOTS / 2;

/** Wrappers write to it which slot has a request. */
const REQUESTS = 'requests';
const SUFFIX = { slot: '.slot', request: '.request' } as const;

/** What a wrapper reads of its slot; `none`: nothing was done, and it is to start Node. */
const ANSWER = { done: 'done\n', none: 'none\n', stop: 'stop\n' } as const;

/**
 * Splits vmlinux and re-bases modules for the wrappers of a build while make runs: a process that runs already takes some milliseconds for a
 * module, and a new one a few hundred before it has begun. The wrappers are shell scripts, so what they meet at is a folder. In it are *slots*,
 * named pipes that this process holds open for writing. A wrapper takes one by creating its request, which fails when there is one; it opens the
 * slot to read, names it in the pipe `requests` and waits. A slot is used once: what is left in it goes with it. Nobody waits for one that is
 * dead: when this process ends, however it ends, the slot has no writer any more and the wrapper reads its end; when a wrapper is gone, its slot
 * has no reader, and nothing is done for it. An error is told with the words and the status that Node would have, started by the wrapper as
 * without a service.
 */
export class BuildService {
  readonly folder: string;
  /** Fulfilled once wrappers can wait, or when they never will: without mkfifo, on a file system without named pipes. */
  readonly ready: Promise<void>;
  readonly #requests = new Requests();
  #endRequests: (() => void) | undefined;
  /** Descriptors of slots that have not been named yet, and of those that have not been answered yet, by name. */
  readonly #free = new Map<string, number>();
  readonly #waiting = new Map<string, number>();
  #made = 0;
  #stopped = false;
  #making: Promise<void> | undefined;
  /** One request after the other. */
  #queue: Promise<void> = Promise.resolve();

  private constructor(folder: string) {
    this.folder = folder;
    this.ready = this.#begin().catch(() => removeFolder(folder));
  }

  /**
   * Wrappers that come before it is ready start Node. Undefined where there is no place for its folder. Folders of such processes that are
   * gone are removed.
   */
  static open(objtree: string): BuildService | undefined {
    const side = new SideFolder(objtree).path;
    const folder = join(side, `${stagingPrefix()}service`);
    try {
      mkdirSync(side, { recursive: true });
      for (const name of readdirSync(side)) if (isAbandoned(name, [])) removeFolder(join(side, name));
      mkdirSync(folder);
      return new BuildService(folder);
    } catch {
      removeFolder(folder);
      return undefined;
    }
  }

  async #begin(): Promise<void> {
    const requests = join(this.folder, REQUESTS);
    const slots = this.#newSlots();
    await makeFifos([requests, ...slots.map(name => join(this.folder, name))]);
    if (this.#stopped) return removeFolder(this.folder);
    this.#endRequests = readLines(requests, name => this.#take(name));
    this.#offer(slots);
  }

  /** Ends it once all that were named are answered. */
  async end(): Promise<void> {
    await this.ready;
    await this.#making;
    await this.#queue;
    this.stop();
  }

  /** Ends it at once: the build has ended, and wrappers that still wait end too. */
  stop(): void {
    this.#stopped = true;
    this.#endRequests?.();
    for (const descriptor of [...this.#free.values(), ...this.#waiting.values()]) {
      answer(descriptor, ANSWER.stop);
      closeSync(descriptor);
    }
    this.#free.clear();
    this.#waiting.clear();
    removeFolder(this.folder);
  }

  #newSlots(): string[] {
    return Array.from({ length: SLOTS }, () => String(this.#made++));
  }

  async #makeSlots(): Promise<void> {
    const names = this.#newSlots();
    await makeFifos(names.map(name => join(this.folder, name)));
    if (!this.#stopped) this.#offer(names);
  }

  /** Named pipes that are there become slots. */
  #offer(names: readonly string[]): void {
    for (const name of names) {
      const path = join(this.folder, name);
      this.#free.set(name, openForWriting(path));
      // It is seen only now that it can be waited for.
      renameSync(path, `${path}${SUFFIX.slot}`);
    }
  }

  #take(name: string): void {
    const descriptor = this.#free.get(name);
    if (descriptor === undefined) return;
    this.#free.delete(name);
    this.#waiting.set(name, descriptor);
    if (this.#free.size < FEW)
      this.#making ??= this.#makeSlots()
        .catch(() => {})
        .finally(() => {
          this.#making = undefined;
        });
    this.#queue = this.#queue.then(() => this.#serve(name));
  }

  async #serve(name: string): Promise<void> {
    const [slot, request] = [SUFFIX.slot, SUFFIX.request].map(suffix => join(this.folder, `${name}${suffix}`));
    if (isRead(slot)) {
      const told = await this.#tell(request);
      answer(this.#waiting.get(name), told);
    }
    const descriptor = this.#waiting.get(name);
    if (descriptor === undefined) return;
    this.#waiting.delete(name);
    // In this order: who can still create a request finds no slot.
    rmSync(slot, { force: true });
    rmSync(request, { force: true });
    closeSync(descriptor);
  }

  /** Does what is asked for; what the wrapper is to read. */
  async #tell(path: string): Promise<string> {
    try {
      const request = readRequest(path);
      if (request === undefined) return ANSWER.none;
      await this.#requests.answer(request);
      return ANSWER.done;
    } catch (thrown) {
      const error = thrown instanceof CodedError ? thrown : new CodedError('invariant', String(thrown), {}, thrown);
      return `failed ${error.exitCode} ${TOOL.name}: ${formatError(error)}\n`;
    }
  }
}

function answer(descriptor: number | undefined, text: string): void {
  try {
    if (descriptor !== undefined) writeSync(descriptor, text);
  } catch {
    // EPIPE: nobody waits any more.
  }
}

/** What cannot be removed, the next build removes. */
function removeFolder(path: string): void {
  try {
    // A wrapper may create a request meanwhile.
    rmSync(path, { recursive: true, force: true, maxRetries: 3 });
  } catch {}
}
