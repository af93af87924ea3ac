import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
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

/** Names of the fixtures that are ELF files with BTF: each vmlinux and each module. Throws when there are none. */
export function kernelFixtures(): readonly string[] {
  const { fixtures } = JSON.parse(readFileSync(manifest, 'utf8')) as Manifest;
  const names = fixtures.map(({ name }) => name).filter(name => name.endsWith('/vmlinux') || name.endsWith('.ko'));
  if (!names.some(name => name.endsWith('/vmlinux'))) throw new Error(`${manifest} names no vmlinux`);
  return names;
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
