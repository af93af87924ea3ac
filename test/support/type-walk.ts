import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { execa } from 'execa';
import { compiled } from './compile.js';
import { repository } from './fixtures.js';
import { haveTool, missing } from './tools.js';

/** What test/proof/walk/walk.c says of a split, through libbpf. */
export interface TypeWalk {
  /** How many definitions of a kind were found with the same layout: struct, union, enum, enum64, typedef, func. */
  readonly found: Readonly<Record<string, number>>;
  /** `missing struct x` and `different struct x`. */
  readonly wrong: readonly string[];
}

/** False when the walk cannot be compiled here: the test says so and ends; in CI that is a failure. */
export function haveLibbpf(t: ExecutionContext): boolean {
  if (!haveTool(t, 'gcc', 'gcc')) return false;
  return existsSync('/usr/include/bpf/btf.h') || missing(t, 'libbpf is missing (apt-get install libbpf-dev)');
}

/** Looks for every definition of a raw BTF in a base and the rest on it. Throws when libbpf does not read one of the files. */
export async function walkTypes(original: string, base: string, rest: string): Promise<TypeWalk> {
  const program = compiled({
    name: 'walk',
    compiler: 'gcc',
    flags: ['-O2', '-Wall', '-Wextra', '-Werror'],
    sources: [join(repository, 'test', 'proof', 'walk', 'walk.c')],
    libraries: ['-lbpf'],
  });
  const { stdout, exitCode, stderr } = await execa(program, [original, base, rest], { reject: false });
  if (exitCode !== 0 && exitCode !== 1) throw new Error(`walk ${original} ${base} ${rest}: ${stderr}`);
  const isWrong = (line: string): boolean => /^(?:missing|different) /.test(line);
  const lines = stdout.split('\n');
  const found = lines.filter(line => !isWrong(line)).map(line => line.split(' '));
  return {
    found: Object.fromEntries(found.map(([kind, count]) => [kind, Number(count)])),
    wrong: lines.filter(isWrong),
  };
}
