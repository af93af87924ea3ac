import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Btf } from '../btf/btf.js';
import { decodeHeader } from '../btf/header.js';
import { kindName } from '../btf/kinds.js';
import { NameIndex } from '../btf/names.js';
import { FileSource } from '../bytes/source.js';
import { carrierArchitecture } from '../carrier/architectures.js';
import { buildCarrier } from '../carrier/carrier.js';
import { readKernelAbi } from '../carrier/kernel-abi.js';
import { CodedError } from '../errors.js';
import { hashSource, sha256 } from '../host/hash.js';
import { proveUntouched, remapIds } from '../image/image.js';
import { MODULE_INVARIANTS } from '../modules/prove.js';
import { withoutSignature } from '../modules/signature.js';
import type { Root } from '../roots/root.js';
import { Companions } from '../split/companions.js';
import { lintSplit } from '../split/lint-split.js';
import { proveWritten } from '../split/split.js';
import { FILES } from './files.js';
import { asKernel, type BtfInput, type KernelInput, withInput } from './input.js';
import { describeFinding } from './lint.js';
import { decodePermutation, type Manifest } from './manifest.js';
import { type ScannedModules, withModuleRoots } from './module-roots.js';
import { readManifest } from './out.js';
import { kernelRoots } from './roots.js';
import { scanOriginals, verifyModules } from './verify-modules.js';

export interface Verified {
  readonly original: string;
  /** What was checked, in words. */
  readonly proved: readonly string[];
}

/** Paths of what a split read, where they are not those that split.json names. */
export interface GivenFiles {
  readonly original?: string | undefined;
  readonly systemMap?: string | undefined;
  /** Folder of the modules before. */
  readonly modules?: string | undefined;
}

/**
 * Proves every promise of an out folder against the files it was made from. Throws `verify` for the first promise that does not hold.
 */
export async function verifyOut(out: string, given: GivenFiles = {}): Promise<Verified> {
  const { original } = given;
  const manifest = readManifest(out);
  const file = original ?? resolve(out, manifest.input.file);
  checkHashes(out, manifest);
  return withInput(file, undefined, async input => {
    if (hashSource(input.source) !== manifest.input.sha256)
      throw failed(file, 'not the file that was split (its SHA-256 differs)');
    const read = (name: string): Uint8Array => readFileSync(join(out, name));
    const permutation = read(FILES.permutation);
    if (permutation.length % 4 !== 0) throw failed(join(out, FILES.permutation), 'no whole number of ids');
    const newIds = decodePermutation(permutation);
    const base = read(FILES.base);
    const rest = read(FILES.rest);
    const full = read(FILES.full);
    const wild = manifest.roots.find(root => root.id >= input.btf.endId);
    if (wild !== undefined) throw failed(join(out, FILES.manifest), `root ${wild.id} is no type of the original`);
    let written: ReturnType<typeof proveWritten>;
    try {
      written = proveWritten(
        input.btf,
        manifest.closure,
        { base, rest, full, idOf: newIds, roots: manifest.roots },
        'verify',
      );
      checkSides(written);
    } catch (error) {
      throw error instanceof CodedError ? error.in(out) : error;
    }
    checkManifest(out, manifest, input, { base, rest, full }, newIds);
    const names = new NameIndex(input.btf);
    const { modules } = manifest;
    const scanned = modules && (await scanOriginals(out, modules, input, names, manifest.closure, given.modules));
    const proved: string[] = ['the SHA-256 of every file is the one in split.json', ...written.proved, SIDES];
    if (manifest.input.kind === 'vmlinux') {
      const { systemMap: recorded } = manifest;
      const map = given.systemMap ?? (recorded === undefined ? undefined : resolve(out, recorded));
      const kernel = asKernel(input, names, map);
      checkImage(out, kernel, base, newIds, manifest, scanned);
      checkCarrier(out, kernel, manifest, base, rest);
      proved.push(
        'split.json names every root of the original',
        'the image has the base as its .BTF, mapped ids in .BTF_ids, and no other change',
        carrierPromise(manifest),
      );
    }
    if (modules !== undefined && scanned !== undefined) {
      const target = {
        original: input.btf,
        base: written.base,
        inBase: written.inBase(),
        reach: manifest.closure,
      };
      await verifyModules(out, modules, scanned, target);
      proved.push(...MODULE_INVARIANTS);
    }
    return { original: file, proved };
  });
}

const SIDES = 'types that belong together are on one side, and no struct of the base lost a member';

/** The rules of a split, once more from the original. */
function checkSides({ btf: original, base, newIds }: ReturnType<typeof proveWritten>): void {
  const companions = new Companions(original, new NameIndex(original));
  const { findings, errors } = lintSplit({ original, companions, base, newIds });
  if (errors > 0) throw new CodedError('verify', describeFinding(findings[0]));
}

function failed(file: string, detail: string): CodedError {
  return new CodedError('verify', detail, { file });
}

interface Parts {
  readonly base: Uint8Array;
  readonly rest: Uint8Array;
  readonly full: Uint8Array;
}

/** What split.json repeats of the original and of the other files, which have been proved. */
function checkManifest(out: string, manifest: Manifest, input: BtfInput, parts: Parts, newIds: Uint32Array): void {
  const { btf } = input;
  const base = Btf.decode(parts.base);
  const rest = Btf.decode(parts.rest, base);
  // The strings of full are those of the base without padding, and those of the rest. What ends a name is no padding.
  const padding = base.strings.length + rest.strings.length - decodeHeader(parts.full).strings.length;
  const wrong = (what: string): never => {
    throw failed(join(out, FILES.manifest), what);
  };
  const { types } = manifest;
  if (types.full !== base.count + rest.count || types.base !== base.count || types.rest !== rest.count)
    wrong('other counts of types');
  if (manifest.input.bytes !== input.source.size) wrong('another size of the input');
  if (manifest.padding !== padding) wrong('another padding');
  for (const { id, newId, kind, name } of manifest.roots)
    if (newId !== newIds[id] || kind !== kindName(btf.kind(id)) || name !== btf.name(id))
      wrong(`root ${id} is ${kindName(btf.kind(id))} ${btf.name(id)}, in the base ${newIds[id]}`);
}

function openOutput(file: string): FileSource {
  try {
    return FileSource.open(file);
  } catch (error) {
    throw error instanceof CodedError ? failed(file, `it cannot be read: ${error.detail}`) : error;
  }
}

function checkHashes(out: string, manifest: Manifest): void {
  const names = manifest.files.map(file => file.name).sort();
  const wanted = Object.values(FILES)
    .filter(name => name !== FILES.manifest)
    .filter(name => manifest.input.kind === 'vmlinux' || (name !== FILES.image && name !== FILES.carrier))
    .sort();
  if (names.join() !== wanted.join()) throw failed(join(out, FILES.manifest), `files are ${names.join(', ')}`);
  for (const { name, sha256: expected, bytes } of manifest.files) {
    const source = openOutput(join(out, name));
    try {
      if (source.size !== bytes || hashSource(source) !== expected)
        throw failed(join(out, name), 'its SHA-256 is not the one in split.json');
    } finally {
      source.close();
    }
  }
}

function checkImage(
  out: string,
  kernel: KernelInput,
  base: Uint8Array,
  newIds: Uint32Array,
  manifest: Manifest,
  modules: ScannedModules | undefined,
): void {
  const { ids, roots: found } = kernelRoots(kernel);
  // What was kept besides is what split.json says: no file tells it again.
  const roots = [...found, ...manifest.roots.filter(({ reason }) => reason === 'keep')];
  const wanted =
    modules === undefined
      ? roots
      : withModuleRoots(kernel.btf, Companions.of(kernel.btf, kernel.names), roots, modules, manifest.closure);
  // Tags follow their targets: they are no roots of their own, and what needs none has been proved.
  const told = manifest.roots.filter(root => root.reason !== 'tag');
  const wrong = Array.from({ length: Math.max(wanted.length, told.length) }).findIndex(
    (_, i) => rootText(wanted[i]) !== rootText(told[i]),
  );
  if (wrong >= 0)
    throw failed(
      join(out, FILES.manifest),
      `its root ${wrong} is ${rootText(told[wrong])}, the original's ${rootText(wanted[wrong])}`,
    );
  const mapped = remapIds(kernel.elf.data(ids.section), ids.slots, newIds, kernel.elf.header.order);
  const image = FileSource.open(join(out, FILES.image));
  try {
    proveUntouched(
      kernel.source,
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

function rootText(root: Root | undefined): string {
  return root === undefined ? 'missing' : `${root.id} (${root.reason}, ${root.source})`;
}

/** The carrier is made once more, from what has been proved and what the kernel asks for; a signature behind it is not looked at. */
function checkCarrier(out: string, kernel: KernelInput, manifest: Manifest, base: Uint8Array, rest: Uint8Array): void {
  const { elf, symbols, btf, names } = kernel;
  const { header } = elf;
  const file = join(out, FILES.carrier);
  const abi = readKernelAbi(elf, symbols, btf, names, manifest.given);
  const architecture = carrierArchitecture(header, kernel.file);
  compareCarrier(file, buildCarrier({ header, architecture, abi, rest, baseSha256: sha256(base) }));
}

/** Throws `verify` unless a file is `wanted`, but for a signature behind it. */
export function compareCarrier(file: string, wanted: Uint8Array): void {
  const source = openOutput(file);
  try {
    const { body } = withoutSignature(source);
    if (body.size !== wanted.length) throw failed(file, `${body.size} bytes instead of ${wanted.length}`);
    const got = body.read(0, wanted.length);
    const at = Buffer.compare(got, wanted) === 0 ? -1 : got.findIndex((byte, i) => byte !== wanted[i]);
    if (at >= 0) throw new CodedError('verify', 'not the carrier of this kernel, base and rest', { file, offset: at });
  } catch (error) {
    throw error instanceof CodedError && error.code === 'module-damaged' ? failed(file, error.detail) : error;
  } finally {
    source.close();
  }
}

/** What of the carrier is as it was given, not as the kernel tells. */
function carrierPromise({ given }: Manifest): string {
  const told = [
    ...(given?.vermagic === undefined ? [] : [`the given vermagic '${given.vermagic}'`]),
    ...(given?.layoutCrc === undefined ? [] : [`the given CRC of module_layout 0x${given.layoutCrc.toString(16)}`]),
  ];
  const rest = 'the carrier is, but for a signature, the one of the rest, the base and the kernel';
  return told.length === 0 ? rest : `${rest}, with ${told.join(' and ')}`;
}
