import { readFileSync } from 'node:fs';
import { Btf } from '../btf/btf.js';
import type { NameIndex } from '../btf/names.js';
import { withFile } from '../bytes/source.js';
import { buildCarrier } from '../carrier/carrier.js';
import { overwriteSection } from '../elf/overwrite.js';
import { sha256 } from '../host/hash.js';
import type { OutFolder, WrittenFile } from '../host/out-folder.js';
import { turn } from '../host/turn.js';
import { proveUntouched, type Replacement } from '../image/image.js';
import type { Split } from '../split/split.js';
import { FILES } from './files.js';
import { encodePermutation } from './manifest.js';
import type { ScannedModules } from './module-roots.js';
import { type WrittenModules, writeModules } from './modules.js';
import type { Prepared, Target } from './prepare.js';
import { type Signing, signFile } from './signing.js';

/** What stands in the staging folder, but for the reports and split.json. */
export interface Written {
  /** Of the folder itself; modules apart. */
  readonly files: readonly WrittenFile[];
  /** What of the vmlinux was replaced; empty without an image. */
  readonly replacements: readonly Replacement[];
  readonly carrier: Uint8Array | undefined;
  readonly modules: WrittenModules | undefined;
}

/** Writes what a split consists of to the staging folder, each proved from what stands on the disk. */
export async function writeSplit(out: OutFolder, prepared: Prepared): Promise<Written> {
  const { split, target, ids, signing, names } = prepared;
  const files = writeParts(out, split);
  await turn();
  const replacements = target === undefined || ids === undefined ? [] : writeImage(out, target, split, ids);
  await turn();
  const carrier = target === undefined ? undefined : await writeCarrier(out, target, split, signing);
  if (target !== undefined) files.push(out.describe(FILES.carrier), out.describe(FILES.image));
  const modules =
    prepared.modules === undefined ? undefined : await rebaseModules(out, prepared.modules, split, names, signing);
  return { files, replacements, carrier, modules };
}

function writeParts(out: OutFolder, split: Split): WrittenFile[] {
  return [
    out.write(FILES.base, split.paddedBase),
    out.write(FILES.rest, split.rest),
    out.write(FILES.full, split.full),
    out.write(FILES.permutation, encodePermutation(split.idOf)),
  ];
}

/** Patches a copy of the vmlinux and proves, from the copy on disk, that nothing else in it changed. */
function writeImage(out: OutFolder, { kernel, found }: Target, split: Split, ids: Uint8Array): Replacement[] {
  const { section: idSection } = found.ids;
  const image = out.staged(FILES.image);
  out.copy(FILES.image, kernel.source, fd => {
    overwriteSection(fd, image, kernel.section, split.paddedBase);
    overwriteSection(fd, image, idSection, ids);
  });
  const replacements = [
    { section: kernel.section.name, offset: kernel.section.offset, bytes: split.paddedBase },
    { section: idSection.name, offset: idSection.offset, bytes: ids },
  ];
  withFile(image, copy => proveUntouched(kernel.source, copy, replacements));
  return replacements;
}

async function writeCarrier(
  out: OutFolder,
  { kernel, architecture, abi }: Target,
  split: Split,
  signing: Signing,
): Promise<Uint8Array> {
  const { header } = kernel.elf;
  const carrier = buildCarrier({ header, architecture, abi, rest: split.rest, baseSha256: sha256(split.paddedBase) });
  out.write(FILES.carrier, carrier);
  if (signing.signer === undefined) return carrier;
  await signFile(out.staged(FILES.carrier), signing);
  return readFileSync(out.staged(FILES.carrier));
}

function rebaseModules(
  out: OutFolder,
  modules: ScannedModules,
  split: Split,
  names: NameIndex,
  signing: Signing,
): Promise<WrittenModules> {
  const { original } = modules.kernel;
  const target = { original, base: Btf.decode(split.paddedBase), inBase: split.inBase(), reach: split.reach };
  return writeModules(out, modules, target, names, signing);
}
