/**
 * Speed and memory of `split`, against `bpftool btf dump file X format c` on the same BTF in the same run. Both write their
 * results to files in the same folder; what bpftool takes without (to /dev/null) is told apart.
 *
 *   npm run bench [-- --runs 11]
 *
 * Prints medians of wall time (ms), ratios, peak memory (MiB), and which targets are met. Takes the running kernel's BTF
 * when it has 120,000 types, else Debian's arm64 6.12 from the cache (scripts/debian-btf.sh); the BTF of 60,000 types is
 * made from it. All invariants are proved within each run, as always; compressed sizes are left out (--sizes none):
 * they are the compressors' time.
 */
import { spawnSync } from 'node:child_process';
import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { execa } from 'execa';
import { Btf } from '../plugin/btf/btf.js';
import { kindName } from '../plugin/btf/kinds.js';
import { NameIndex } from '../plugin/btf/names.js';
import type { Root } from '../plugin/roots/root.js';
import { splitBtf } from '../plugin/split/split.js';
import { cacheFolder } from '../test/support/cache.js';

const root = join(import.meta.dirname, '..', '..');
const cli = join(root, 'build', 'bin', 'vmlinux-btf.cjs');
const runs = Number(parseArgs({ options: { runs: { type: 'string', default: '11' } } }).values.runs);
if (!(runs >= 1)) throw new Error('--runs takes a number from 1 on');
const folder = mkdtempSync(join(tmpdir(), 'vmlinux-btf-bench-'));
const environment = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` };

/** What a kernel with networking, cgroups and tracing needs, by name; about a tenth of its BTF. */
const WANTED = [
  'struct:sk_buff',
  'struct:task_struct',
  'struct:net_device',
  'struct:tcp_sock',
  'struct:bpf_prog',
  'struct:bpf_map',
  'struct:cgroup',
  'struct:file',
  'func:tcp_sendmsg',
  'func:bpf_iter_task',
  'func:tcp_reno_cong_avoid',
];

const median = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1];

function largeBtf(): { name: string; bytes: Uint8Array } {
  const running = '/sys/kernel/btf/vmlinux';
  const debian = join(cacheFolder, 'debian-btf', 'arm64-6.12.btf');
  for (const [name, path] of [
    ['the running kernel', running],
    ['Debian’s arm64 6.12', debian],
  ]) {
    if (!existsSync(path)) continue;
    const bytes = readFileSync(path);
    if (Btf.decode(bytes).count >= 120_000) return { name, bytes };
  }
  throw new Error('no BTF of 120,000 types: run scripts/debian-btf.sh');
}

/** A whole BTF of about `types` types: what the first ids of a larger one need. */
function smallerBtf(bytes: Uint8Array, types: number): Uint8Array {
  const btf = Btf.decode(bytes);
  const names = new NameIndex(btf);
  let low = 1;
  let high = btf.count;
  let best = bytes;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const roots: Root[] = Array.from({ length: middle }, (_, i) => ({ id: i + 1, reason: 'keep', source: 'bench' }));
    const split = splitBtf(btf, names, roots);
    if (split.closure.types <= types) {
      low = middle + 1;
      best = split.base;
    } else high = middle;
  }
  return best;
}

function rootsFile(path: string, btf: Btf): void {
  const present = new Set(
    Array.from({ length: btf.count }, (_, i) => `${kindName(btf.kind(i + 1))}:${btf.name(i + 1)}`),
  );
  writeFileSync(path, WANTED.filter(name => present.has(name)).join('\n'));
}

/** Milliseconds that a program takes; `output`: an open file for what it prints. */
function wall(program: string, args: string[], output?: number): number {
  const started = performance.now();
  const { status, error } = spawnSync(program, args, {
    stdio: ['ignore', output ?? 'ignore', 'inherit'],
    env: environment,
  });
  if (status !== 0) throw error ?? new Error(`${program} ended with ${status}`);
  return performance.now() - started;
}

/** Peak resident memory of a CLI run, in MiB, as the process itself reads it when it ends. */
async function peak(args: string[]): Promise<number> {
  const hook =
    'data:text/javascript,process.on("exit",()=>process.stderr.write("maxrss="+process.resourceUsage().maxRSS))';
  const { stderr } = await execa(process.execPath, ['--import', hook, cli, ...args]);
  return Number(/maxrss=(\d+)/.exec(stderr)?.[1]) / 1024;
}

interface Subject {
  readonly types: number;
  readonly bpftool: string[];
  readonly split: string[];
  /** Milliseconds, one a run. */
  readonly times: { readonly bpftool: number[]; readonly unwritten: number[]; readonly split: number[] };
}

function subject(name: string, bytes: Uint8Array): Subject {
  const file = join(folder, `${name}.btf`);
  const roots = join(folder, `${name}.roots`);
  const btf = Btf.decode(bytes);
  writeFileSync(file, bytes);
  rootsFile(roots, btf);
  return {
    types: btf.count,
    bpftool: ['btf', 'dump', 'file', file, 'format', 'c'],
    split: ['split', file, '--roots', roots, '-o', join(folder, `${name}.out`), '--sizes', 'none', '--quiet'],
    times: { bpftool: [], unwritten: [], split: [] },
  };
}

/** The bundled ARM kernel, and the same with 130 MB of debug information behind it. */
async function kernels(): Promise<{ stripped: string; withDwarf: string }> {
  const stripped = join(folder, 'vmlinux');
  await execa(process.execPath, [join(root, 'build', 'scripts', 'unpack-fixture.js'), 'armv7-virt/vmlinux', stripped]);
  const debug = join(folder, 'debug');
  writeFileSync(debug, '');
  truncateSync(debug, 130_000_000);
  const withDwarf = join(folder, 'vmlinux.dwarf');
  await execa('arm-linux-gnueabihf-objcopy', ['--add-section', `.debug_info=${debug}`, stripped, withDwarf]);
  return { stripped, withDwarf };
}

const MODULE_COUNT = 100;

/** A hundred modules: those of the bundled ARM kernel, again and again, each under a name of its own. */
async function manyModules(): Promise<string> {
  const modules = join(folder, 'modules');
  mkdirSync(modules);
  for (const name of ['tcp_bbr', 'dummy']) {
    const one = join(folder, `${name}.ko`);
    await execa(process.execPath, [join(root, 'build', 'scripts', 'unpack-fixture.js'), `armv7-virt/${name}.ko`, one]);
    for (let i = 0; i < MODULE_COUNT / 2; i++) copyFileSync(one, join(modules, `${name}_${i}.ko`));
  }
  return modules;
}

/** Seconds that re-basing adds to a split, as a median, and the peak of the whole run in MiB. */
async function moduleCost(kernel: string[]): Promise<{ seconds: number; memory: number }> {
  const withModules = [...kernel, '--modules', await manyModules()];
  const added: number[] = [];
  for (let run = 0; run < runs; run++)
    added.push(wall(process.execPath, [cli, ...withModules]) - wall(process.execPath, [cli, ...kernel]));
  return { seconds: median(added) / 1000, memory: await peak(withModules) };
}

interface ReportCost {
  readonly seconds: number;
  /** MiB, at the peak. */
  readonly memory: number;
  /** Bytes of the page. */
  readonly page: number;
}

/** The page of a split that was made, with everything that `report` finds out. */
async function reportCost(out: string): Promise<ReportCost> {
  const to = join(folder, 'report');
  const args = ['report', out, '--format', 'html', '--to', to];
  const times = Array.from({ length: runs }, () => wall(process.execPath, [cli, ...args]));
  return { seconds: median(times) / 1000, memory: await peak(args), page: statSync(join(to, 'report.html')).size };
}

function row(what: string, value: string, target: string, met: boolean): string {
  return `  ${what.padEnd(58)} ${value.padStart(10)}   ${target.padEnd(12)} ${met ? 'met' : 'MISSED'}`;
}

async function main(): Promise<void> {
  const source = largeBtf();
  const large = subject('large', source.bytes);
  const small = subject('small', smallerBtf(source.bytes, 60_000));
  const startups: number[] = [];
  for (let run = -1; run < runs; run++) {
    const startup = wall(process.execPath, ['-e', '0']);
    if (run >= 0) startups.push(startup); // the first round warms the page cache
    for (const item of [large, small]) {
      const output = openSync(join(folder, 'bpftool.h'), 'w');
      const bpftool = wall('bpftool', item.bpftool, output);
      closeSync(output);
      const unwritten = wall('bpftool', item.bpftool);
      const split = wall(process.execPath, [cli, ...item.split]);
      if (run < 0) continue;
      item.times.bpftool.push(bpftool);
      item.times.unwritten.push(unwritten);
      item.times.split.push(split);
    }
  }
  const startup = median(startups);
  const of = ({ times }: Subject) => ({
    bpftool: median(times.bpftool),
    unwritten: median(times.unwritten),
    split: median(times.split),
  });
  const [l, s] = [of(large), of(small)];
  const perType = (total: number, types: number): number => ((total - startup) * 1e6) / types;
  const flat = perType(l.split, large.types) / perType(s.split, small.types);
  const memory = await peak(large.split);
  const { stripped, withDwarf } = await kernels();
  const kernelRun = (file: string): string[] => [
    'split',
    file,
    '-o',
    join(folder, 'kernel.out'),
    '--sizes',
    'none',
    '--quiet',
  ];
  const modules = await moduleCost(kernelRun(stripped));
  const report = await reportCost(join(folder, 'large.out'));
  const added = (await peak(kernelRun(withDwarf))) - (await peak(kernelRun(stripped)));

  process.stdout.write(
    [
      `medians of ${runs} runs, ms; BTF of ${source.name}; node ${process.version}`,
      `  start-up (node -e 0)                 ${startup.toFixed(0)}`,
      `  ${large.types} types: bpftool ${l.bpftool.toFixed(0)} (to /dev/null ${l.unwritten.toFixed(0)}), split ${l.split.toFixed(0)} (${(l.split - startup).toFixed(0)} without start-up)`,
      `  ${small.types} types: bpftool ${s.bpftool.toFixed(0)} (to /dev/null ${s.unwritten.toFixed(0)}), split ${s.split.toFixed(0)} (${(s.split - startup).toFixed(0)} without start-up)`,
      row(
        `split without start-up : bpftool, ${large.types} types`,
        ((l.split - startup) / l.bpftool).toFixed(2),
        '<= 1.00',
        l.split - startup <= l.bpftool,
      ),
      row(
        `split whole process : bpftool, ${large.types} types`,
        (l.split / l.bpftool).toFixed(2),
        '<= 2.00',
        l.split <= 2 * l.bpftool,
      ),
      row(`time a type, ${large.types} : ${small.types} types`, flat.toFixed(2), '<= 1.15', flat <= 1.15),
      row('peak memory', `${memory.toFixed(0)} MiB`, '<= 150 MiB', memory <= 150),
      row(
        `added by debug information (a vmlinux of ${(statSync(withDwarf).size / 1e6).toFixed(0)} MB)`,
        `${added.toFixed(0)} MiB`,
        '<= 30 MiB',
        added <= 30,
      ),
      row(`${MODULE_COUNT} modules re-based`, `${modules.seconds.toFixed(2)} s`, '<= 2 s', modules.seconds <= 2),
      row(
        `peak memory with ${MODULE_COUNT} modules`,
        `${modules.memory.toFixed(0)} MiB`,
        '<= 250 MiB',
        modules.memory <= 250,
      ),
      row(
        `report with retained sizes as a page, ${large.types} types`,
        `${report.seconds.toFixed(2)} s`,
        '<= 2 s',
        report.seconds <= 2,
      ),
      row('peak memory of the report', `${report.memory.toFixed(0)} MiB`, '<= 300 MiB', report.memory <= 300),
      row('the page', `${(report.page / 1e6).toFixed(2)} MB`, '<= 1.5 MB', report.page <= 1.5e6),
      '',
    ].join('\n'),
  );
}

try {
  await main();
} finally {
  rmSync(folder, { recursive: true, force: true });
}
