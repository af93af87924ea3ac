import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { KIND_STRUCT } from '../../../plugin/btf/kinds.js';
import { cacheFolder } from '../../support/cache.js';
import { repository } from '../../support/fixtures.js';
import { haveTool, missing } from '../../support/tools.js';
import type { InitramfsFile } from './initramfs.js';
import type { KernelTypes } from './kernel-types.js';
import type { CommandRun, ProbeReport } from './probe.js';
import { type Step, step } from './steps.js';

/** CO-RE on a booted kernel: Debian's bpftool loads programs of test/boot/core, and shows what libbpf made of them. */

/** A struct that every base has, and one that none has: `checkPlaces` looks whether it is so. */
const SIDES = {
  base: { struct: 'task_struct', member: 'pid' },
  rest: { struct: 'linux_dirent64', member: 'd_type' },
} as const;
type Side = keyof typeof SIDES;
const BOTH = Object.keys(SIDES) as Side[];

/** Sections of a program by its kind. */
const NETWORK = { xdp: 'xdp', tc: 'tc' };
const TRACING = {
  kprobe: 'kprobe/do_exit',
  tracepoint: 'tracepoint/sched/sched_process_exit',
  perf_event: 'perf_event',
};

/** A compiled object with one program. */
export interface CoreObject {
  /** Such as `rest-xdp`. */
  readonly name: string;
  readonly side: Side;
  readonly data: Uint8Array;
}

const bpftoolFolder = (architecture: string): string => join(cacheFolder, 'bpftool', architecture);

/** Whether scripts/bpftool.sh has been run for that architecture of Debian. */
export const isBpftoolThere = (architecture: string): boolean => existsSync(bpftoolFolder(architecture));

/** False when programs cannot be compiled here, or bpftool for the machine is not in the cache; see `missing`. */
export function haveBpftool(t: ExecutionContext, architecture: string): boolean {
  return (
    haveTool(t, 'clang-16', 'clang-16') &&
    (isBpftoolThere(architecture) ||
      missing(t, `bpftool for ${architecture} is missing (run scripts/bpftool.sh ${architecture})`))
  );
}

/** One object for each side and kind; `tracing`: kprobe, tracepoint and perf_event, too. */
export function coreObjects(tracing: boolean): CoreObject[] {
  const folder = mkdtempSync(join(tmpdir(), 'vmlinux-btf-core-'));
  try {
    const source = join(repository, 'test', 'boot', 'core', 'core.bpf.c');
    const sections = Object.entries({ ...NETWORK, ...(tracing ? TRACING : {}) });
    return BOTH.flatMap(side =>
      sections.map(([kind, section]) => {
        const { struct, member } = SIDES[side];
        const defines = [`-DSECTION="${section}"`, `-DSTRUCT=${struct}`, `-DMEMBER=${member}`];
        const path = join(folder, 'object');
        const flags = ['-target', 'bpfel', '-g', '-O2', '-Wall', '-Wextra', '-Werror', ...defines];
        execFileSync('clang-16', [...flags, '-c', source, '-o', path], { stdio: 'pipe' });
        return { name: `${side}-${kind}`, side, data: readFileSync(path) };
      }),
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function bpftoolFiles(architecture: string): InitramfsFile[] {
  const folder = bpftoolFolder(architecture);
  return ['bin', 'lib'].flatMap(part =>
    readdirSync(join(folder, part)).map(name => ({
      path: `${part}/${name}`,
      data: readFileSync(join(folder, part, name)),
      mode: 0o755,
    })),
  );
}

const command = ({ name }: CoreObject, what: string, when: string): string => `${name}.${what}.${when}`;

/** Loads each object, shows its instructions, and takes it away again. `when` tells several such rounds of a boot apart. */
export function coreSteps(objects: readonly CoreObject[], architecture: string, when: string): Step[] {
  const bpftool = bpftoolFiles(architecture);
  return objects.flatMap(object => {
    const { name, data } = object;
    const file = { path: `core/${name}.o`, data };
    const pin = `/sys/fs/bpf/${name}`;
    return [
      step(`run ${command(object, 'load', when)} /bin/bpftool prog load /${file.path} ${pin}`, file, ...bpftool),
      step(`run ${command(object, 'dump', when)} /bin/bpftool prog dump xlated pinned ${pin}`, ...bpftool),
      step(`forget ${pin}`),
    ];
  });
}

/** The instructions in a dump, without the lines of the source. */
const instructions = (run: CommandRun | undefined): string[] =>
  (run?.says ?? []).map(line => line.trim()).filter(line => /^\d+: /.test(line));

/** What is not as it must be of the structs that the programs are about: sentences. `rest`: name of its BTF in `types`. */
export function checkPlaces(types: KernelTypes, rest: string): string[] {
  return BOTH.flatMap(side => {
    const { struct } = SIDES[side];
    const [inBase, inRest] = ['vmlinux', rest].map(btf => types.has(struct, KIND_STRUCT, btf));
    const good = side === 'base' ? inBase && !inRest : inRest && !inBase;
    return good ? [] : [`struct ${struct} has to be in the ${side} for the programs of test/boot/core`];
  });
}

/** Of the unsplit kernel: each program loads, and has the offset of the kernel's BTF in it. Sentences. */
export function judgeUnsplit(types: KernelTypes, objects: readonly CoreObject[], report: ProbeReport): string[] {
  return objects.flatMap(object => {
    const { struct, member } = SIDES[object.side];
    const { offset } = types.member(types.id(struct, KIND_STRUCT), member);
    const shown = instructions(report.commands.get(command(object, 'dump', 'unsplit')));
    return shown.some(line => line.endsWith(` = ${offset}`)) ? [] : [`${object.name}: ${offset} is not in '${shown}'`];
  });
}

/**
 * Of a split kernel, against the unsplit one: what a program has to have of its types before the carrier is there (`before`)
 * and after (`after`). Sentences.
 */
export function judgeRound(
  objects: readonly CoreObject[],
  unsplit: ProbeReport,
  split: ProbeReport,
  when: 'before' | 'after',
): string[] {
  return objects.flatMap(object => {
    const load = split.commands.get(command(object, 'load', when));
    if (object.side === 'rest' && when === 'before') {
      const refused = load?.says.some(line => line.startsWith('failed to resolve CO-RE relocation')) ?? false;
      return refused && load?.exit !== 0 ? [] : [`${object.name} is not refused without the carrier: ${load?.says}`];
    }
    const was = instructions(unsplit.commands.get(command(object, 'dump', 'unsplit')));
    const is = instructions(split.commands.get(command(object, 'dump', when)));
    if (load?.exit !== 0) return [`${object.name} does not load ${when} the carrier: ${load?.says.join('|')}`];
    return `${was}` === `${is}` && was.length > 0 ? [] : [`${object.name} ${when} the carrier: ${was}, now ${is}`];
  });
}
