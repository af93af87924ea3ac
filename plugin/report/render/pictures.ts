import { KIND_SHAPES } from '../../btf/kinds.js';
import { REASONS } from '../../roots/root.js';
import type { Report } from '../model.js';
import { headline } from './content.js';
import { fillsOf, SIDE_FILLS } from './palette.js';
import { number, percent } from './table.js';
import { MAP_HEIGHT, MAP_WIDTH, treemapShapes } from './treemap.js';
import { escapeXml } from './xml.js';

/** What the rectangles of a treemap are coloured by. */
export const COLOURED_BY = ['side', 'reason', 'kind'] as const;
export type ColouredBy = (typeof COLOURED_BY)[number];

/** Class of a rectangle and its fill, by what it is coloured by. */
export function fills(by: ColouredBy): ReadonlyMap<string, string> {
  if (by === 'side') return new Map(Object.entries(SIDE_FILLS));
  const kinds = KIND_SHAPES.slice(1).map(({ name }) => name.toLowerCase());
  const named = by === 'reason' ? fillsOf(REASONS) : fillsOf(kinds);
  const prefix = by === 'reason' ? 'q' : 'k';
  const rest = by === 'reason' ? [['q-rest', SIDE_FILLS.rest] as const] : [];
  return new Map([...[...named].map(([name, fill]) => [`${prefix}-${name}`, fill] as const), ...rest]);
}

/** Rules of a style sheet that colour the rectangles behind a selector. */
export function fillRules(by: ColouredBy, selector: string): string {
  return [...fills(by)].map(([name, fill]) => `${selector} .${name}{fill:${fill}}`).join('\n');
}

/** Of the shapes of a treemap, whatever they are coloured by. */
export const SHAPE_STYLE = `.map rect{fill:${SIDE_FILLS.header};stroke:#0006;stroke-width:.3}
.map .group1,.map .group2{fill:none;stroke:#111}
.map .group1{stroke-width:2.5}
.map .group2{stroke-width:1}
.map text{font:12px system-ui,sans-serif;fill:#111;pointer-events:none}
.map .label1{font-weight:700}`;

/** The treemap alone, coloured base and rest; undefined for a report without one. */
export function renderTreemapSvg(report: Report): string | undefined {
  const leaves = report.analysis?.treemap;
  if (leaves === undefined) return undefined;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${MAP_WIDTH} ${MAP_HEIGHT}" role="img" aria-labelledby="t" class="map">
<title id="t">${escapeXml(`BTF of ${report.input.file}: ${headline(report)}`)}</title>
<style>
${SHAPE_STYLE}
${fillRules('side', '.map')}
</style>
${treemapShapes(report, leaves)}
</svg>
`;
}

const BAR_WIDTH = 600;
const BAR_HEIGHT = 62;

/** One bar, base and rest, for a README. */
export function renderBarSvg(report: Report): string {
  const { base, full } = report;
  const rest = full.bytes - base.bytes;
  const width = Math.max(2, Math.round((BAR_WIDTH * base.bytes) / full.bytes));
  const text = `base ${number(base.bytes)} bytes (${percent(base.bytes, full.bytes)}), rest ${number(rest)} bytes`;
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${BAR_WIDTH} ${BAR_HEIGHT}" role="img" aria-labelledby="t">
<title id="t">${escapeXml(`BTF of ${report.input.file}: ${text}`)}</title>
<style>text{font:14px system-ui,sans-serif;fill:#222}@media (prefers-color-scheme:dark){text{fill:#eee}}</style>
<rect x="0" y="0" width="${BAR_WIDTH}" height="34" rx="4" fill="${SIDE_FILLS.rest}"/>
<rect x="0" y="0" width="${width}" height="34" rx="4" fill="${SIDE_FILLS.base}"/>
<text x="0" y="54">${escapeXml(text)}</text>
</svg>
`;
}
