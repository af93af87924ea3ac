import { appendFileSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { cliPath } from '../../support/cli.js';
import { KernelTypes } from './kernel-types.js';
import { btfOf } from './linked-judge.js';
import { BUILD_ENVIRONMENT, builtTree, type LinkedKernel, makeWords, modulePaths } from './linked-kernels.js';
import type { HookSeconds, LinkSizes, Memory } from './linked-result.js';
import { bootModules, CARRIER, type SampleBoot } from './sample.js';
import { residentKib, type Step } from './steps.js';
import { Stopwatch } from './stopwatch.js';

export interface LinkedBoot extends SampleBoot {
  /** After its modules; what later steps bring along is not counted. */
  readonly memory: Memory;
}

/** An object tree that is linked again and again. */
export class ObjectTree {
  readonly kernel: LinkedKernel;
  readonly path: string;
  readonly #folder: string;
  readonly #words: readonly string[];
  readonly #watch: Stopwatch;

  private constructor(kernel: LinkedKernel, path: string, folder: string, words: readonly string[]) {
    this.kernel = kernel;
    this.path = path;
    this.#folder = folder;
    this.#words = words;
    this.#watch = new Stopwatch(folder, path, words);
  }

  /** A copy of the tree in the cache. */
  static async copy(kernel: LinkedKernel, folder: string): Promise<ObjectTree> {
    const path = join(folder, kernel.name);
    await execa('cp', ['-a', builtTree(kernel.name), path]);
    return new ObjectTree(kernel, path, folder, await makeWords(kernel, path));
  }

  file(path: string): string {
    return join(this.path, path);
  }

  /** Without the hook. */
  async make(...goals: readonly string[]): Promise<void> {
    const [program, ...words] = this.#words;
    await execa(program, [...words, ...goals], { env: BUILD_ENVIRONMENT, stdin: 'ignore' });
  }

  /** Through the hook; what it took. */
  async hooked(...options: readonly string[]): Promise<HookSeconds> {
    const watch = this.#watch;
    watch.start();
    const [, ...words] = this.#words.filter(word => !word.startsWith('PAHOLE='));
    const own = ['kbuild', '--sizes', 'none', '--quiet', '--pahole', watch.pahole, ...options];
    await execa(watch.kbuild, [cliPath, ...own, '--', watch.make, ...words, ...this.kernel.goals], {
      env: { ...BUILD_ENVIRONMENT, VMLINUX_BTF_RESOLVE_BTFIDS: watch.resolver },
      stdin: 'ignore',
    });
    return { links: watch.links(), rebased: watch.modules(), around: watch.around() };
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
