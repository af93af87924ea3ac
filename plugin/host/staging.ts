import { readFileSync } from 'node:fs';

const PREFIX = '.vmlinux-btf-';

/**
 * What the name of a staging folder of this process starts with: its id and when it started, for ids come again (in a
 * container the same few, in every run).
 */
export function stagingPrefix(): string {
  return `${PREFIX}${process.pid}-${stateOf('self')?.started ?? 0}-`;
}

/**
 * Whether a name is that of a staging folder whose process is gone. `inUse`: names of this process's own that are not
 * done yet. Where /proc does not tell when a process started, one that is there counts as the one that made it.
 */
export function isAbandoned(name: string, inUse: readonly string[]): boolean {
  const match = /^\.vmlinux-btf-(\d+)-(?:(\d+)-)?/.exec(name);
  if (match === null || inUse.includes(name)) return false;
  const pid = Number(match[1]);
  if (pid === process.pid || !exists(pid)) return true;
  const state = stateOf(pid);
  if (state === undefined) return false;
  return state.dead || (match[2] !== undefined && match[2] !== '0' && match[2] !== state.started);
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: there, and somebody else's.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

interface ProcessState {
  /** Ended, and not waited for by its parent. */
  readonly dead: boolean;
  /** In clock ticks since the boot. */
  readonly started: string;
}

/** proc_pid_stat(5): state is field 3, starttime field 22; field 2, the name, may hold spaces and parentheses. */
function stateOf(pid: number | 'self'): ProcessState | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return /^\d+$/.test(fields[19] ?? '') ? { dead: /[ZX]/i.test(fields[0]), started: fields[19] } : undefined;
  } catch {
    return undefined;
  }
}
