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
import { cliPath } from '../../support/cli.js';
import { walkTypes } from '../../support/type-walk.js';
import { compareBoots } from './boot-log.js';
import { KernelTypes } from './kernel-types.js';
import { btfOf, judge } from './linked-judge.js';
import { BUILD_ENVIRONMENT, builtTree, type LinkedKernel, makeWords, modulePaths } from './linked-kernels.js';
import { LinkedPrograms } from './linked-programs.js';
import {
  CLOSURES,
  type HookedSizes,
  type LinkedResult,
  type LinkSizes,
  type Memory,
  type Seconds,
} from './linked-result.js';
import { CARRIER_BTF } from './program-proof.js';
import { controlFor, dropKfunc } from './sabotage.js';
import { bootModules, CARRIER, type SampleBoot } from './sample.js';
import { residentKib, type Step } from './steps.js';

interface LinkedBoot extends SampleBoot {
  /** After its modules; what later steps bring along is not counted. */
  readonly memory: Memory;
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

  /** Path of a module, the carrier among them, by its file name. */
  readonly module = (name: string): string =>
    this.file(name === CARRIER ? `.vmlinux-btf/${CARRIER}` : (modulePaths(this.path).get(name) ?? name));

  /** Loads modules, measures memory, and takes more steps; its console is kept in a log. */
  async boot(names: readonly string[], more: readonly Step[] = []): Promise<LinkedBoot> {
    const { name, machine, boots } = this.kernel;
    const sample = { name, machine, modules: [], dependent: [] };
    const boot = await bootModules(sample, this.file(boots), this.#folder, names, this.module, more);
    appendFileSync(join(this.#folder, 'boots.log'), boot.text);
    const { memTotal = 0, memAvailable = 0 } = boot.probe;
    return { ...boot, memory: { total: memTotal, available: memAvailable + residentKib(more) } };
  }

  /** The BTF of a kernel and its modules; `more`: of others on it, by name. */
  types(vmlinux: string, more: Readonly<Record<string, string>> = {}): KernelTypes {
    const modules = this.kernel.modules.map(name => [name.slice(0, -'.ko'.length), this.module(name)] as const);
    return new KernelTypes(this.file(vmlinux), new Map([...modules, ...Object.entries(more)]));
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

  async sizes(boot: LinkedBoot): Promise<LinkSizes> {
    const btf = btfOf(this.file('vmlinux'));
    const module = Object.fromEntries(
      [...modulePaths(this.path)].map(([name, path]) => [name, btfOf(this.file(path)).length]),
    );
    return {
      ...(await this.images(btf)),
      btf: btf.length,
      modules: Object.values(module).reduce((sum, size) => sum + size, 0),
      module,
      memory: boot.memory,
    };
  }

  /** As it was when `vmlinux` was linked last. */
  get linked(): number {
    return statSync(this.file('vmlinux')).mtimeMs;
  }
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
  if (!kernel.tracing)
    say('no CONFIG_BPF_EVENTS: programs of networking alone are tried, and the pages of the carrier are not counted');
  say('copying the object tree');
  const tree = await Tree.copy(kernel, folder);
  say('linking without the hook');
  await tree.make(...kernel.goals);
  const original = join(folder, 'unsplit.btf');
  writeFileSync(original, btfOf(tree.file('vmlinux')));
  const programs = new LinkedPrograms(kernel, tree.types('vmlinux'));
  say('booting it');
  const before = await tree.boot(modules, programs.unsplitSteps());
  if (!before.log.complete) throw new Error(`the unsplit kernel does not boot:\n${before.text.slice(-2000)}`);
  const findings = [
    ...compareBoots(before.log, before.log),
    ...modules.filter(name => before.probe.insmod.get(`/${name}`) !== 0).map(name => `unsplit: insmod ${name} fails`),
    ...programs.judgeUnsplit(before.probe),
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
    const [base, rest] = ['base.btf', 'rest.btf'].map(name => tree.file(`.vmlinux-btf/${name}`));
    const walk = await walkTypes(original, base, rest);
    found.push(...walk.wrong.slice(0, 20), ...(walk.wrong.length > 20 ? [`${walk.wrong.length} such`] : []));
    const kernelTypes = tree.types('.vmlinux-btf/base.btf', { [CARRIER_BTF]: rest });
    const boots: LinkedBoot[] = [];
    for (const [which, names, steps] of [
      ['without the carrier at first', modules, programs.splitSteps(kernelTypes, tree.module)],
      ['the carrier last', [...modules, CARRIER], []],
      ['the carrier first', [], programs.carrierFirstSteps(kernelTypes, tree.module)],
    ] as const) {
      say(`booting it, ${which}`);
      const boot = await tree.boot(names, steps);
      boots.push(boot);
      found.push(...judge(tree, before, boot, which));
    }
    const [withoutFirst, carrierLast, carrierFirst] = boots;
    found.push(
      ...programs.judgeSplit(kernelTypes, before.probe, withoutFirst.probe, closure),
      ...programs.judgeCarrierFirst(kernelTypes, before.probe, carrierFirst.probe, statSync(rest).size),
    );
    const pages = carrierFirst.probe.pages.get(`/${CARRIER}`);
    const carrier = tree.file(`.vmlinux-btf/${CARRIER}`);
    const compressed = await execa('xz', ['-6', '--check=crc32', '--stdout', carrier], { encoding: 'buffer' });
    const { types } = JSON.parse(readFileSync(tree.file('.vmlinux-btf/link.json'), 'utf8'));
    split.push({
      closure,
      types,
      ...(await tree.sizes(withoutFirst)),
      rest: statSync(rest).size,
      carrier: statSync(carrier).size,
      carrierXz: compressed.stdout.length,
      withCarrier: carrierLast.memory,
      ...(typeof pages === 'object' ? { pages } : {}),
      walked: Object.values(walk.found).reduce((sum, count) => sum + count, 0),
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
    programs: programs.count,
    findings,
  };
}

/** A kfunc of the vmlinux that was linked last is dropped, and the image made of that. */
async function negativeControl(tree: Tree, before: SampleBoot): Promise<string[]> {
  const control = controlFor(before.log);
  if (control === undefined) return ['negative control: no kfuncs of this kernel register without a split'];
  const vmlinux = tree.file('vmlinux');
  const good = join(tree.path, 'vmlinux.good');
  copyFileSync(vmlinux, good);
  writeFileSync(vmlinux, dropKfunc(readFileSync(vmlinux), control.kfunc));
  await tree.make(tree.kernel.goals[0]);
  const broken = await tree.boot(tree.kernel.modules);
  copyFileSync(good, vmlinux);
  const differences = compareBoots(before.log, broken.log);
  const shows = new RegExp(`initcall ${control.initcall} returned 0(?:, 0)*, now .*-22`);
  return differences.some(line => shows.test(line))
    ? []
    : [`negative control: ${control.kfunc} was dropped, and only this was found: ${differences.join('; ')}`];
}
