/** Runs a target on files, in a process of its own whose time and memory are theirs: run-files.js TARGET FILE... */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { peakMemory } from './memory.js';
import { type Outcome, runTarget } from './target.js';
import { TARGETS } from './targets.js';

/** What is printed, as JSON. */
export interface FilesRun {
  readonly outcome: Outcome;
  /** Milliseconds of the machine's time. */
  readonly time: number;
  /** MiB, of the whole process. */
  readonly peak: number;
}

const [name, ...files] = process.argv.slice(2);
const target = TARGETS.find(target => target.name === name);
if (target === undefined) throw new Error(`no target ${name}`);
const folder = mkdtempSync(join(tmpdir(), 'vmlinux-btf-files-'));
try {
  const parts = files.map(file => readFileSync(file));
  const used = process.cpuUsage();
  const outcome = await runTarget(target, parts, folder);
  const { user, system } = process.cpuUsage(used);
  const run: FilesRun = { outcome, time: Math.round((user + system) / 1000), peak: Math.round(peakMemory()) };
  console.log(JSON.stringify(run));
} finally {
  rmSync(folder, { recursive: true });
}
