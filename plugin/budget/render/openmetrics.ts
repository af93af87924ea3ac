import { measuredMetrics, type Unit } from '../../report/metrics.js';
import { type Checked, totals } from '../checked.js';

/** OpenMetrics 1.0: every figure that the report has, those of budgets on roots too, and how many budgets are broken. */
export function renderOpenMetrics({ report, findings }: Checked): string {
  const figures = new Map<string, { unit: Unit; value: number }>();
  for (const { name, unit, value } of measuredMetrics(report)) figures.set(name, { unit, value });
  for (const { metric, unit, value } of findings) if (value !== null) figures.set(metric, { unit, value });
  const samples = (family: string, of: Unit): string[] =>
    [...figures].flatMap(([name, { unit, value }]) => (unit === of ? [sample(family, 'metric', name, value)] : []));
  const { errors, warnings } = totals(findings);
  return [
    '# TYPE vmlinux_btf_size_bytes gauge',
    '# UNIT vmlinux_btf_size_bytes bytes',
    '# HELP vmlinux_btf_size_bytes Sizes of a split BTF by metric of vmlinux-btf check.',
    ...samples('vmlinux_btf_size_bytes', 'bytes'),
    '# TYPE vmlinux_btf_types gauge',
    '# HELP vmlinux_btf_types Numbers of types by metric of vmlinux-btf check.',
    ...samples('vmlinux_btf_types', 'count'),
    '# TYPE vmlinux_btf_budgets_broken gauge',
    '# HELP vmlinux_btf_budgets_broken Broken budgets by level.',
    sample('vmlinux_btf_budgets_broken', 'level', 'error', errors),
    sample('vmlinux_btf_budgets_broken', 'level', 'warn', warnings),
    '# EOF',
    '',
  ].join('\n');
}

function sample(family: string, label: string, name: string, value: number): string {
  const escaped = name
    .replace(/\p{Cs}/gu, '\ufffd')
    .replaceAll('\\', '\\\\')
    .replaceAll('"', '\\"')
    .replaceAll('\n', '\\n');
  return `${family}{${label}="${escaped}"} ${value}`;
}
