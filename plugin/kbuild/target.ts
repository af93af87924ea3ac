import { Btf } from '../btf/btf.js';
import type { Target } from '../modules/rebase.js';
import { decodePermutation } from '../pipeline/manifest.js';
import { type LinkRecord, SIDE_FILES, type SideFolder } from './side-files.js';

/**
 * What modules of a link are re-based onto, from its side files; `bytes`: of `original.btf`. Throws `kbuild-link` where they are not as
 * the link left them.
 */
export function targetOf(
  folder: SideFolder,
  link: LinkRecord,
  bytes: Uint8Array = folder.read(link, SIDE_FILES.original),
): Target {
  const original = Btf.decode(bytes);
  const base = Btf.decode(folder.read(link, SIDE_FILES.base));
  const ids = decodePermutation(folder.read(link, SIDE_FILES.inBase));
  const inBase = { ids, levels: folder.read(link, SIDE_FILES.levels) };
  return { original, base, inBase, reach: link.options.closure };
}
