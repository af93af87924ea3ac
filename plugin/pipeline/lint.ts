import type { Btf } from '../btf/btf.js';
import type { Finding, Findings } from '../btf/lint/findings.js';
import { ANY_KERNEL, kernelRules } from '../btf/lint/kernels.js';
import { lint } from '../btf/lint.js';
import { CodedError } from '../errors.js';
import { type LintedIds, lintSplit } from '../split/lint-split.js';
import type { Split } from '../split/split.js';

/** The kernel that a split is for. */
export interface LintedKernel {
  readonly vermagic: string;
  readonly ids: LintedIds;
}

/**
 * The last look at a split before it is written: the sides, `.BTF_ids`, and the base and the rest by the kernel's rules. Without a
 * kernel (bare BTF) only the base is looked at, and by the rules that all kernels have: the proofs have shown that each type equals its
 * original, so the rest breaks no rule that the input does not break. Throws `lint` for the first error and says whether the
 * input has it too.
 */
export function refuseViolations(original: Btf, split: Split, target: LintedKernel | undefined): void {
  const kernel = (target === undefined ? undefined : kernelRules(target.vermagic)) ?? ANY_KERNEL;
  const { companions, newIds, decoded } = split;
  const check = (btf: Btf): Findings => lint(btf, { kernel, errorsOnly: true });
  const sides = lintSplit({ original: split.btf, companions, newIds, base: decoded.base, ids: target?.ids });
  if (sides.errors > 0) throw refused('split', sides, '');
  for (const part of target === undefined ? (['base'] as const) : (['base', 'rest'] as const)) {
    const found = check(decoded[part]);
    if (found.errors === 0) continue;
    const wasBroken = check(original).counts[found.findings[0].rule] !== undefined;
    throw refused(part, found, wasBroken ? '; the input breaks this rule too' : '');
  }
}

function refused(part: string, { findings, errors }: Findings, remark: string): CodedError {
  const more = errors === 1 ? '' : `, and ${errors - 1} more`;
  return new CodedError('lint', `${part}: ${describeFinding(findings[0])}${more}${remark}`);
}

/** `type 17 (STRUCT foo): why [rule; source]`, without the type for the BTF itself. */
export function describeFinding({ id, name, why, rule, source }: Finding): string {
  return `${id === 0 ? '' : `type ${id} (${name}): `}${why} [${rule}; ${source}]`;
}
