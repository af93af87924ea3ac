import type { Point, Series } from '../series.js';
import { columnsOf, fit, type Scale, scaleFor, spread } from './svg.js';
import { number } from './table.js';
import { escapeXml } from './xml.js';

/** All in pixels of the drawing, which scales. */
const WIDTH = 760;
const CHART = 200;
const HEAD = 52;
const TOP = 48;
const BOTTOM = 30;
const RIGHT = 52;
const FONT = 11;
/** Of a character: monospaced fonts take 0.55 to 0.62 of the size of the font. */
const COLUMN = FONT * 0.62;
const LABEL_COLUMNS = 12;
/** Longer series are a line without dots. */
const MOST_DOTS = 500;

const STYLE = `
text { font: ${FONT}px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; fill: #1f2328 }
.name { font-weight: bold }
.minor { fill: #59636e }
.paper { fill: #ffffff }
.grid { stroke: #d1d9e0; stroke-width: 1 }
.line { stroke: #0969da; stroke-width: 1.5; fill: none; stroke-linejoin: round }
.dot { fill: #0969da }
@media (prefers-color-scheme: dark) {
text { fill: #f0f6fc }
.minor { fill: #9198a1 }
.paper { fill: #0d1117 }
.grid { stroke: #3d444d }
.line { stroke: #4493f8 }
.dot { fill: #4493f8 }
}
`;

/** One chart a series as one SVG, without scripts and without anything from elsewhere. */
export function renderTrend(series: readonly Series[]): string {
  const height = HEAD + series.length * CHART;
  const reports = series.reduce((most, one) => Math.max(most, one.reports), 0);
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="group" aria-labelledby="title desc">`,
    '<title id="title">BTF over time</title>',
    `<desc id="desc">${series.length} charts of up to ${number(reports)} reports each, oldest on the left</desc>`,
    `<style>${STYLE}</style>`,
    `<rect class="paper" width="${WIDTH}" height="${height}"/>`,
    `<text class="name" x="16" y="24">BTF over time</text>`,
    `<text class="minor" x="16" y="40">a vertical axis spans the values, and need not begin at 0</text>`,
    ...series.map((one, nth) => chart(one, nth)),
    '</svg>',
  ];
  return `${parts.join('\n')}\n`;
}

/** Places of one chart: from values and reports to pixels. */
interface Frame {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
  readonly scale: Scale;
  readonly x: (nth: number) => number;
  readonly y: (value: number) => number;
}

function frameOf({ points, reports }: Series): Frame {
  let [least, most] = [points[0].value, points[0].value];
  for (const { value } of points) {
    least = Math.min(least, value);
    most = Math.max(most, value);
  }
  const scale = scaleFor(least, most);
  const widest = Math.max(...scale.ticks.map(tick => columnsOf(number(tick))));
  // The first label stands in the middle below the left end.
  const left = Math.ceil(Math.max(24 + widest * COLUMN, (LABEL_COLUMNS * COLUMN) / 2 + 4));
  const right = WIDTH - RIGHT;
  const [top, bottom] = [TOP, CHART - BOTTOM];
  return {
    left,
    right,
    top,
    bottom,
    scale,
    x: nth => round(reports === 1 ? (left + right) / 2 : left + ((right - left) * nth) / (reports - 1)),
    y: value => round(bottom - ((bottom - top) * (value - scale.low)) / (scale.high - scale.low)),
  };
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}

function chart(series: Series, nth: number): string {
  const { metric, of, points, unit } = series;
  const frame = frameOf(series);
  const last = points[points.length - 1];
  const now = `${number(last.value)} ${unit}`;
  const wide = Math.floor((WIDTH - 32) / COLUMN);
  const name = fit(metric, wide - now.length - 2);
  return [
    `<g role="img" aria-labelledby="title${nth} desc${nth}" transform="translate(0 ${HEAD + nth * CHART})">`,
    `<title id="title${nth}">${escapeXml(`${metric}, in ${unit}`)}</title>`,
    `<desc id="desc${nth}">${escapeXml(described(series))}</desc>`,
    `<text class="name" x="16" y="14">${escapeXml(name)}</text>`,
    `<text x="${WIDTH - 16}" y="14" text-anchor="end">${now}</text>`,
    `<text class="minor" x="16" y="28">${escapeXml(fit(`${unit}; ${of}`, wide))}</text>`,
    ...frame.scale.ticks.map(tick => yTick(frame, tick)),
    ...xLabels(series, frame),
    ...lines(points, frame),
    ...(points.length <= MOST_DOTS ? points.map(point => dot(point, unit, frame)) : []),
    '</g>',
  ].join('\n');
}

function described({ points, of, unit }: Series): string {
  const [first, last] = [points[0], points[points.length - 1]];
  const told = ({ value, commit, time }: Point): string => `${number(value)} ${unit} at ${commit} (${time})`;
  return `${of}. ${number(points.length)} reports, from ${told(first)} to ${told(last)}`;
}

function yTick({ left, right, y }: Frame, tick: number): string {
  const at = y(tick);
  return `<line class="grid" x1="${left}" y1="${at}" x2="${right}" y2="${at}"/><text class="tick minor" x="${left - 8}" y="${at}" dy="0.35em" text-anchor="end">${number(tick)}</text>`;
}

/** As many commits as have room, the first and the last among them. */
function xLabels({ points }: Series, { left, right, bottom, x }: Frame): string[] {
  const room = Math.floor((right - left) / (LABEL_COLUMNS * COLUMN + 12)) + 1;
  const apart = LABEL_COLUMNS * COLUMN + 6;
  let end = Number.NEGATIVE_INFINITY;
  return spread(points.length, room).flatMap(nth => {
    const { commit, nth: place } = points[nth];
    const at = x(place);
    if (at - end < apart) return [];
    end = at;
    return [
      `<text class="label minor" x="${at}" y="${bottom + 18}" text-anchor="middle">${escapeXml(fit(commit, LABEL_COLUMNS))}</text>`,
    ];
  });
}

/** A line ends where a report has not the figure, and another begins. */
function lines(points: readonly Point[], { x, y }: Frame): string[] {
  const runs: string[][] = [];
  let next = -1;
  for (const { nth, value } of points) {
    if (nth !== next) runs.push([]);
    runs[runs.length - 1].push(`${x(nth)},${y(value)}`);
    next = nth + 1;
  }
  return runs.filter(run => run.length > 1).map(run => `<polyline class="line" points="${run.join(' ')}"/>`);
}

function dot({ nth, value, commit, time }: Point, unit: string, { x, y }: Frame): string {
  return `<circle class="dot" cx="${x(nth)}" cy="${y(value)}" r="3"><title>${escapeXml(`${commit}, ${time}: ${number(value)} ${unit}`)}</title></circle>`;
}
