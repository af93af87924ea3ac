import { Btf } from '../btf/btf.js';
import { NameIndex } from '../btf/names.js';
import { resizeSections } from '../elf/resize-sections.js';
import { CodedError } from '../errors.js';
import { writeWhole } from '../host/write-whole.js';
import { ModuleRebaser } from '../modules/module-rebaser.js';
import { decodePermutation } from '../pipeline/manifest.js';
import { withModule } from '../pipeline/open-module.js';
import { BTF_IDS_SECTION } from '../roots/btf-ids.js';
import type { LinkOptions } from './options.js';
import { type Adapter, COPIES_FOLDER, SIDE_FILES, SideFolder } from './side-files.js';

/**
 * Re-bases a module that was just built, from its copy with the types of the unsplit kernel: after `pahole` (6.x) in the module
 * itself, after `resolve_btfids` (7.x) in `X.BTF` and `X.BTF_ids`, which scripts/gen-btf.sh puts into it. `file`: its path below the object
 * tree. pahole on the base itself would encode every type of the module's debug information that the base lacks, whether the module needs it
 * or not. Throws `kbuild-none`, and what re-basing throws.
 */
export async function rebaseBuilt(
  adapter: Adapter,
  file: string,
  objtree: string,
  { moduleBtf }: LinkOptions,
): Promise<void> {
  const folder = new SideFolder(objtree);
  const copy = { path: `${folder.file(COPIES_FOLDER)}/${file}`, name: file, packing: undefined };
  const link = folder.link();
  if (link === undefined) throw new CodedError('kbuild-none', 'no link.json', { file: folder.path });
  const original = Btf.decode(folder.read(link, SIDE_FILES.original));
  const base = Btf.decode(folder.read(link, SIDE_FILES.base));
  const baseIdOf = decodePermutation(folder.read(link, SIDE_FILES.inBase));
  const rebaser = new ModuleRebaser({ original, base, baseIdOf }, new NameIndex(original), moduleBtf);
  await withModule(copy, { original, machine: undefined, vermagic: undefined }, ({ module }) => {
    const { changes } = rebaser.plan(module);
    if (adapter === 'pahole') writeWhole(file, Buffer.concat([...resizeSections(module.elf, changes)]), []);
    else
      for (const name of ['.BTF', BTF_IDS_SECTION]) {
        // Ids that stay as they are have to be written as well: in the module they are not resolved yet.
        const section = module.elf.find(name);
        const change = changes.find(each => each.section.name === name);
        if (section !== undefined) writeWhole(`${file}${name}`, change?.bytes ?? module.elf.data(section), []);
      }
  });
}
