import { execFileSync } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { cacheFolder } from '../../support/cache.js';
import { repository } from '../../support/fixtures.js';

const folder = join(repository, 'test', 'boot', 'probe');
const SOURCES = ['probe.c', 'programs.c'];
const FLAGS = ['-static', '-Os', '-s', '-Wall', '-Wextra', '-Werror'];

/**
 * Path of the probe (`test/boot/probe`), built for one architecture: the /init of every boot test. Kept in the cache
 * under the hash of its sources, flags and compiler version. `cross` is the compiler's prefix, such as `mips-linux-gnu-`.
 */
export function compileProbe(cross: string): string {
  const compiler = `${cross}gcc`;
  const key = createHash('sha256').update(execFileSync(compiler, ['-v', '--version'], { stdio: 'pipe' }));
  for (const name of [...SOURCES, 'probe.h', 'sha256.h']) key.update(readFileSync(join(folder, name)));
  key.update(FLAGS.join(' ')).update(compiler);
  const path = join(cacheFolder, 'probe', key.digest('hex').slice(0, 16), 'probe');
  if (!existsSync(path)) {
    mkdirSync(dirname(path), { recursive: true });
    const partial = `${path}.${randomUUID()}`;
    execFileSync(compiler, [...FLAGS, '-o', partial, ...SOURCES.map(name => join(folder, name))], { stdio: 'pipe' });
    renameSync(partial, path);
  }
  return path;
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
  /** How often the kernel ran it. */
  readonly runs?: number;
}

/** What the probe saw. Results are 0 or a negative errno. */
export interface ProbeReport {
  readonly btf: ReadonlyMap<string, ShownBtf>;
  /** By path in the initramfs, in the order of insertion. */
  readonly insmod: ReadonlyMap<string, number>;
  /** BPF_BTF_LOAD of each file of load.list, by path. */
  readonly load: ReadonlyMap<string, Loaded>;
  /** insmod of each module of try.list, by path. */
  readonly tried: ReadonlyMap<string, number>;
  /** Each program of the lists, by name. */
  readonly programs: ReadonlyMap<string, TriedProgram>;
  /** Undefined when the kernel died before. */
  readonly progLoad: number | undefined;
  /** MemTotal, KiB. */
  readonly memTotal: number | undefined;
  /** MemAvailable after everything was loaded, KiB. */
  readonly memAvailable: number | undefined;
}

/** Reads the probe's lines (the protocol stands in probe.c) out of a console log. */
export function readProbe(log: string): ProbeReport {
  const btf = new Map<string, ShownBtf>();
  const insmod = new Map<string, number>();
  const load = new Map<string, Loaded>();
  const tried = new Map<string, number>();
  const programs = new Map<string, TriedProgram>();
  const numbers = new Map<string, number>();
  for (const [, words] of log.matchAll(/\bprobe: (.*?)\r?$/gm)) {
    const [what, name = '', size, sha256] = words.split(' ');
    if (what === 'btf' && sha256 !== undefined) btf.set(name, { size: Number(size), sha256 });
    else if (what === 'load') load.set(name, { result: Number(size), says: words.split(' ').slice(3).join(' ') });
    else if (what === 'try') tried.set(name, Number(size));
    else if (what === 'program')
      programs.set(name, { ...programs.get(name), ...programLine(words.split(' ').slice(2)) });
    else if (what === 'insmod') insmod.set(name, Number(size));
    else if (name !== '') numbers.set(what, Number(name));
  }
  return {
    btf,
    insmod,
    load,
    tried,
    programs,
    progLoad: numbers.get('prog_load'),
    memTotal: numbers.get('memtotal'),
    memAvailable: numbers.get('memavailable'),
  };
}

function programLine([what, value, ...words]: readonly string[]): TriedProgram {
  const says = words.join(' ').trim();
  return { [what]: Number(value), ...(says === '' ? {} : { says }) };
}
