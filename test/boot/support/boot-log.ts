/**
 * What a console log says about BTF: the return value of every initcall (a kfunc set that failed to register leaves
 * no other trace), and every line about BTF, BPF, kfuncs, struct_ops, modules, or of a kernel that warns or dies.
 * Pure functions on text; nothing here boots anything.
 */

export interface Initcall {
  /** Function, and `[module]` behind it for those of modules. */
  readonly name: string;
  /** 0, a negative errno, or what else the function returned. */
  readonly value: number;
}

export interface BootLog {
  /** In the order of their return; one name may stand there more than once. */
  readonly initcalls: readonly Initcall[];
  /** Lines that must be equal, normalised, in order. */
  readonly messages: readonly string[];
  /** The carrier's own taint: expected of a module that is not `intree`, or not signed. */
  readonly taints: readonly string[];
  /** The probe came to its end; without that an equal log proves nothing. */
  readonly complete: boolean;
}

export interface ReadOptions {
  /** Ends the log before the first line that holds this text; `complete` still judges the whole. */
  readonly until?: string;
  /** Name of the carrier module. */
  readonly carrier?: string;
}

const INITCALL = /^initcall (.+?) returned (-?\d+) after \d+ usecs$/;
/** The probe's own words, the start of an initcall, and the builder's name, which may well hold "btf". */
const IGNORED = /^(?:probe: |calling {2}\S|Linux version )/;
const FAMILIES = /BTF|BPF|kfunc|struct_ops|module/i;
const TROUBLE = /^qemu[\w-]*: |WARNING:|BUG:|Oops|Kernel panic|Call Trace|preemption imbalance|disabled interrupts/;
const TAINT = /^(\S+): (?:loading out-of-tree module taints kernel|module verification failed: signature)/;

/** Reads a console log up to the probe's end. Lines may end in CR LF and carry printk's levels and timestamps. */
export function readBootLog(text: string, options: ReadOptions = {}): BootLog {
  const { until, carrier = 'vmlinux_btf' } = options;
  const end = until === undefined ? -1 : text.indexOf(until);
  const initcalls: Initcall[] = [];
  const messages: string[] = [];
  const taints: string[] = [];
  for (const raw of text.slice(0, end < 0 ? undefined : end).split('\n')) {
    const line = stripPrefix(raw);
    if (line === 'probe: end') break;
    const initcall = INITCALL.exec(line);
    if (initcall !== null) initcalls.push({ name: withoutAddresses(initcall[1]), value: Number(initcall[2]) });
    else if (IGNORED.test(line)) continue;
    else if (TAINT.exec(line)?.[1] === carrier) taints.push(line);
    else if (FAMILIES.test(line) || TROUBLE.test(line)) messages.push(withoutAddresses(line));
  }
  return { initcalls, messages, taints, complete: /\bprobe: end\b/.test(text) };
}

/**
 * Every difference between the boot of the unsplit kernel and that of the split one, as sentences; empty when the
 * split kernel is as good. A log without its end, or without initcalls, is a difference too: it would prove nothing.
 */
export function compareBoots(unsplit: BootLog, split: BootLog): string[] {
  const unfit = [...checkLog('unsplit', unsplit), ...checkLog('split', split)];
  // Of a boot that broke off every later initcall is missing: the break and its last words are the news.
  const initcalls = unfit.length > 0 ? [] : compareInitcalls(unsplit.initcalls, split.initcalls);
  return [...unfit, ...initcalls, ...compareMessages(unsplit.messages, split.messages)];
}

function checkLog(which: string, log: BootLog): string[] {
  const found: string[] = [];
  if (!log.complete) found.push(`the ${which} kernel did not come to the end of the probe`);
  if (log.initcalls.length === 0)
    found.push(`the ${which} kernel logged no initcall: was it booted with initcall_debug?`);
  return found;
}

function compareInitcalls(before: readonly Initcall[], after: readonly Initcall[]): string[] {
  const was = valuesByName(before);
  const is = valuesByName(after);
  const found: string[] = [];
  for (const [name, values] of was) {
    const now = is.get(name);
    if (now === undefined) found.push(`initcall ${name} is missing (returned ${values})`);
    else if (now !== values) found.push(`initcall ${name} returned ${values}, now ${now}`);
  }
  for (const [name, values] of is) if (!was.has(name)) found.push(`initcall ${name} is new (returned ${values})`);
  if (found.length === 0) {
    const at = before.findIndex((initcall, i) => initcall.name !== after[i]?.name);
    if (at >= 0) found.push(`initcalls run in another order: ${before[at].name} was at ${at}, now ${after[at].name}`);
  }
  return found;
}

/** Static functions of several files share a name: all their values, in order. */
function valuesByName(initcalls: readonly Initcall[]): Map<string, string> {
  const values = new Map<string, string>();
  for (const { name, value } of initcalls) {
    const earlier = values.get(name);
    values.set(name, earlier === undefined ? `${value}` : `${earlier}, ${value}`);
  }
  return values;
}

/** As bags: two processors may print in another order, and the position says nothing about BTF. */
function compareMessages(before: readonly string[], after: readonly string[]): string[] {
  const balance = new Map<string, number>();
  for (const line of before) balance.set(line, (balance.get(line) ?? 0) - 1);
  for (const line of after) balance.set(line, (balance.get(line) ?? 0) + 1);
  return [...balance]
    .filter(([, count]) => count !== 0)
    .map(([line, count]) => `${count > 0 ? 'new' : 'gone'} message (${Math.abs(count)}): ${line}`);
}

/** Without CR, printk's level, timestamp and caller (`<6>[    0.123456][    T1] `). */
function stripPrefix(line: string): string {
  return line.replace(/\r$/, '').replace(/^(?:<\d>)?(?:\[ *\d+\.\d+\](?:\[ *[TC]\d+\])? )?/, '');
}

/** Without what differs from build to build: `+0x18/0x2c` behind functions, and addresses. */
function withoutAddresses(text: string): string {
  return text.replace(/\+0x[0-9a-f]+\/0x[0-9a-f]+/g, '').replace(/\b(?:0x)?[0-9a-f]{8,16}\b/g, 'ADDRESS');
}
