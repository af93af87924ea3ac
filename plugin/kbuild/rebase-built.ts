import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { Btf } from '../btf/btf.js';
import { NameIndex } from '../btf/names.js';
import { resizeSections } from '../elf/resize-sections.js';
import { CodedError } from '../errors.js';
import { writeWhole } from '../host/write-whole.js';
import { ModuleRebaser } from '../modules/module-rebaser.js';
import type { ModuleMode } from '../modules/needs.js';
import { withModule } from '../pipeline/open-module.js';
import { BTF_IDS_SECTION } from '../roots/btf-ids.js';
import type { LinkOptions } from './options.js';
import { type Adapter, COPIES_FOLDER, type LinkRecord, SideFolder } from './side-files.js';
import { targetOf } from './target.js';

/** A module that was just built. */
export interface BuiltModule {
  /** The tool that its types are from. */
  readonly adapter: Adapter;
  /** Path below the object tree. */
  readonly file: string;
  /** Absolute path. */
  readonly objtree: string;
  readonly options: LinkOptions;
}

/** What the modules of one link are re-based with. */
interface Prepared {
  readonly objtree: string;
  readonly mode: ModuleMode;
  readonly files: LinkRecord['files'];
  readonly original: Btf;
  readonly rebaser: ModuleRebaser;
}

/** Re-bases modules, one after the other; what it decoded for one it has for the next, until the kernel is linked anew. */
export class BuiltRebaser {
  #prepared: Prepared | undefined;

  /**
   * Re-bases a module from its copy with the types of the unsplit kernel: after `pahole` (6.x) in the module itself, after
   * `resolve_btfids` (7.x) in `X.BTF` and `X.BTF_ids`, which scripts/gen-btf.sh puts into it. pahole on the base itself would encode every
   * type of the module's debug information that the base lacks, whether the module needs it or not. Throws `kbuild-none`, and
   * what re-basing throws.
   */
  async rebase({ adapter, file, objtree, options }: BuiltModule): Promise<void> {
    const folder = new SideFolder(objtree);
    const prepared = this.#prepare(objtree, folder, options.moduleBtf);
    // A re-basing that fails may leave something of its module behind.
    this.#prepared = undefined;
    const copy = { path: `${folder.file(COPIES_FOLDER)}/${file}`, name: file, packing: undefined };
    const path = join(objtree, file);
    await withModule(copy, { original: prepared.original, machine: undefined, vermagic: undefined }, ({ module }) => {
      const { changes } = prepared.rebaser.plan(module);
      if (adapter === 'pahole') writeWhole(path, resizeSections(module.elf, changes), []);
      else
        for (const name of ['.BTF', BTF_IDS_SECTION]) {
          // Ids that stay as they are have to be written as well: in the module they are not resolved yet.
          const section = module.elf.find(name);
          const change = changes.find(each => each.section.name === name);
          if (section !== undefined) writeWhole(`${path}${name}`, [change?.bytes ?? module.elf.data(section)], []);
        }
    });
    this.#prepared = prepared;
  }

  #prepare(objtree: string, folder: SideFolder, mode: ModuleMode): Prepared {
    const link = folder.link();
    if (link === undefined) throw new CodedError('kbuild-none', 'no link.json', { file: folder.path });
    const { files } = link;
    const last = this.#prepared;
    if (last?.objtree === objtree && last.mode === mode && isDeepStrictEqual(last.files, files)) return last;
    // Before another takes its place.
    this.#prepared = undefined;
    const target = targetOf(folder, link);
    const { original } = target;
    const rebaser = new ModuleRebaser(target, new NameIndex(original), mode);
    return { objtree, mode, files, original, rebaser };
  }
}
