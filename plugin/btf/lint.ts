import type { Btf } from './btf.js';
import { lintChains, lintOrder } from './lint/chains.js';
import { Collector, type Findings } from './lint/findings.js';
import { lintHeader } from './lint/header.js';
import { ANY_KERNEL, type KernelRules } from './lint/kernels.js';
import { lintMetas } from './lint/metas.js';
import { Names } from './lint/names.js';
import { lintResolve } from './lint/resolve.js';
import { RULES } from './lint/rules.js';
import { pointerBytesOf } from './pointer-size.js';

export interface LintOptions {
  /** When left out, the rules that all kernels have. */
  readonly kernel?: KernelRules;
  /**
   * Who brings the BTF to the kernel: `kernel` for its own and its modules' (the default), `program` for BPF_BTF_LOAD, which looks closer.
   */
  readonly loadedBy?: 'kernel' | 'program';
  /** sizeof(void *) on the target; when left out, what the BTF's `long` says. */
  readonly pointerBytes?: number;
  /** Leave out the rules that a kernel does not hold its own BTF to. */
  readonly errorsOnly?: boolean;
}

/** What a kernel would refuse of a BTF and, as warnings, what it would refuse had a BPF program brought it. Linear in its words. */
export function lint(btf: Btf, options: LintOptions = {}): Findings {
  const { kernel = ANY_KERNEL, loadedBy = 'kernel' } = options;
  const found = new Collector(RULES, btf, loadedBy === 'program');
  const names = new Names(btf);
  lintHeader(btf, kernel, found);
  lintMetas(btf, names, kernel, found);
  lintChains(btf, kernel, found);
  if (kernel.sorted && loadedBy === 'kernel' && btf.base === undefined) lintOrder(btf, found);
  if (options.errorsOnly !== true || loadedBy === 'program')
    lintResolve(btf, names, options.pointerBytes ?? pointerBytesOf(btf), found);
  return found.done();
}
