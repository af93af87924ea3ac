import { groupBy } from '../../group-by.js';
import type { Leaf, Report } from '../model.js';
import { type Rect, squarify } from './squarify.js';
import { number, percent } from './table.js';
import { escapeXml } from './xml.js';

export const MAP_WIDTH = 1200;
export const MAP_HEIGHT = 600;

/** A leaf in its place. */
export interface PlacedLeaf {
  readonly leaf: Leaf;
  readonly rect: Rect;
}

/** A side, a reason or a kind with all that is in it. */
interface Group {
  readonly label: string;
  readonly bytes: number;
  readonly rect: Rect;
  /** 1 for a side, 2 for what is next within it. */
  readonly depth: number;
}

export interface Treemap {
  readonly leaves: readonly PlacedLeaf[];
  readonly groups: readonly Group[];
}

type Key = (leaf: Leaf) => string;

const sideOf: Key = ({ reason }) => (reason === 'rest' || reason === 'header' ? reason : 'base');

/** Base, rest and header; the base by reason, both by kind; then the leaves. */
export function layOutTreemap(leaves: readonly Leaf[]): Treemap {
  const placed: PlacedLeaf[] = [];
  const groups: Group[] = [];
  const divide = (some: readonly Leaf[], rect: Rect, keys: readonly Key[], depth: number): void => {
    if (keys.length === 0) {
      const rects = squarify(
        some.map(({ bytes }) => bytes),
        rect,
      );
      for (const [i, leaf] of some.entries()) placed.push({ leaf, rect: rects[i] });
      return;
    }
    const parts = [...groupBy(some, keys[0])].map(([label, part]) => ({ label, part, bytes: sum(part) }));
    parts.sort((a, b) => b.bytes - a.bytes);
    const rects = squarify(
      parts.map(({ bytes }) => bytes),
      rect,
    );
    for (const [i, { label, part, bytes }] of parts.entries()) {
      if (depth < 3) groups.push({ label, bytes, rect: rects[i], depth });
      divide(part, rects[i], keys.length === 3 && label !== 'base' ? [keys[2]] : keys.slice(1), depth + 1);
    }
  };
  const kept = leaves.filter(({ bytes }) => bytes > 0);
  const all = { x: 0, y: 0, width: MAP_WIDTH, height: MAP_HEIGHT };
  divide(kept, all, [sideOf, ({ reason }) => reason, ({ kind }) => kind], 1);
  return { leaves: placed, groups };
}

function sum(leaves: readonly Leaf[]): number {
  return leaves.reduce((total, { bytes }) => total + bytes, 0);
}

/** Rectangles with their names and bytes, groups with their outlines; without the element around them. */
export function treemapShapes(report: Report, leaves: readonly Leaf[]): string {
  const { leaves: placed, groups } = layOutTreemap(leaves);
  const whole = report.full.bytes;
  return [
    ...placed.map(({ leaf, rect }) => {
      const classes = `${sideOf(leaf)} q-${leaf.reason} k-${leaf.kind.toLowerCase()}`;
      return `<rect class="${classes}" ${box(rect)}><title>${escapeXml(describe(leaf, whole))}</title></rect>`;
    }),
    ...groups.map(({ rect, depth }) => `<rect class="group${depth}" ${box(rect)}/>`),
    ...groups.flatMap(group => labelOf(group)),
  ].join('\n');
}

const round = (value: number): string => String(Math.round(value * 10) / 10);

function box({ x, y, width, height }: Rect): string {
  return `x="${round(x)}" y="${round(y)}" width="${round(width)}" height="${round(height)}"`;
}

function describe(leaf: Leaf, whole: number): string {
  const { reason, kind, name, types, bytes } = leaf;
  const size = `${number(bytes)} bytes, ${percent(bytes, whole)}`;
  if (reason === 'header') return `header: ${size}`;
  if (kind === '') return `strings that no type names: ${size}, rest`;
  const lower = kind.toLowerCase();
  const what =
    name === undefined ? `${number(types)} other types of kind ${lower}` : `${lower} ${name || '(anonymous)'}`;
  return `${what}: ${size}, ${reason === 'rest' ? 'rest' : `base, for ${reason}`}`;
}

const CHARACTER_WIDTH = 7;
const LINE = 15;

/** The name of a group, where there is room: sides at the bottom, what is within them at the top. */
function labelOf({ label, bytes, rect, depth }: Group): string[] {
  const text = depth === 1 ? `${label}: ${number(bytes)} bytes` : label.toLowerCase();
  if (text.length * CHARACTER_WIDTH + 8 > rect.width || rect.height < 2 * LINE) return [];
  const y = depth === 1 ? rect.y + rect.height - 6 : rect.y + LINE - 3;
  return [`<text class="label${depth}" x="${round(rect.x + 4)}" y="${round(y)}">${escapeXml(text)}</text>`];
}
