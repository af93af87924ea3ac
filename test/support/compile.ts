import { execFileSync } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { cacheFolder } from './cache.js';

/** A program in C. */
export interface CProgram {
  /** Of the program, and of its folder in the cache. */
  readonly name: string;
  readonly compiler: string;
  readonly flags: readonly string[];
  /** Paths of what is compiled. */
  readonly sources: readonly string[];
  /** Paths of what the sources include. */
  readonly headers?: readonly string[];
  readonly libraries?: readonly string[];
}

/** Path of the program. It is compiled once, and kept in the cache under the hash of its sources, flags and compiler version. */
export function compiled({ name, compiler, flags, sources, headers = [], libraries = [] }: CProgram): string {
  const key = createHash('sha256').update(execFileSync(compiler, ['-v', '--version'], { stdio: 'pipe' }));
  for (const path of [...sources, ...headers]) key.update(readFileSync(path));
  key.update([compiler, ...flags, ...libraries].join(' '));
  const path = join(cacheFolder, name, key.digest('hex').slice(0, 16), name);
  if (!existsSync(path)) {
    mkdirSync(dirname(path), { recursive: true });
    const partial = `${path}.${randomUUID()}`;
    execFileSync(compiler, [...flags, '-o', partial, ...sources, ...libraries], { stdio: 'pipe' });
    renameSync(partial, path);
  }
  return path;
}
