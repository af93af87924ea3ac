import type { ProbeReport } from './probe.js';
import { type Step, step } from './steps.js';

/** Events of kprobes whose argument is told by its name: the kernel looks it up in its BTF (trace_btf.c). */

const EVENTS = '/sys/kernel/tracing/dynamic_events';
/** A function and one of its arguments, of the base and of the rest. */
const ARGUMENTS = { base: 'tcp_slow_start acked=acked', rest: 'vfs_read count=count' } as const;
type When = 'unsplit' | 'before' | 'after';

const ENOENT = -2;

function* events(when: When): Iterable<{ name: string; side: string; definition: string }> {
  for (const [side, probe] of Object.entries(ARGUMENTS)) {
    const name = `${side}_${when}`;
    yield { name, side, definition: `p:boot/${name} ${probe}` };
  }
}

export function eventSteps(when: When): Step[] {
  const mount = step('mount tracefs /sys/kernel/tracing');
  return [mount, ...[...events(when)].map(({ name, definition }) => step(`write ${name} ${EVENTS} ${definition}`))];
}

/** Sentences: all are taken, but those of the rest `before` the carrier is there. */
export function judgeEvents({ written }: ProbeReport, when: When): string[] {
  return [...events(when)].flatMap(({ name, side, definition }) => {
    const [is, must] = [written.get(name), side === 'rest' && when === 'before' ? ENOENT : 0];
    return is === must ? [] : [`probe event '${definition}': ${is}, not ${must}`];
  });
}
