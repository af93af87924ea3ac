import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { compiled } from '../../support/compile.js';
import { repository } from '../../support/fixtures.js';

const folder = join(repository, 'test', 'boot', 'probe');

/**
 * Path of the probe (`test/boot/probe`), built for one architecture: the /init of every boot test. `cross` is the compiler's
 * prefix, such as `mips-linux-gnu-`.
 */
export function compileProbe(cross: string): string {
  const files = readdirSync(folder).toSorted();
  const ending = (with_: string): string[] =>
    files.filter(name => name.endsWith(with_)).map(name => join(folder, name));
  return compiled({
    name: 'probe',
    compiler: `${cross}gcc`,
    flags: ['-static', '-Os', '-s', '-Wall', '-Wextra', '-Werror'],
    sources: ending('.c'),
    headers: ending('.h'),
  });
}

/** One file of /sys/kernel/btf, as the kernel under test shows it. */
export interface ShownBtf {
  /** Bytes. */
  readonly size: number;
  readonly sha256: string;
}

/** What the kernel made of a BTF that it was handed. */
export interface Loaded {
  readonly result: number;
  /** Last line of the kernel's log, for a failure of BPF_BTF_LOAD. */
  readonly says: string;
}

/** What the kernel made of a BPF program or struct_ops; `test/boot/probe/programs.c` says which of these it has. */
export interface TriedProgram {
  readonly load?: number;
  /** The last line of the verifier's log, of a program that was refused. */
  readonly says?: string;
  readonly attach?: number;
  readonly return?: number;
  readonly connect?: number;
  /** Bytes of an iterator. */
  readonly read?: number;
  /** How often the kernel ran it. */
  readonly runs?: number;
}

/** What loading a module took, in KiB; test/boot/probe/pages.c says how it is counted. */
export interface CountedPages {
  readonly peak: number;
  readonly stay: number;
  /** Calls that the counting programs slept through. */
  readonly missed: number;
}

/** What a program of the initramfs said, and how it ended. */
export interface CommandRun {
  readonly says: readonly string[];
  /** Undefined when it did not come to an end. */
  readonly exit: number | undefined;
}

/** What the probe saw. Results are 0 or a negative errno. */
export interface ProbeReport {
  readonly btf: ReadonlyMap<string, ShownBtf>;
  /** By path in the initramfs, in the order of insertion; of one that was loaded again, the last. */
  readonly insmod: ReadonlyMap<string, number>;
  /** Steps `rmmod`, by name of the module. */
  readonly rmmod: ReadonlyMap<string, number>;
  /** Steps `load`, by path. */
  readonly load: ReadonlyMap<string, Loaded>;
  /** Steps `try`, by path. */
  readonly tried: ReadonlyMap<string, number>;
  /** Steps `count`, by path; the number is why nothing could be counted. */
  readonly pages: ReadonlyMap<string, CountedPages | number>;
  /** Steps `program` and `struct_ops`, by name. */
  readonly programs: ReadonlyMap<string, TriedProgram>;
  /** Steps `run`, by name. */
  readonly commands: ReadonlyMap<string, CommandRun>;
  /** Steps `write`, by name. */
  readonly written: ReadonlyMap<string, number>;
  /** Undefined when the kernel died before. */
  readonly progLoad: number | undefined;
  /** MemTotal, KiB. */
  readonly memTotal: number | undefined;
  /** MemAvailable at the step `memory`, with what is free on the lists of the processors, KiB. */
  readonly memAvailable: number | undefined;
}

/** Reads the probe's lines (the protocol stands in probe.c) out of a console log. */
export function readProbe(log: string): ProbeReport {
  const btf = new Map<string, ShownBtf>();
  const insmod = new Map<string, number>();
  const rmmod = new Map<string, number>();
  const load = new Map<string, Loaded>();
  const tried = new Map<string, number>();
  const pages = new Map<string, CountedPages | number>();
  const programs = new Map<string, TriedProgram>();
  const commands = new Map<string, CommandRun>();
  const written = new Map<string, number>();
  const numbers = new Map<string, number>();
  const results: Readonly<Record<string, Map<string, number>>> = { insmod, rmmod, try: tried, write: written };
  for (const [, words] of log.matchAll(/\bprobe: (.*?)\r?$/gm)) {
    const [what, name = '', ...more] = words.split(' ');
    if (what === 'btf' && more.length === 2) btf.set(name, { size: Number(more[0]), sha256: more[1] });
    else if (what === 'load') load.set(name, { result: Number(more[0]), says: more.slice(1).join(' ') });
    else if (what === 'pages') pages.set(name, pagesLine(more.map(Number)));
    else if (what === 'program') programs.set(name, { ...programs.get(name), ...programLine(more) });
    else if (what === 'run') commands.set(name, commandLine(commands.get(name), more));
    else if (what in results) results[what].set(name, Number(more[0]));
    else if (name !== '') numbers.set(what, Number(name));
  }
  return {
    btf,
    insmod,
    rmmod,
    load,
    tried,
    pages,
    programs,
    commands,
    written,
    progLoad: numbers.get('prog_load'),
    memTotal: numbers.get('memtotal'),
    memAvailable: numbers.get('memavailable'),
  };
}

function pagesLine([peak, stay, missed]: readonly number[]): CountedPages | number {
  return stay === undefined ? peak : { peak, stay, missed };
}

function programLine([what, value, ...words]: readonly string[]): TriedProgram {
  const says = words.join(' ').trim();
  return { [what]: Number(value), ...(says === '' ? {} : { says }) };
}

function commandLine(
  before: CommandRun = { says: [], exit: undefined },
  [what, ...words]: readonly string[],
): CommandRun {
  return what === 'exit'
    ? { ...before, exit: Number(words[0]) }
    : { ...before, says: [...before.says, words.join(' ')] };
}
