import { Btf } from '../../plugin/btf/btf.js';
import { NameIndex } from '../../plugin/btf/names.js';
import { type Split, splitBtf } from '../../plugin/split/split.js';
import type { KernelCase } from './arbitrary-kernel-btf.js';
import { type NaiveBtf, naiveParse } from './naive-btf.js';

/** A split, and what an independent reader makes of its bytes. */
export interface Both {
  readonly btf: Btf;
  readonly split: Split;
  readonly original: NaiveBtf;
  /** Of the padded base. */
  readonly base: NaiveBtf;
  readonly rest: NaiveBtf;
  readonly full: NaiveBtf;
}

export function splitBoth({ bytes, roots }: KernelCase, paddedTo?: number): Both {
  const btf = Btf.decode(bytes);
  const split = splitBtf(btf, new NameIndex(btf), roots, paddedTo);
  const base = naiveParse(split.paddedBase);
  return {
    btf,
    split,
    original: naiveParse(bytes),
    base,
    rest: naiveParse(split.rest, base),
    full: naiveParse(split.full),
  };
}
