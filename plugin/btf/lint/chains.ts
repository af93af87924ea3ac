import type { Btf } from '../btf.js';
import { IS_MODIFIER, infoKind, KIND_TYPE_TAG } from '../kinds.js';
import { MAX_NAME_BYTES } from '../names.js';
import type { Collector } from './findings.js';
import type { KernelRules } from './kernels.js';
import type { RuleId } from './rules.js';

/** Types that btf_check_type_tags follows at most. */
const MAX_CHAIN = 32;

/**
 * Chains of modifiers end, and tags come first in them (btf_check_type_tags). As in the kernel, a chain is followed only as
 * far as one that an earlier type, or the base, was found good with: at most 32 steps a type.
 */
export function lintChains(btf: Btf, kernel: KernelRules, found: Collector<RuleId>): void {
  const { words, starts, count, firstId, base } = btf;
  for (let i = 0; i < count; i++) {
    const at = starts[i];
    let kind = infoKind(words[at + 1]);
    if (IS_MODIFIER[kind] === 0) continue;
    // Types below `id` have been found good.
    const id = firstId + i;
    let next = id;
    let word = words[at + 2];
    let inTags = kind === KIND_TYPE_TAG;
    for (let left = MAX_CHAIN; IS_MODIFIER[kind] !== 0; left--) {
      if (left === 0) {
        found.add('modifier-chain', id);
        break;
      }
      if (kind !== KIND_TYPE_TAG) inTags = false;
      else if (!inTags && !kernel.tagsAnywhere) {
        found.add('tag-order', id, next);
        break;
      }
      if (next < id) break;
      next = word;
      if (next >= firstId) {
        const start = starts[next - firstId];
        kind = infoKind(words[start + 1]);
        word = words[start + 2];
      } else kind = next === 0 || base === undefined ? 0 : base.kind(next);
    }
  }
}

/**
 * The types of a BTF without a base are sorted by name, byte by byte, anonymous ones first: kernels from 7.2 on look up
 * names by bisection from the first named type on.
 */
export function lintOrder(btf: Btf, found: Collector<RuleId>): void {
  const { words, starts, count, strings } = btf;
  let last = 0;
  for (let i = 0; i < count; i++) {
    const name = words[starts[i]];
    if (compare(strings, last, name) > 0) found.add('sorted', i + 1, i);
    last = name;
  }
}

/** strcmp of two strings of one section, as far as names go: longer ones are no names (rule `name`), and may share their ends. */
function compare(strings: Uint8Array, a: number, b: number): number {
  if (a === b) return 0;
  let i = 0;
  while (strings[a + i] === strings[b + i] && strings[a + i] !== 0 && i < MAX_NAME_BYTES) i++;
  return strings[a + i] - strings[b + i];
}
