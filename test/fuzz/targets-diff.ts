import { Btf } from '../../plugin/btf/btf.js';
import { checkLengths } from '../../plugin/btf/names.js';
import { diff } from '../../plugin/commands/diff.js';
import { diffTypes } from '../../plugin/diff/types.js';
import { readReport } from '../../plugin/pipeline/report-file.js';
import { FORMATS, MERGED_FORMATS } from '../../plugin/report/formats.js';
import { parseHistory } from '../../plugin/report/history.js';
import { renderDiffMarkdown, renderDiffText } from '../../plugin/report/render/diff.js';
import { renderTrend } from '../../plugin/report/render/trend.js';
import { seriesOf } from '../../plugin/report/series.js';
import { FULL_REPORT, REPORT } from '../support/any-report.js';
import { quietContext } from './quiet.js';
import type { Seed } from './seed.js';
import { kernelTypes } from './seeds/kernel-btf.js';
import { withFile } from './target.js';

const OTHER = kernelTypes('big', 4).bytes;

/** Bare BTF, or a base and BTF on it, against another kernel and against itself. */
export function diffBtfs(parts: readonly Uint8Array[]): void {
  const base = parts.length > 1 ? Btf.decode(parts[0]) : undefined;
  const btf = Btf.decode(parts[parts.length - 1], base);
  for (let side: Btf | undefined = btf; side !== undefined; side = side.base) checkLengths(side);
  const other = Btf.decode(OTHER);
  for (const [a, b] of [
    [btf, other],
    [other, btf],
  ]) {
    const types = diffTypes({ btf: a, baseTypes: 3 }, { btf: b, baseTypes: 5 });
    const { up, down, before, after } = types.bytes;
    if (up - down !== after - before) throw new Error('bytes that do not add up');
    renderDiffText({ types }, { all: false });
    renderDiffMarkdown({ types }, { all: true });
  }
  const { types, bytes } = diffTypes({ btf }, { btf });
  if (types.length + bytes.up + bytes.down > 0) throw new Error('it differs from itself');
}

/** A report against itself, by the command; then in every format, alone and with another. */
export async function diffReports([bytes]: readonly Uint8Array[], folder: string): Promise<void> {
  const options = { format: 'text' as const, all: true, exitCode: true, json: false };
  await withFile(folder, 'report.json', bytes, async file => {
    await diff({ a: file, b: file, ...options }, quietContext);
    const { report } = await readReport(file);
    for (const { render } of FORMATS) render(report, { baseline: report, colours: true });
    const reports = [report, REPORT].map(each => ({ source: file, report: each }));
    for (const { render } of MERGED_FORMATS) render({ schemaVersion: 1, reports });
  });
}

/** A report, and one of a later version of the schema, which a mutated number seldom makes. */
export const reportFiles = (): Seed[] =>
  [FULL_REPORT, REPORT, { ...REPORT, schemaVersion: 2 }].map((report, i) => ({
    name: `report ${i}`,
    parts: [Buffer.from(JSON.stringify(report))],
  }));

export function drawHistory(bytes: Uint8Array): void {
  const svg = renderTrend(seriesOf(parseHistory(Buffer.from(bytes).toString('utf8')), []));
  if (!svg.endsWith('</svg>\n')) throw new Error('no whole drawing');
}
