import { readFileSync, writeFileSync } from 'node:fs';

/** Peak resident memory of this process, in MiB. On Linux without what its parent had when it was started. */
export function peakMemory(): number {
  try {
    return Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1]) / 1024;
  } catch {
    return process.resourceUsage().maxRSS / 1024;
  }
}

/** Starts the peak anew, where the system can (Linux). */
export function forgetPeak(): void {
  try {
    writeFileSync('/proc/self/clear_refs', '5');
  } catch {
    // Then one case that takes too much hides the next.
  }
}
