import { Btf } from '../../../plugin/btf/btf.js';
import { KIND_MAX } from '../../../plugin/btf/kinds.js';
import { NameIndex } from '../../../plugin/btf/names.js';
import type { Root } from '../../../plugin/roots/root.js';
import { closeOver } from '../../../plugin/split/closure.js';
import { Companions } from '../../../plugin/split/companions.js';
import { splitBtf } from '../../../plugin/split/split.js';

/** What one root may bring along: most types of a kernel lead to thousands. */
const MOST_OF_A_ROOT = 40;
/** Types of each kind that are tried as roots. */
const TRIED = 60;

/**
 * About `types` types of a kernel's BTF, of every kind that it has, as a BTF of their own and as split BTF of about as many
 * on it: the bases of two splits.
 */
export function cutBtf(bytes: Uint8Array, types: number): { readonly base: Uint8Array; readonly split: Uint8Array } {
  const btf = Btf.decode(bytes);
  const names = new NameIndex(btf);
  const roots = smallRoots(btf, names, types * 2);
  const whole = Btf.decode(splitBtf(btf, names, roots).base);
  const half = smallRoots(whole, new NameIndex(whole), types);
  const { base, rest } = splitBtf(whole, new NameIndex(whole), half);
  return { base, split: rest };
}

function smallRoots(btf: Btf, names: NameIndex, types: number): Root[] {
  const companions = new Companions(btf, names);
  const roots: Root[] = [];
  let left = types;
  for (let nth = 0; nth < TRIED && left > 0; nth++)
    for (let kind = 1; kind <= KIND_MAX && left > 0; kind++) {
      const ids = btf.ofKind(kind);
      if (ids.length === 0) continue;
      const id = ids[Math.floor((ids.length * nth) / TRIED)];
      const root: Root = { id, reason: 'keep', source: 'seed' };
      const { types: needed } = closeOver(btf, companions, [root]);
      if (needed > MOST_OF_A_ROOT) continue;
      roots.push(root);
      left -= needed;
    }
  return roots;
}
