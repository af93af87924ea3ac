import type { Report } from '../model.js';

/** A line of CSV (RFC 4180, with LF as Buildroot writes it). */
export function csvLine(cells: readonly (string | number)[]): string {
  return cells
    .map(String)
    .map(cell => (/[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell))
    .join(',');
}

/** Every figure of a report, one a line: table, row, measure, value. */
export function renderCsv(report: Report): string {
  const rows: (readonly (string | number)[])[] = [['table', 'row', 'measure', 'value']];
  const put = (table: string, row: string, figures: Readonly<Record<string, number | null>>): void => {
    for (const [measure, value] of Object.entries(figures)) if (value !== null) rows.push([table, row, measure, value]);
  };
  for (const part of ['full', 'base', 'rest'] as const) {
    const { compressed, ...figures } = report[part];
    put('btf', part, { ...figures, ...compressed });
  }
  const { image, carrier, modules, analysis } = report;
  for (const side of ['before', 'after'] as const)
    if (image !== undefined) put('image', side, { bytes: image[side].bytes, ...image[side].compressed });
  if (image !== undefined) {
    const { ramResident, ramSaved, ramSavedByRelinking } = image;
    put('image', 'ram', { ramResident, ramSaved, ramSavedByRelinking });
  }
  if (carrier !== undefined) put('carrier', 'vmlinux_btf.ko', { bytes: carrier.bytes, ...carrier.compressed });
  for (const { kind, ...sides } of report.kinds)
    for (const [side, { types, bytes }] of Object.entries(sides)) put(`kind ${side}`, kind, { types, bytes });
  for (const { reason, ...figures } of report.reasons) put('reason', reason, figures);
  for (const { name, before, after, copied } of modules?.rows ?? []) {
    put('module before', name, { ...before });
    put('module after', name, { ...after, copied });
  }
  for (const { per, name, roots, types, bytes } of analysis?.retained ?? [])
    put(`retained by ${per}`, name, { roots, types, bytes });
  for (const [i, { types, bytes }] of (analysis?.curve ?? []).entries()) put('curve', String(i), { types, bytes });
  return `${rows.map(csvLine).join('\n')}\n`;
}

/** Names of packages in {@link renderFileSizes}: who a file comes from. */
const KERNEL = 'linux';
const CARRIER = 'vmlinux-btf';

/**
 * What BTF takes in each file, in the shape of Buildroot's `file-size-stats.csv` (support/scripts/size-stats): the base in the kernel
 * image, the carrier, and the BTF of each module.
 */
export function renderFileSizes(report: Report): string {
  const { base, padding, carrier, modules } = report;
  const files: (readonly [file: string, owner: string, bytes: number])[] = [
    ['vmlinux', KERNEL, base.bytes + padding],
    ...(carrier === undefined ? [] : [['vmlinux_btf.ko', CARRIER, carrier.bytes] as const]),
    ...(modules?.rows ?? []).map(({ name, after }) => [name, KERNEL, after.bytes] as const),
  ];
  const sum = (owner?: string): number =>
    files.reduce((total, [, of, bytes]) => total + (owner === undefined || of === owner ? bytes : 0), 0);
  const share = (bytes: number, whole: number): string => (whole === 0 ? '0.0' : ((100 * bytes) / whole).toFixed(1));
  const head = [
    'File name',
    'Package name',
    'File size',
    'Package size',
    'File size in package (%)',
    'File size in system (%)',
  ];
  const rows = files.map(([file, owner, bytes]) => [
    file,
    owner,
    bytes,
    sum(owner),
    share(bytes, sum(owner)),
    share(bytes, sum()),
  ]);
  return `${[head, ...rows].map(csvLine).join('\n')}\n`;
}
