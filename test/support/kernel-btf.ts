import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { FileSource } from '../../plugin/bytes/source.js';
import { ElfFile } from '../../plugin/elf/file.js';
import { fixture, repository } from './fixtures.js';

interface Manifest {
  readonly fixtures: readonly { readonly name: string }[];
}

export interface KernelBtf {
  /** Path of the ELF file. */
  readonly path: string;
  /** Its `.BTF`. */
  readonly bytes: Uint8Array;
  /** Of a module: the vmlinux it is split on. */
  readonly base?: KernelBtf;
}

const manifest = join(repository, 'test', 'fixtures', 'manifest.json');

/** Names of the fixtures that are ELF files with BTF: each vmlinux and each module. None before the manifest is made. */
export function kernelFixtures(): readonly string[] {
  if (!existsSync(manifest)) return [];
  const { fixtures } = JSON.parse(readFileSync(manifest, 'utf8')) as Manifest;
  return fixtures.map(({ name }) => name).filter(name => name.endsWith('/vmlinux') || name.endsWith('.ko'));
}

/** `.BTF` of a fixture such as `armv7-virt/vmlinux` or `armv7-virt/nf_nat.ko`. */
export function kernelBtf(name: string): KernelBtf {
  const path = fixture(name);
  const source = FileSource.open(path);
  try {
    const elf = ElfFile.open(source);
    const bytes = elf.data(elf.section('.BTF'));
    return name.endsWith('.ko') ? { path, bytes, base: kernelBtf(join(dirname(name), 'vmlinux')) } : { path, bytes };
  } finally {
    source.close();
  }
}

/** False when there is no manifest: the fixtures are part of the repository, so in CI that is a failure. */
export function repositoryHasFixtures(t: ExecutionContext): boolean {
  const names = kernelFixtures();
  if (names.some(name => name.endsWith('/vmlinux'))) {
    t.pass();
    return true;
  }
  const message = 'not tested: test/fixtures/manifest.json names no vmlinux (run scripts/kernels/make-fixtures)';
  if (process.env.CI) t.fail(message);
  else {
    t.log(message);
    t.pass();
  }
  return false;
}
