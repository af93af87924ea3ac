/** Columns of text; the first is aligned left, all others right, unless `left` names more. */
export function alignColumns(rows: readonly (readonly string[])[], left: readonly number[] = [0]): string[] {
  const widths: number[] = [];
  for (const row of rows) for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length);
  return rows.map(row =>
    row
      .map((cell, i) => (left.includes(i) ? cell.padEnd(widths[i]) : cell.padStart(widths[i])))
      .join('  ')
      .trimEnd(),
  );
}

/** A table of GitHub-flavoured markdown; the first column left, the others right. */
export function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map((_, i) => (i === 0 ? ':--' : '--:'))), ...rows.map(line)].join('\n');
}

/** `1,234,567`, for whole numbers. */
export function number(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+$)/g, ',');
}

/** `16.1 %` of a whole; `-` of nothing. */
export function percent(part: number, whole: number): string {
  return whole === 0 ? '-' : `${((100 * part) / whole).toFixed(1)} %`;
}

/** `+1,234`, `-5`, `0`. */
export function signed(value: number): string {
  return value > 0 ? `+${number(value)}` : number(value);
}

/** `+16.1 %` of a whole; `-` of nothing. */
export function signedPercent(part: number, whole: number): string {
  return `${part > 0 && whole !== 0 ? '+' : ''}${percent(part, whole)}`;
}
