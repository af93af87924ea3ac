import type { Count, Report } from '../../model.js';
import { compressorName, type Table } from '../content.js';
import { number, percent } from '../table.js';
import { escapeXml } from '../xml.js';

/** Rows from which on a table scrolls within itself. */
const LONG = 16;

/** `label`: for those who do not see the page; each table of a page has its own. */
export function htmlTable(table: Table, changed: ReadonlySet<number> = new Set(), label = table.title): string {
  const [first, ...more] = table.head;
  const heads = [first, ...more].map(text => `<th scope="col">${escapeXml(text)}</th>`).join('');
  const rows = table.rows.map(([name, ...cells], i) => {
    const rest = cells.map(cell => `<td>${escapeXml(cell)}</td>`).join('');
    return `<tr${changed.has(i) ? ' class="changed"' : ''}><th scope="row">${escapeXml(name)}</th>${rest}</tr>`;
  });
  const long = table.rows.length > LONG ? ' long' : '';
  return `<div class="scroll${long}" role="region" tabindex="0" aria-label="${escapeXml(label)}">
<table class="sorts"><thead><tr>${heads}</tr></thead><tbody>
${rows.join('\n')}
</tbody></table></div>`;
}

/** Title and table; nothing for a table that the report has not. */
export function section(table: Table | undefined): string {
  return table === undefined || table.rows.length === 0
    ? ''
    : `<section><h2>${escapeXml(table.title)}</h2>\n${htmlTable(table)}</section>`;
}

interface Pair {
  readonly name: string;
  readonly before: number;
  readonly after: number;
}

/** Flash and RAM before and after, as far as the report knows them. */
function pairs(report: Report): Pair[] {
  const { image, full, base, input } = report;
  const btf = { name: 'BTF in vmlinux', before: input.btfBytes, after: base.bytes };
  if (image === undefined) return [{ ...btf, before: full.bytes }];
  const measured = Object.entries(image.before.compressed).flatMap(([name, before]) => {
    const after = image.after.compressed[name];
    return typeof before === 'number' && typeof after === 'number'
      ? [{ name: `Flash: the image, compressed with ${compressorName(report, name)}`, before, after }]
      : [];
  });
  const flash =
    measured.length > 0
      ? measured
      : [{ name: 'Flash: the image', before: image.before.bytes, after: image.after.bytes }];
  const { ramResident, ramSaved, ramSavedByRelinking } = image;
  const before = ramResident + ramSaved;
  const ram = [
    { name: 'RAM: BTF that can never be freed, and its index', before, after: ramResident },
    ...(ramSavedByRelinking === 0
      ? []
      : [
          {
            name: 'RAM: the same, were the kernel linked with the base',
            before,
            after: ramResident - ramSavedByRelinking,
          },
        ]),
  ];
  return [btf, ...flash, ...ram];
}

/** Bars of before and after; each pair by the scale of its own. */
export function bars(report: Report): string {
  const items = pairs(report).map(({ name, before, after }) => {
    const width = before === 0 ? 0 : Math.min(100, (100 * after) / before);
    const saved = before - after;
    const change = `${number(before)} → ${number(after)} bytes, ${percent(saved, before)} less`;
    return `<li>${escapeXml(name)}: <strong>${change}</strong>
<div class="bar"><span style="width:100%"></span></div><div class="bar after"><span style="width:${width.toFixed(1)}%"></span></div></li>`;
  });
  return `<section><h2>Before and after</h2><ul class="bars">\n${items.join('\n')}\n</ul></section>`;
}

const WIDTH = 900;
const HEIGHT = 260;
const LEFT = 90;
const BOTTOM = 40;

/** The base by how many pointers are followed. */
export function curve(points: readonly Count[]): string {
  if (points.length < 2) return '';
  const most = points[points.length - 1].bytes;
  const x = (i: number): number => LEFT + ((WIDTH - LEFT - 20) * i) / (points.length - 1);
  const y = (bytes: number): number => HEIGHT - BOTTOM - ((HEIGHT - BOTTOM - 20) * bytes) / most;
  const at = points.map(({ bytes }, i) => `${x(i).toFixed(1)},${y(bytes).toFixed(1)}`);
  const every = Math.ceil(points.length / 12);
  const ticks = points.flatMap((_, i) =>
    i % every === 0 ? [`<text x="${x(i).toFixed(1)}" y="${HEIGHT - 20}" text-anchor="middle">${i}</text>`] : [],
  );
  const levels = [0, 0.5, 1].map(
    part =>
      `<text x="${LEFT - 8}" y="${(y(most * part) + 4).toFixed(1)}" text-anchor="end">${number(Math.round(most * part))}</text>`,
  );
  const table: Table = {
    title: 'The base by pointers that are followed',
    head: ['pointers followed', 'types', 'bytes', 'of complete'],
    rows: points.map(({ types, bytes }, i) => [String(i), number(types), number(bytes), percent(bytes, most)]),
  };
  return `<section><h2>From forward to complete</h2>
<p>Closure forward stops at the first pointer to a structure, closure complete follows all of them: bytes of the base in between.</p>
<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="Bytes of the base by how many pointers are followed" class="curve">
<path class="axis" d="M${LEFT} 10V${HEIGHT - BOTTOM}H${WIDTH - 10}" fill="none"/>
${[...levels, ...ticks].join('\n')}
<text x="${WIDTH - 20}" y="${HEIGHT - 4}" text-anchor="end">pointers followed</text>
<polyline class="line" points="${at.join(' ')}"/>
${points.map((point, i) => `<circle cx="${x(i).toFixed(1)}" cy="${y(point.bytes).toFixed(1)}" r="4"><title>${i}: ${number(point.bytes)} bytes</title></circle>`).join('\n')}
</svg>
<details><summary>The same as a table</summary>
${htmlTable(table)}</details></section>`;
}
