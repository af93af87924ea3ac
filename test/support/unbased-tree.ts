import { once } from 'node:events';
import { copyFileSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { execa } from 'execa';
import { addModules } from './built-modules.js';
import { sha256Of } from './cli.js';
import { fixture, repository } from './fixtures.js';
import { linkingTree } from './linked-tree.js';

export const wrappers = join(repository, 'build', 'bin', 'kbuild');
/** The series of the kernels. */
const SERIES = { 'armv7-virt': 6, 'armv7-virt-7.2': 7 } as const;
export type Kernel = keyof typeof SERIES;
export const KERNELS = Object.keys(SERIES) as Kernel[];

/** Modules of a tree: those of an even number are one and the same, and so are the others. More than a service has slots at a time. */
export const MODULES: readonly string[] = Array.from({ length: 80 }, (_, i) => `drivers/m${i}.ko`);

/** Links a kernel, split. */
export async function linkSplit(kernel: Kernel, objtree: string): Promise<void> {
  mkdirSync(objtree);
  await linkingTree(kernel, objtree);
  addModules(kernel, objtree, {});
  const [wrapper, ...words] =
    SERIES[kernel] === 6 ? ['pahole', '-J', '.tmp_vmlinux1'] : ['resolve_btfids', '--btf', 'x', '.tmp_vmlinux1'];
  await execa(join(wrappers, wrapper), words, {
    cwd: objtree,
    env: { objtree: '.', VMLINUX_BTF_PAHOLE: join(objtree, 'pahole'), VMLINUX_BTF_NODE: process.execPath },
  });
}

/**
 * A tree with the split of another, and modules in the state in which they are re-based: pahole of 6.x has left its copies, and
 * what stands for objcopy makes those of 7.x. Each start of Node leaves its mark, see {@link starts}.
 */
export function unbasedTree(objtree: string, kernel: Kernel, linked: string): string {
  mkdirSync(objtree);
  for (const part of ['.vmlinux-btf', 'tools', 'scripts'])
    cpSync(join(linked, part), join(objtree, part), { recursive: true });
  for (const [i, name] of MODULES.entries())
    for (const path of [join(objtree, name), join(objtree, '.vmlinux-btf', 'modules', name)]) {
      mkdirSync(dirname(path), { recursive: true });
      copyFileSync(fixture(`${kernel}/${i % 2 === 0 ? 'dummy.ko' : 'tcp_bbr.ko'}`), path);
    }
  markStarts(objtree);
  return objtree;
}

/** Puts `node` into a tree: each start of it leaves its mark, see {@link starts}. */
export function markStarts(objtree: string): void {
  const script = `#!/bin/sh\necho >>'${objtree}/starts'\nexec '${process.execPath}' "$@"\n`;
  writeFileSync(join(objtree, 'node'), script, { mode: 0o755 });
}

/** How often Node was started. */
export function starts(objtree: string): number {
  const file = join(objtree, 'starts');
  return existsSync(file) ? readFileSync(file, 'utf8').length : 0;
}

export interface Rebasing {
  readonly kernel?: Kernel;
  /** Folder of the service. */
  readonly service?: string;
  readonly shell?: string;
  readonly mode?: string;
}

/** Runs what the build runs on a module. */
export function rebase(
  objtree: string,
  file: string,
  { kernel = 'armv7-virt', service = '', shell = 'sh', mode = 'keep' }: Rebasing = {},
) {
  const [program, ...words] = shell.split(' ');
  const asked =
    SERIES[kernel] === 6 ? ['-b', 'vmlinux', file] : ['--btf_base', './vmlinux', '--btf', `${file}.BTF.1`, file];
  return execa(program, [...words, join(wrappers, 'resolve_btfids'), ...asked], {
    cwd: objtree,
    env: {
      objtree: '.',
      OBJCOPY: './scripts/objcopy',
      VMLINUX_BTF_NODE: join(objtree, 'node'),
      VMLINUX_BTF_SERVICE: service,
      VMLINUX_BTF_OPTIONS: encodeURIComponent(
        JSON.stringify({ closure: 'complete', keep: [], keepFor: [], moduleBtf: mode }),
      ),
    },
    reject: false,
    stripFinalNewline: false,
  });
}

/** What re-basing leaves of a module, by the end of its name. */
export function results(kernel: Kernel, objtree: string, file: string): string[] {
  const ends = SERIES[kernel] === 6 ? [''] : ['.BTF', '.BTF_ids'];
  return ends
    .filter(end => existsSync(join(objtree, `${file}${end}`)))
    .map(end => `${end} ${sha256Of(join(objtree, `${file}${end}`))}`);
}

/** Folders of services, and files that were not written to their end. */
export function leftOver(objtree: string): string[] {
  return readdirSync(objtree, { recursive: true, encoding: 'utf8' }).filter(
    path => basename(path).startsWith('.vmlinux-btf-') || /^\..*\.ko/.test(basename(path)),
  );
}

/** A service in a process of its own. */
export interface Service {
  /** Empty when there is none. */
  readonly folder: string;
  readonly end: () => Promise<unknown>;
  readonly kill: (signal: NodeJS.Signals) => void;
}

/**
 * Starts a service. Not in this process: ava runs tests in threads, and at the end of a thread Node closes what it has opened by number,
 * though a socket closed it long ago.
 */
export async function serve(objtree: string, environment: Record<string, string> = {}): Promise<Service> {
  const running = execa(process.execPath, [join(import.meta.dirname, 'serve.js'), objtree], { env: environment });
  const [line] = await once(running.stdout, 'data');
  return {
    folder: String(line).trim(),
    end: () => {
      running.stdin.end();
      return running;
    },
    kill: signal => running.kill(signal),
  };
}
