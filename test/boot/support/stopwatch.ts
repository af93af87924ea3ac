import { chmodSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { execaSync } from 'execa';
import { cliPath } from '../../support/cli.js';
import { repository } from '../../support/fixtures.js';

/** A run of a program; in seconds. */
interface Taken {
  readonly what: string;
  readonly file: string;
  readonly start: number;
  readonly seconds: number;
}

/**
 * Times what the hook does in a build: stand-ins around kbuild, around the make that it runs, around our scripts, and around the real tools
 * that these call, each of which leaves a line in a file.
 */
export class Stopwatch {
  /** Stands for make: its tools are the stand-ins for our scripts. */
  readonly make: string;
  /** Stands for the Node that kbuild runs in. */
  readonly kbuild: string;
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
    this.kbuild = this.#standIn('kbuild', 'kbuild', process.execPath);
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
    ];
    const make = join(folder, 'real-make');
    writeFileSync(make, `#!/bin/sh\nexec ${words[0]} "$@" ${variables.join(' ')}\n`);
    chmodSync(make, 0o755);
    this.make = this.#standIn('make', 'make', make);
  }

  /** Forgets what was timed before. */
  start(): void {
    rmSync(this.#times, { force: true });
  }

  #taken(): Taken[] {
    if (!existsSync(this.#times)) return [];
    const lines = readFileSync(this.#times, 'utf8').trim().split('\n');
    return lines
      .map(line => line.split('\t'))
      .map(([what, file, start, end]) => ({
        what,
        file,
        start: Number(start) / 1e6,
        seconds: (Number(end) - Number(start)) / 1e6,
      }));
  }

  /** Of each link: the scripts that stand for the tools of vmlinux, the split in one of them, without the tools themselves. */
  links(): number[] {
    const links: number[] = [];
    let tool = 0;
    for (const { what, seconds } of this.#taken().filter(({ file }) => /^(?:\.tmp_)?vmlinux[^/]*$/.test(file)))
      if (what.endsWith('tool')) tool = seconds;
      // A link begins with pahole, and has more steps.
      else if (what === 'script') links.push(seconds - tool);
      else links[links.length - 1] += seconds - tool;
    return links;
  }

  /** Of all that kbuild did before make began first, and after it had ended last. */
  around(): number {
    const [kbuild, ...makes] = ['kbuild', 'make'].flatMap(name => this.#taken().filter(({ what }) => what === name));
    const end = Math.max(...makes.map(({ start, seconds }) => start + seconds));
    return kbuild.seconds - (end - makes[0].start);
  }

  /** Of each module: the scripts that stand for its tools, without the tools themselves. */
  modules(): number[] {
    const sums = new Map<string, number>();
    /** Where each module stands in `modules`. */
    const places = new Map<string, number>();
    const modules: number[] = [];
    for (const { what, file, seconds } of this.#taken()) {
      const [folder, name] = file.split('/.vmlinux-btf/modules/');
      // Our own script on the copy is in the time of the script that called it.
      if (!file.endsWith('.ko') || (what === 'script' && name !== undefined)) continue;
      const path = name ?? folder;
      const sum = (sums.get(path) ?? 0) + (what.endsWith('tool') ? -seconds : seconds);
      sums.set(path, sum);
      if (what !== 'last_script' && what !== 'patch_last_script') continue;
      sums.set(path, 0);
      const place = places.get(path);
      // Since 7.x resolve_btfids is called once more for each module, to put the ids in.
      if (what === 'last_script' || place === undefined) places.set(path, modules.push(sum) - 1);
      else modules[place] += sum;
    }
    return modules;
  }

  /** A program that runs another, and writes down `what`, its last word and what it took (stopwatch.c). */
  #standIn(name: string, what: string, program: string): string {
    const file = join(this.#folder, name);
    const macros = Object.entries({ TIMES: this.#times, WHAT: what, PROGRAM: program });
    execaSync('cc', [
      '-O2',
      ...macros.map(([macro, text]) => `-D${macro}=${JSON.stringify(text)}`),
      '-o',
      file,
      join(repository, 'test', 'boot', 'support', 'stopwatch.c'),
    ]);
    return file;
  }
}
