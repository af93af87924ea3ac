import { createHash } from 'node:crypto';
import {
  appendFileSync,
  chmodSync,
  copyFileSync,
  existsSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import { MemorySource } from '../../../plugin/bytes/source.js';
import { ElfFile } from '../../../plugin/elf/file.js';
import { cliPath } from '../../support/cli.js';
import { compareBoots } from './boot-log.js';
import { BUILD_ENVIRONMENT, builtTree, type LinkedKernel, makeWords, modulePaths } from './linked-kernels.js';
import { dropKfunc } from './sabotage.js';
import { bootModules, CARRIER, type SampleBoot } from './sample.js';

export const CLOSURES = ['complete', 'forward'] as const;

/** KiB, of /proc/meminfo. */
export interface Memory {
  readonly total: number;
  /** After the modules of the kernel. */
  readonly available: number;
}

/** What one link came to, in bytes. */
export interface LinkSizes {
  /** The compressed image as make leaves it. */
  readonly image: number;
  /** The same with its `.BTF` zeroed, compressed by the same command. */
  readonly imageZeroed: number;
  /** `.BTF` of vmlinux. */
  readonly btf: number;
  /** `.BTF` of all modules of the build. */
  readonly modules: number;
  /** `.BTF` by module. */
  readonly module: Readonly<Record<string, number>>;
  readonly memory: Memory;
}

/** A link through the hook. */
export interface HookedSizes extends LinkSizes {
  readonly closure: (typeof CLOSURES)[number];
  readonly types: { readonly full: number; readonly base: number };
  readonly rest: number;
  readonly carrier: number;
  readonly carrierXz: number;
  /** With the carrier loaded, after the modules. */
  readonly withCarrier: Memory;
  /** Of each split within a link, and of the check and the carrier at the end of make. */
  readonly split: readonly Seconds[];
  /**
   * Of each module: what the scripts that stand for its tools took, without the tools themselves. Processor time is that of the scripts;
   * kbuild, which re-bases, is another process.
   */
  readonly rebased: readonly Seconds[];
  readonly finish: Seconds;
  /** Differences of the boots, and what else was not as it has to be. */
  readonly findings: readonly string[];
}

export interface Seconds {
  readonly wall: number;
  readonly processor: number;
}

/** What `proveLinked` measured. */
export interface LinkedResult {
  readonly name: string;
  /** Of the kernel, such as 6.12.107. */
  readonly release: string;
  readonly unsplit: LinkSizes;
  readonly split: readonly HookedSizes[];
  readonly initcalls: number;
  readonly messages: number;
  readonly findings: readonly string[];
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const shown = (bytes: Uint8Array): { size: number; sha256: string } => ({ size: bytes.length, sha256: sha256(bytes) });

function btfOf(path: string): Uint8Array {
  const elf = ElfFile.open(new MemorySource(readFileSync(path), path));
  return elf.data(elf.section('.BTF'));
}

/** An object tree that is linked again and again. */
class Tree {
  readonly kernel: LinkedKernel;
  readonly path: string;
  readonly #folder: string;
  readonly #words: readonly string[];
  /** Where stand-ins write what each call took. */
  readonly #times: string;
  readonly #node: string;
  /** Stands for make: its tools are the stand-ins for our scripts. */
  readonly #make: string;

  private constructor(kernel: LinkedKernel, path: string, folder: string, words: readonly string[]) {
    this.kernel = kernel;
    this.path = path;
    this.#folder = folder;
    this.#words = words;
    this.#times = join(folder, 'times');
    const [program] = words;
    const resolver = join(path, 'tools/bpf/resolve_btfids/resolve_btfids');
    this.#node = this.#standIn('node', 'node', process.execPath);
    this.#standIn('real-pahole', 'tool', words.find(word => word.startsWith('PAHOLE='))?.slice(7) ?? 'pahole');
    this.#standIn('real-resolve_btfids', 'tool', resolver);
    const variables = [
      ['PAHOLE', this.#standIn('pahole', 'script', join(dirname(cliPath), 'kbuild', 'pahole'))],
      [
        'RESOLVE_BTFIDS',
        this.#standIn('resolve_btfids', 'last_script', join(dirname(cliPath), 'kbuild', 'resolve_btfids')),
      ],
      ['VMLINUX_BTF_NODE', this.#node],
    ].map(([name, value]) => `${name}=${value}`);
    this.#make = this.#program('make', `#!/bin/sh\nexec ${program} "$@" ${variables.join(' ')}\n`);
  }

  #program(name: string, text: string): string {
    const file = join(this.#folder, name);
    writeFileSync(file, text);
    chmodSync(file, 0o755);
    return file;
  }

  /** Runs a program, and writes a line: `what`, the last word, and what it took. */
  #standIn(name: string, what: string, program: string): string {
    const text = `#!/bin/bash
TIMEFORMAT="${what} \${*: -1} %R %U %S"\n{ time '${program}' "$@" 2>&3; } 3>&2 2>>'${this.#times}'\n`;
    return this.#program(name, text);
  }

  /** A copy of the tree in the cache. */
  static async copy(kernel: LinkedKernel, folder: string): Promise<Tree> {
    const path = join(folder, kernel.name);
    await execa('cp', ['-a', builtTree(kernel.name), path]);
    return new Tree(kernel, path, folder, await makeWords(kernel, path));
  }

  file(path: string): string {
    return join(this.path, path);
  }

  /** Without the hook. */
  async make(...goals: readonly string[]): Promise<void> {
    const [program, ...words] = this.#words;
    await execa(program, [...words, ...goals], { env: BUILD_ENVIRONMENT, stdin: 'ignore' });
  }

  /** Through the hook; what each of its calls took. */
  async hooked(...options: readonly string[]): Promise<Pick<HookedSizes, 'split' | 'rebased'>> {
    rmSync(this.#times, { force: true });
    const [, ...words] = this.#words.filter(word => !word.startsWith('PAHOLE='));
    const own = ['kbuild', '--sizes', 'none', '--quiet', '--pahole', join(this.#folder, 'real-pahole'), ...options];
    await execa(process.execPath, [cliPath, ...own, '--', this.#make, ...words, ...this.kernel.goals], {
      env: { ...BUILD_ENVIRONMENT, VMLINUX_BTF_RESOLVE_BTFIDS: join(this.#folder, 'real-resolve_btfids') },
      stdin: 'ignore',
    });
    return { split: this.#nodes(), rebased: this.#rebased() };
  }

  /** The end of the build once more. */
  async finish(): Promise<Seconds> {
    rmSync(this.#times, { force: true });
    await execa(this.#node, [cliPath, 'kbuild', '--sizes', 'none', '--quiet', '--finish', this.path]);
    return this.#nodes()[0];
  }

  #taken(): ({ readonly what: string; readonly file: string } & Seconds)[] {
    if (!existsSync(this.#times)) return [];
    const lines = readFileSync(this.#times, 'utf8').trim().split('\n');
    return lines
      .map(line => line.split(' '))
      .map(([what, file, wall, user, system]) => ({
        what,
        file,
        wall: Number(wall),
        processor: Number(user) + Number(system),
      }));
  }

  #nodes(): Seconds[] {
    return this.#taken()
      .filter(({ what }) => what === 'node')
      .map(({ wall, processor }) => ({ wall, processor }));
  }

  #rebased(): Seconds[] {
    const sums = new Map<string, Seconds>();
    const modules: Seconds[] = [];
    for (const { what, file, wall, processor } of this.#taken()) {
      const [folder, name] = file.split('/.vmlinux-btf/modules/');
      // gen-btf.sh of 7.x calls our pahole on the copy: that is in the time of the script that called it.
      if (!file.endsWith('.ko') || what === 'node' || (what === 'script' && name !== undefined)) continue;
      const path = name ?? folder;
      const sign = what === 'tool' ? -1 : 1;
      const { wall: before, processor: processorBefore } = sums.get(path) ?? { wall: 0, processor: 0 };
      const sum = { wall: before + sign * wall, processor: processorBefore + sign * processor };
      if (what === 'last_script') modules.push(sum);
      sums.set(path, what === 'last_script' ? { wall: 0, processor: 0 } : sum);
    }
    return modules;
  }

  boot(names: readonly string[]): Promise<SampleBoot> {
    const paths = modulePaths(this.path);
    const { name, machine } = this.kernel;
    const sample = { name, machine, modules: [], dependent: [] };
    const from = (file: string): string =>
      this.file(file === CARRIER ? `.vmlinux-btf/${CARRIER}` : (paths.get(file) ?? file));
    return bootModules(sample, this.file(this.kernel.boots), this.#folder, names, from);
  }

  get #architecture(): string {
    return this.#words.find(word => word.startsWith('ARCH='))?.slice('ARCH='.length) ?? '';
  }

  /** Bytes of the compressed image, and of the one whose `.BTF` is zeroed. */
  async images(btf: Uint8Array): Promise<{ image: number; imageZeroed: number }> {
    const { image, input, command, names } = this.kernel.compressed;
    const saved = readFileSync(this.file(command), 'utf8').split('\n')[0];
    const bytes = readFileSync(this.file(input));
    const at = bytes.indexOf(btf);
    if (at < 0 || bytes.indexOf(btf, at + 1) >= 0) throw new Error(`${input} does not hold the BTF once`);
    const compress = async (data: Uint8Array): Promise<number> => {
      const [from, to] = ['input', 'output'].map(name => join(this.#folder, name));
      writeFileSync(from, data);
      const line = saved.slice(saved.indexOf(':=') + 2).replaceAll('$$', '$');
      const words = line.replaceAll(names.output, to).replaceAll(names.input, from);
      await execa('sh', ['-c', words], { cwd: this.path, env: { SRCARCH: this.#architecture, XZ: 'xz' } });
      return statSync(to).size;
    };
    const whole = await compress(bytes);
    if (whole !== statSync(this.file(names.output)).size) throw new Error(`${command} makes another ${names.output}`);
    const size = statSync(this.file(image)).size;
    bytes.fill(0, at, at + btf.length);
    return { image: size, imageZeroed: size - (whole - (await compress(bytes))) };
  }

  async sizes({ probe }: SampleBoot): Promise<LinkSizes> {
    const btf = btfOf(this.file('vmlinux'));
    const module = Object.fromEntries(
      [...modulePaths(this.path)].map(([name, path]) => [name, btfOf(this.file(path)).length]),
    );
    return {
      ...(await this.images(btf)),
      btf: btf.length,
      modules: Object.values(module).reduce((sum, size) => sum + size, 0),
      module,
      memory: memoryOf({ probe }),
    };
  }

  /** As it was when `vmlinux` was linked last. */
  get linked(): number {
    return statSync(this.file('vmlinux')).mtimeMs;
  }
}

function memoryOf({ probe }: Pick<SampleBoot, 'probe'>): Memory {
  return { total: probe.memTotal ?? 0, available: probe.memAvailable ?? 0 };
}

/** What is wrong with the boot of a split kernel: sentences, none for a good one. */
function judge(tree: Tree, before: SampleBoot, after: SampleBoot, names: readonly string[], which: string): string[] {
  const found = compareBoots(before.log, after.log);
  if (after.probe.progLoad !== 0) found.push(`no BPF program loads: ${after.probe.progLoad}`);
  for (const name of names) {
    const result = after.probe.insmod.get(`/${name}`);
    if (result !== 0) found.push(`insmod ${name}: ${result}`);
  }
  const side = (name: string): Uint8Array => readFileSync(tree.file(`.vmlinux-btf/${name}`));
  const paths = modulePaths(tree.path);
  const files = new Map<string, Uint8Array>([['vmlinux', side('base.btf')]]);
  for (const name of names)
    files.set(
      name.slice(0, -'.ko'.length),
      name === CARRIER ? side('rest.btf') : btfOf(tree.file(paths.get(name) ?? name)),
    );
  for (const [name, bytes] of files) {
    const [is, must] = [after.probe.btf.get(name), shown(bytes)];
    if (is?.sha256 !== must.sha256)
      found.push(`/sys/kernel/btf/${name} has ${is?.size} bytes, not the ${must.size} of its file`);
  }
  return found.map(sentence => `${which}: ${sentence}`);
}

/**
 * Links a kernel of the cache without and with the hook, boots each, compares, and measures. `folder` takes the object tree and is
 * left with it; nothing in the cache changes. `say` hears of each step.
 */
export async function proveLinked(
  kernel: LinkedKernel,
  folder: string,
  say: (step: string) => void,
  closures: readonly HookedSizes['closure'][] = CLOSURES,
): Promise<LinkedResult> {
  const { modules } = kernel;
  say('copying the object tree');
  const tree = await Tree.copy(kernel, folder);
  say('linking without the hook');
  await tree.make(...kernel.goals);
  say('booting it');
  const before = await tree.boot(modules);
  appendFileSync(join(folder, 'boots.log'), before.text);
  if (!before.log.complete) throw new Error(`the unsplit kernel does not boot:\n${before.text.slice(-2000)}`);
  const findings = [
    ...compareBoots(before.log, before.log),
    ...modules.filter(name => before.probe.insmod.get(`/${name}`) !== 0).map(name => `unsplit: insmod ${name} fails`),
  ];
  const unsplit = await tree.sizes(before);
  const split: HookedSizes[] = [];
  for (const closure of closures) {
    say(`linking through the hook, ${closure}`);
    const taken = await tree.hooked('--closure', closure);
    const found: string[] = [];
    const { linked } = tree;
    await tree.hooked('--closure', closure);
    if (tree.linked !== linked) found.push('nothing changed, and it was linked again');
    const finish = await tree.finish();
    const boots: SampleBoot[] = [];
    for (const [which, names] of [
      ['without the carrier', modules],
      ['the carrier last', [...modules, CARRIER]],
      ['the carrier first', [CARRIER, ...modules]],
    ] as const) {
      say(`booting it, ${which}`);
      const boot = await tree.boot(names);
      appendFileSync(join(folder, 'boots.log'), boot.text);
      boots.push(boot);
      found.push(...judge(tree, before, boot, names, which));
    }
    const carrier = tree.file(`.vmlinux-btf/${CARRIER}`);
    const compressed = await execa('xz', ['-6', '--check=crc32', '--stdout', carrier], { encoding: 'buffer' });
    const { types } = JSON.parse(readFileSync(tree.file('.vmlinux-btf/link.json'), 'utf8'));
    split.push({
      closure,
      types,
      ...(await tree.sizes(boots[0])),
      rest: statSync(tree.file('.vmlinux-btf/rest.btf')).size,
      carrier: statSync(carrier).size,
      carrierXz: compressed.stdout.length,
      withCarrier: memoryOf(boots[1]),
      ...taken,
      finish,
      findings: found,
    });
  }
  say('booting a broken one, which has to be found');
  findings.push(...(await negativeControl(tree, before)));
  return {
    name: kernel.name,
    release: readFileSync(tree.file('include/config/kernel.release'), 'utf8').trim(),
    unsplit,
    split,
    initcalls: before.log.initcalls.length,
    messages: before.log.messages.length,
    findings,
  };
}

/** A kfunc is dropped from the vmlinux that was linked last, and the image made of that. */
async function negativeControl(tree: Tree, before: SampleBoot): Promise<string[]> {
  const vmlinux = tree.file('vmlinux');
  const good = join(tree.path, 'vmlinux.good');
  copyFileSync(vmlinux, good);
  writeFileSync(vmlinux, dropKfunc(readFileSync(vmlinux), 'bpf_task_acquire'));
  await tree.make(tree.kernel.goals[0]);
  const broken = await tree.boot(tree.kernel.modules);
  copyFileSync(good, vmlinux);
  const differences = compareBoots(before.log, broken.log);
  return differences.some(line => /initcall kfunc_init returned 0(?:, 0)*, now .*-22/.test(line))
    ? []
    : [`negative control: a kfunc was dropped, and only this was found: ${differences.join('; ')}`];
}
