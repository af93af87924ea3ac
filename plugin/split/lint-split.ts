import type { Btf } from '../btf/btf.js';
import { IS_COMPOSITE, infoKind, infoVlen, KIND_DATASEC, KIND_FUNC, KIND_VAR } from '../btf/kinds.js';
import { Collector, type Findings } from '../btf/lint/findings.js';
import type { Rule } from '../btf/lint/rules.js';
import { type ByteOrder, EndianReader } from '../bytes/endian.js';
import type { Companions } from './companions.js';

/** Rules that only a split can break. Ids of findings are those of the BTF that was split. */
export const SPLIT_RULES = {
  members: {
    rule: 'a STRUCT or UNION keeps all its members: memory of one without passes as scalars in the verifier',
    why: (was, is) => `${was} members became ${is}`,
    source: 'kernel/bpf/verifier.c:__btf_type_is_scalar_struct',
  },
  'variable-pair': {
    rule: 'a VAR is on the side of its DATASEC: without it a per-cpu variable is taken for a plain one',
    why: other => `type ${other} is on the other side`,
    source: 'kernel/bpf/verifier.c:check_pseudo_btf_id',
  },
  'trace-pair': {
    rule: 'typedef btf_trace_X is on the side of FUNC __bpf_trace_X: without it arguments that may be NULL are trusted',
    why: other => `type ${other} is on the other side`,
    source: 'kernel/bpf/verifier.c:bpf_check_attach_target',
  },
  'tag-pair': {
    rule: 'a DECL_TAG is on the side of its target',
    why: other => `type ${other} is on the other side`,
    source: 'kernel/bpf/btf.c:btf_find_next_decl_tag',
  },
  'essential-name': {
    rule: 'types of one essential name (foo___x is foo) and CO-RE class are on one side: libbpf stops at the first candidate',
    why: other => `type ${other} is on the other side`,
    source: 'kernel/bpf/btf.c:bpf_core_find_cands; libbpf bpf_core_find_cands',
  },
  'id-zero': {
    rule: 'no id of .BTF_ids becomes 0: in a deny list that would allow what it denies',
    why: offset => `at byte ${offset} of .BTF_ids`,
    source: 'include/linux/btf.h:btf_id_set_contains, kernel/bpf/btf.c:btf_populate_kfunc_set',
  },
  'id-outside': {
    rule: 'ids of .BTF_ids are types of the base',
    why: (offset, id) => `${id} at byte ${offset} of .BTF_ids`,
    source: 'kernel/bpf/btf.c:btf_parse_vmlinux',
  },
  'id-order': {
    rule: 'sets of .BTF_ids are sorted: they are searched by bisection',
    why: (offset, id) => `${id} at byte ${offset} of .BTF_ids`,
    source: 'include/linux/btf.h:btf_id_set_contains',
  },
} as const satisfies Record<string, Rule>;

export type SplitRuleId = keyof typeof SPLIT_RULES;

/** `.BTF_ids` of a split kernel, as it is about to be written. */
export interface LintedIds {
  readonly bytes: Uint8Array;
  readonly order: ByteOrder;
  /** Words that hold ids: byte offset, and the id in the original. */
  readonly slots: readonly { readonly offset: number; readonly id: number }[];
  /** Sets: bytes from the first id to the end, and from id to id. */
  readonly sets: readonly { readonly first: number; readonly end: number; readonly stride: number }[];
}

export interface LintedSplit {
  readonly original: Btf;
  readonly companions: Companions;
  readonly base: Pick<Btf, 'count' | 'endId' | 'words' | 'starts'>;
  /** New id of each old id. */
  readonly newIds: Uint32Array;
  /** Undefined for bare BTF. */
  readonly ids?: LintedIds | undefined;
}

/** Rules about what is on which side, and about `.BTF_ids`. Linear in the ids. */
export function lintSplit(split: LintedSplit): Findings {
  const found = new Collector<SplitRuleId>(SPLIT_RULES, split.original);
  lintSides(split, found);
  if (split.ids !== undefined) lintIds(split, split.ids, found);
  return found.done();
}

/**
 * Only types of the base are looked at, a tenth of all: a pair that was torn apart has one side there, and of a ring of companions with
 * types on both sides some type of the base is followed by one of the rest.
 */
function lintSides({ original, companions, base, newIds }: LintedSplit, found: Collector<SplitRuleId>): void {
  const { words, starts, count } = original;
  const { next, tags } = companions;
  const oldIds = new Uint32Array(base.endId);
  for (let id = 1; id <= count; id++) if (newIds[id] < oldIds.length) oldIds[newIds[id]] = id;
  for (let newId = 1; newId < oldIds.length; newId++) {
    const id = oldIds[newId];
    const is = base.words[base.starts[newId - 1] + 1];
    const kind = infoKind(is);
    if (IS_COMPOSITE[kind] !== 0) {
      const was = id === 0 ? 0 : words[starts[id - 1] + 1];
      if (was !== is) found.add('members', id, infoVlen(was), infoVlen(is));
    }
    const other = next[id];
    if (other !== 0 && newIds[other] >= oldIds.length) found.add(pairRule(original, id, other), id, other);
  }
  for (let nth = 0; nth < tags.length; nth++) {
    const target = words[starts[tags[nth] - 1] + 2];
    if (target !== 0 && newIds[tags[nth]] < oldIds.length !== newIds[target] < oldIds.length)
      found.add('tag-pair', tags[nth], target);
  }
}

/** A ring of companions may hold several pairs; the kinds of two neighbours tell which rule they are. */
function pairRule(original: Btf, id: number, other: number): SplitRuleId {
  const kinds = [original.kind(id), original.kind(other)];
  if (kinds.includes(KIND_VAR) || kinds.includes(KIND_DATASEC)) return 'variable-pair';
  return kinds.includes(KIND_FUNC) ? 'trace-pair' : 'essential-name';
}

function lintIds({ base }: LintedSplit, ids: LintedIds, found: Collector<SplitRuleId>): void {
  const words = new EndianReader(ids.bytes, ids.order);
  for (const { offset, id } of ids.slots) {
    const newId = words.u32(offset);
    if (newId === 0 && id !== 0) found.add('id-zero', id, offset);
    if (newId > base.count) found.add('id-outside', id, offset, newId);
  }
  for (const { first, end, stride } of ids.sets) {
    let last = 0;
    for (let offset = first; offset < end; offset += stride) {
      const id = words.u32(offset);
      if (id < last) found.add('id-order', 0, offset, id);
      last = id;
    }
  }
}
