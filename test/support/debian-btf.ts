import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { cacheFolder } from './cache.js';
import { missing } from './tools.js';

/** BTF of Debian's kernels, as scripts/debian-btf.sh puts it into the cache. */
export const DEBIAN_BTF = ['amd64-6.1', 'amd64-6.12', 'arm64-6.1', 'arm64-6.12'] as const;

export const debianBtf = (name: string): string => join(cacheFolder, 'debian-btf', `${name}.btf`);

/** False when a file of {@link DEBIAN_BTF} is not in the cache: the test says so and ends; in CI that is a failure. */
export function haveDebianBtf(t: ExecutionContext, name: string): boolean {
  return (
    existsSync(debianBtf(name)) ||
    missing(t, `the BTF of Debian's ${name} kernel is missing (run scripts/debian-btf.sh)`)
  );
}
