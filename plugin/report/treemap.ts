import type { Btf } from '../btf/btf.js';
import { infoKind, kindName } from '../btf/kinds.js';
import { CodedError } from '../errors.js';
import type { Closure } from '../split/closure.js';
import { ownBytes } from './measure.js';
import type { Leaf, Side } from './model.js';

/** Types that a treemap names; more would be too small to see. */
const NAMED = 1000;

/**
 * Every byte of the full BTF once: the largest types by name, the others together by side, reason and kind, and what belongs to the
 * format. Largest first. `full`: of the same BTF. Throws `invariant` when the leaves do not add up.
 */
export function treemapLeaves(btf: Btf, closure: Closure, full: Pick<Side, 'bytes' | 'headerBytes'>): Leaf[] {
  const { bytes, unnamed } = ownBytes(btf, closure);
  const threshold = sizeOfLargest(bytes, NAMED);
  const leaves: Leaf[] = [];
  const others = new Map<string, { reason: Leaf['reason']; kind: string; types: number; bytes: number }>();
  let room = NAMED;
  for (let id = 1; id <= btf.count; id++) {
    const root = closure.nearest[id];
    const reason = root === 0 ? 'rest' : closure.roots[root - 1].reason;
    const kind = kindName(infoKind(btf.words[btf.starts[id - 1] + 1]));
    if (bytes[id] >= threshold && room > 0) {
      room--;
      leaves.push({ reason, kind, name: btf.name(id), types: 1, bytes: bytes[id] });
      continue;
    }
    const key = `${reason} ${kind}`;
    const group = others.get(key) ?? { reason, kind, types: 0, bytes: 0 };
    others.set(key, { ...group, types: group.types + 1, bytes: group.bytes + bytes[id] });
  }
  leaves.push(...others.values());
  if (unnamed > 0) leaves.push({ reason: 'rest', kind: '', types: 0, bytes: unnamed });
  // The empty name at offset 0 belongs to the format, as the header does.
  leaves.push({ reason: 'header', kind: '', types: 0, bytes: full.headerBytes + 1 });
  const sum = leaves.reduce((total, leaf) => total + leaf.bytes, 0);
  if (sum !== full.bytes) throw new CodedError('invariant', `${sum} of ${full.bytes} bytes are in the treemap`);
  return leaves.sort((a, b) => b.bytes - a.bytes);
}

/** The size that as many types have or exceed as `most`, or more of the same size. */
function sizeOfLargest(bytes: Uint32Array, most: number): number {
  const sorted = bytes.slice(1).sort();
  return sorted[Math.max(0, sorted.length - most)] ?? 0;
}
