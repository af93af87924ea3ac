import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { NameIndex } from '../btf/names.js';
import { FileSource } from '../bytes/source.js';
import { readModinfo } from '../carrier/modinfo.js';
import { ElfFile } from '../elf/file.js';
import { CodedError } from '../errors.js';
import { sha256 } from '../host/out-folder.js';
import { proveUntouched, remapIds } from '../image/image.js';
import { INVARIANTS, prove } from '../split/prove.js';
import { asKernel, type BtfInput, withInput } from './input.js';
import { decodePermutation, type Manifest } from './manifest.js';
import { readManifest } from './out.js';
import { kernelRoots } from './roots.js';
import { FILES, hashSource } from './split.js';

export interface Verified {
  readonly original: string;
  /** What was checked, in words. */
  readonly proved: readonly string[];
}

/**
 * Proves every promise of an out folder against the file it was made from (`original`, or the one that split.json
 * names). Throws `verify` for the first promise that does not hold.
 */
export async function verifyOut(out: string, original?: string): Promise<Verified> {
  const manifest = readManifest(out);
  const file = original ?? resolve(out, manifest.input.file);
  checkHashes(out, manifest);
  return withInput(file, undefined, input => {
    if (hashSource(input.source) !== manifest.input.sha256)
      throw failed(file, 'not the file that was split (its SHA-256 differs)');
    const read = (name: string): Uint8Array => readFileSync(join(out, name));
    const permutation = read(FILES.permutation);
    if (permutation.length % 4 !== 0) throw failed(join(out, FILES.permutation), 'no whole number of ids');
    const newIds = decodePermutation(permutation);
    const base = read(FILES.base);
    const rest = read(FILES.rest);
    const wild = manifest.roots.find(root => root.id >= input.btf.endId);
    if (wild !== undefined) throw failed(join(out, FILES.manifest), `root ${wild.id} is no type of the original`);
    prove({ original: input.btf, base, rest, full: read(FILES.full), newIds, roots: manifest.roots }, 'verify');
    const proved: string[] = ['the SHA-256 of every file is the one in split.json', ...INVARIANTS];
    if (manifest.input.kind === 'vmlinux') {
      checkImage(out, input, base, newIds, manifest);
      checkCarrier(out, base, rest);
      proved.push(
        'split.json names every root of the original',
        'the image has the base as its .BTF, mapped ids in .BTF_ids, and no other change',
        'the carrier has the rest as its .BTF and the hash of the base in its modinfo',
      );
    }
    return { original: file, proved };
  });
}

function failed(file: string, detail: string): CodedError {
  return new CodedError('verify', detail, { file });
}

function checkHashes(out: string, manifest: Manifest): void {
  for (const { name, sha256: expected, bytes } of manifest.files) {
    const source = FileSource.open(join(out, name));
    try {
      if (source.size !== bytes || hashSource(source) !== expected)
        throw failed(join(out, name), 'its SHA-256 is not the one in split.json');
    } finally {
      source.close();
    }
  }
}

function checkImage(out: string, input: BtfInput, base: Uint8Array, newIds: Uint32Array, manifest: Manifest): void {
  const kernel = asKernel(input, new NameIndex(input.btf));
  const { ids, roots } = kernelRoots(kernel);
  const named = new Set(manifest.roots.map(root => root.id));
  const unnamed = roots.find(root => !named.has(root.id));
  if (unnamed !== undefined)
    throw failed(join(out, FILES.manifest), `the root ${unnamed.id} (${unnamed.source}) is missing`);
  const mapped = remapIds(kernel.elf.data(ids.section), ids.slots, newIds, kernel.elf.header.order);
  const image = FileSource.open(join(out, FILES.image));
  try {
    proveUntouched(
      input.source,
      image,
      [
        { section: kernel.section.name, offset: kernel.section.offset, bytes: base },
        { section: ids.section.name, offset: ids.section.offset, bytes: mapped },
      ],
      'verify',
    );
  } finally {
    image.close();
  }
}

function checkCarrier(out: string, base: Uint8Array, rest: Uint8Array): void {
  const file = join(out, FILES.carrier);
  const source = FileSource.open(file);
  try {
    const elf = ElfFile.open(source);
    if (Buffer.compare(elf.data(elf.section('.BTF')), rest) !== 0) throw failed(file, 'its .BTF is not rest.btf');
    if (readModinfo(elf).get('btf_base_sha256') !== sha256(base))
      throw failed(file, 'its btf_base_sha256 is not the hash of base.btf');
  } finally {
    source.close();
  }
}
