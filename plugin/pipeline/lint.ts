import type { Btf } from '../btf/btf.js';
import type { Finding } from '../btf/lint/findings.js';
import { ANY_KERNEL, kernelRules } from '../btf/lint/kernels.js';
import { lint } from '../btf/lint.js';
import { CodedError } from '../errors.js';
import { type LintedIds, lintSplit } from '../split/lint-split.js';
import type { Split } from '../split/split.js';

/**
 * The last look at a split before it is written: base and rest by the kernel's rules, the sides, and `.BTF_ids`. `vermagic`: of the
 * kernel that will read them; without it only what every kernel refuses counts. Throws `lint` for the first error and says
 * whether the input has it too.
 */
export function refuseViolations(
  original: Btf,
  split: Split,
  vermagic: string | undefined,
  ids: LintedIds | undefined,
): void {
  const kernel = (vermagic === undefined ? undefined : kernelRules(vermagic)) ?? ANY_KERNEL;
  const { companions, newIds, decoded } = split;
  const sides = lintSplit({ original: split.btf, companions, newIds, ...decoded, ids });
  if (sides.errors > 0) throw refused('split', sides.findings[0], sides.errors, '');
  for (const part of ['base', 'rest'] as const) {
    const { findings, errors } = lint(decoded[part], { kernel, errorsOnly: true });
    if (errors === 0) continue;
    const before = lint(original, { kernel, errorsOnly: true }).counts[findings[0].rule] ?? 0;
    throw refused(part, findings[0], errors, before > 0 ? '; the input breaks this rule too' : '');
  }
}

function refused(part: string, { id, name, why, rule }: Finding, errors: number, remark: string): CodedError {
  const more = errors === 1 ? '' : `, and ${errors - 1} more`;
  return new CodedError('lint', `${part}, ${describe(id, name)}${why} [${rule}]${more}${remark}`);
}

/** `type 17 (STRUCT foo): `, or nothing for the BTF itself. */
export function describe(id: number, name: string): string {
  return id === 0 ? '' : `type ${id} (${name}): `;
}
