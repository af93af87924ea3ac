import { chmodSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { cliPath } from '../../support/cli.js';
import type { Seconds } from './linked-result.js';

const NOTHING: Seconds = { wall: 0, processor: 0 };

/**
 * Times what the hook does in a build: stand-ins around Node, around our scripts, and around the real tools that these call, each
 * of which leaves a line in a file.
 */
export class Stopwatch {
  /** Stands for make: its tools are the stand-ins for our scripts. */
  readonly make: string;
  readonly node: string;
  /** The real ones, timed. */
  readonly pahole: string;
  readonly resolver: string;
  readonly #folder: string;
  readonly #times: string;

  /** `folder` takes the stand-ins; `words`: make and the words behind it. */
  constructor(folder: string, objtree: string, words: readonly string[]) {
    this.#folder = folder;
    this.#times = join(folder, 'times');
    const scripts = join(dirname(cliPath), 'kbuild');
    this.node = this.#standIn('node', 'node', process.execPath);
    const pahole = words.find(word => word.startsWith('PAHOLE='))?.slice('PAHOLE='.length) ?? 'pahole';
    this.pahole = this.#standIn('real-pahole', 'tool', pahole);
    this.resolver = this.#standIn(
      'real-resolve_btfids',
      'tool',
      join(objtree, 'tools/bpf/resolve_btfids/resolve_btfids'),
    );
    const variables = [
      `PAHOLE=${this.#standIn('pahole', 'script', join(scripts, 'pahole'))}`,
      `RESOLVE_BTFIDS=${this.#standIn('resolve_btfids', 'last_script', join(scripts, 'resolve_btfids'))}`,
      `VMLINUX_BTF_NODE=${this.node}`,
    ];
    this.make = this.#program('make', `#!/bin/sh\nexec ${words[0]} "$@" ${variables.join(' ')}\n`);
  }

  /** Forgets what was timed before. */
  start(): void {
    rmSync(this.#times, { force: true });
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

  /** Of each start of Node: of a split within a link, or the end of a build. */
  nodes(): Seconds[] {
    return this.#taken()
      .filter(({ what }) => what === 'node')
      .map(({ wall, processor }) => ({ wall, processor }));
  }

  /** Of each module: the scripts that stand for its tools, without the tools themselves. */
  modules(): Seconds[] {
    const sums = new Map<string, Seconds>();
    /** Where each module stands in `modules`. */
    const places = new Map<string, number>();
    const modules: Seconds[] = [];
    for (const { what, file, wall, processor } of this.#taken()) {
      const [folder, name] = file.split('/.vmlinux-btf/modules/');
      // gen-btf.sh of 7.x calls our pahole on the copy: that is in the time of the script that called it.
      if (!file.endsWith('.ko') || what === 'node' || (what === 'script' && name !== undefined)) continue;
      const path = name ?? folder;
      const sign = what.endsWith('tool') ? -1 : 1;
      const before = sums.get(path) ?? NOTHING;
      const sum = { wall: before.wall + sign * wall, processor: before.processor + sign * processor };
      sums.set(path, sum);
      if (what !== 'last_script' && what !== 'patch_script') continue;
      sums.set(path, NOTHING);
      const place = places.get(path);
      // Since 7.x resolve_btfids is called once more for each module, to put the ids in.
      if (what === 'last_script' || place === undefined) places.set(path, modules.push(sum) - 1);
      else {
        const { wall, processor } = modules[place];
        modules[place] = { wall: wall + sum.wall, processor: processor + sum.processor };
      }
    }
    return modules;
  }

  /** Runs a program, and writes a line: `what`, the last word, and what it took. */
  #standIn(name: string, what: string, program: string): string {
    const text = `#!/bin/bash
what=${what}
case " $* " in *" --patch_btfids "*) what=patch_\${what#last_} ;; esac
TIMEFORMAT="$what \${*: -1} %R %U %S"\n{ time '${program}' "$@" 2>&3; } 3>&2 2>>'${this.#times}'\n`;
    return this.#program(name, text);
  }

  #program(name: string, text: string): string {
    const file = join(this.#folder, name);
    writeFileSync(file, text);
    chmodSync(file, 0o755);
    return file;
  }
}
