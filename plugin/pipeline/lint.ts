import type { Btf } from '../btf/btf.js';
import type { Finding, Findings } from '../btf/lint/findings.js';
import { ANY_KERNEL, kernelRules } from '../btf/lint/kernels.js';
import { lint } from '../btf/lint.js';
import { CodedError, type ErrorCode } from '../errors.js';
import type { BuiltAgainst, KernelModule } from '../modules/read.js';
import { type LintedIds, lintSplit } from '../split/lint-split.js';
import type { Split } from '../split/split.js';

/** The kernel that a split is for. */
export interface LintedKernel {
  /** Of the kernel itself, never one that was given; undefined when it does not tell: the rules that all kernels have count. */
  readonly version: string | undefined;
  readonly ids: LintedIds;
}

/**
 * The last look at a split before it is written: the sides, `.BTF_ids`, and the base and the rest by the kernel's rules. Without a
 * kernel (bare BTF) only the base is looked at, and by the rules that all kernels have: the proofs have shown that each type equals its
 * original, so the rest breaks no rule that the input does not break. Throws `btf-refused` for the
 * first error when the input breaks the same rule, else `lint`.
 */
export function refuseViolations(original: Btf, split: Split, target: LintedKernel | undefined): void {
  const kernel = kernelRules(target?.version ?? '') ?? ANY_KERNEL;
  const { companions, newIds, decoded } = split;
  const check = (btf: Btf): Findings => lint(btf, { kernel, errorsOnly: true });
  const sides = lintSplit({ original: split.btf, companions, newIds, base: decoded.base, ids: target?.ids });
  if (sides.errors > 0) throw refused('lint', 'split', sides);
  for (const part of target === undefined ? (['base'] as const) : (['base', 'rest'] as const)) {
    const found = check(decoded[part]);
    if (found.errors === 0) continue;
    const wasBroken = check(original).counts[found.findings[0].rule] !== undefined;
    throw refused(wasBroken ? 'btf-refused' : 'lint', part, found);
  }
}

/**
 * The same for a module that was re-based, its BTF on the base. Throws `btf-refused` for the first error when the module as it was,
 * or the vmlinux that types are copied from, breaks the same rule, else `lint`.
 */
export function refuseModule(rebased: Btf, { original, vermagic }: BuiltAgainst, module: KernelModule): void {
  const kernel = kernelRules(vermagic ?? '') ?? ANY_KERNEL;
  const check = (btf: Btf): Findings => lint(btf, { kernel, errorsOnly: true });
  const found = check(rebased);
  if (found.errors === 0) return;
  const { rule } = found.findings[0];
  const sources = module.btf === undefined ? [original] : [module.btf, original];
  throw refused(sources.some(btf => check(btf).counts[rule] !== undefined) ? 'btf-refused' : 'lint', '.BTF', found);
}

function refused(code: ErrorCode, part: string, { findings, errors }: Findings): CodedError {
  const more = errors === 1 ? '' : `, and ${errors - 1} more`;
  return new CodedError(code, `${part}: ${describeFinding(findings[0])}${more}`);
}

/** `type 17 (STRUCT foo): why [rule; source]`, without the type for the BTF itself. */
export function describeFinding({ id, name, why, rule, source }: Finding): string {
  return `${id === 0 ? '' : `type ${id} (${name}): `}${why} [${rule}; ${source}]`;
}
