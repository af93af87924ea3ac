import type { Btf } from '../btf/btf.js';
import { kindName } from '../btf/kinds.js';
import { type ByteOrder, fromWords, toWords } from '../bytes/endian.js';
import type { GivenAbi } from '../carrier/kernel-abi.js';
import type { WrittenFile } from '../host/out-folder.js';
import type { InputFile } from '../report/model.js';
import type { Root } from '../roots/root.js';
import type { Reach, Split } from '../split/split.js';
import { TOOL } from '../version.js';
import type { ManifestModules } from './modules.js';

/** `split.json`: what was split, why each root stays, and what was written. */
export interface Manifest {
  readonly schemaVersion: 1;
  readonly tool: { readonly name: string; readonly version: string };
  readonly input: InputFile;
  /** The System.map that gave the symbols, as a path from the out folder, where the input had none. */
  readonly systemMap?: string | undefined;
  /** Of the ABI, what the command line gave; what the kernel tells itself is read from it. */
  readonly given?: GivenAbi;
  readonly closure: Reach;
  readonly types: { readonly full: number; readonly base: number; readonly rest: number };
  /** Bytes of NULs at the end of the strings of base.btf. */
  readonly padding: number;
  /** New id (for `forward`: of the definition) of each old id, 0 first, as little-endian 32-bit words. */
  readonly permutation: string;
  readonly roots: readonly ManifestRoot[];
  /** Every file of the folder but this one and the modules. */
  readonly files: readonly WrittenFile[];
  /** Absent when no modules were given. */
  readonly modules?: ManifestModules;
}

export interface ManifestRoot extends Root {
  /** Id in base.btf. */
  readonly newId: number;
  readonly kind: string;
  readonly name: string;
}

const PERMUTATION_ORDER: ByteOrder = 'little';

export function encodePermutation(newIds: Uint32Array): Uint8Array {
  return fromWords(newIds, PERMUTATION_ORDER);
}

/** `bytes`: a multiple of four. */
export function decodePermutation(bytes: Uint8Array): Uint32Array {
  return toWords(bytes, PERMUTATION_ORDER);
}

export function buildManifest(
  input: InputFile,
  systemMap: string | undefined,
  btf: Btf,
  split: Split,
  permutation: string,
  files: readonly WrittenFile[],
  modules: ManifestModules | undefined,
  given: GivenAbi,
): Manifest {
  const { vermagic, layoutCrc } = given;
  return {
    schemaVersion: 1,
    tool: TOOL,
    input,
    ...(systemMap === undefined ? {} : { systemMap }),
    ...(vermagic === undefined && layoutCrc === undefined
      ? {}
      : {
          given: { ...(vermagic === undefined ? {} : { vermagic }), ...(layoutCrc === undefined ? {} : { layoutCrc }) },
        }),
    closure: split.reach,
    types: { full: split.btf.count, base: split.closure.types, rest: split.btf.count - split.closure.types },
    padding: split.padding,
    permutation,
    roots: manifestRoots(btf, split),
    files,
    ...(modules === undefined ? {} : { modules }),
  };
}

/** `btf`: the input. */
export function manifestRoots(btf: Btf, split: Split): ManifestRoot[] {
  return split.roots.map(root => ({
    ...root,
    newId: split.idOf[root.id],
    kind: kindName(btf.kind(root.id)),
    name: btf.name(root.id),
  }));
}
