import { printable } from '../../printable.js';

/** Columns that text takes in a monospaced font: letters beyond Latin may take two. */
export function columnsOf(text: string): number {
  let columns = 0;
  for (const character of text) columns += (character.codePointAt(0) ?? 0) < 0x300 ? 1 : 2;
  return columns;
}

/** The text, cut so that it takes no more than so many columns; what was cut is told by an ellipsis. Shows what is not printable. */
export function fit(text: string, columns: number): string {
  const shown = printable(text);
  if (columnsOf(shown) <= columns) return shown;
  let cut = '';
  for (const character of shown) {
    if (columnsOf(cut) + columnsOf(character) > columns - 1) break;
    cut += character;
  }
  return `${cut}…`;
}

/** Where ticks of an axis stand, and what it spans. */
export interface Scale {
  readonly low: number;
  readonly high: number;
  readonly ticks: readonly number[];
}

/** An axis for whole numbers from 0 on: `steps` or a few more round ticks around all values. */
export function scaleFor(least: number, most: number, steps = 4): Scale {
  const step = roundStep((most - least) / steps);
  const low = Math.floor(least / step) * step;
  const high = Math.max(Math.ceil(most / step) * step, low + step);
  const ticks: number[] = [];
  for (let tick = low; tick <= high; tick += step) ticks.push(tick);
  return { low, high, ticks };
}

/** The next of 1, 2, 5, 10, 20 … that is at least so much. */
function roundStep(least: number): number {
  const power = 10 ** Math.max(0, Math.floor(Math.log10(Math.max(1, least))));
  return power * ([1, 2, 5, 10].find(factor => factor * power >= least) ?? 10);
}

/** At most `most` of the numbers 0 … count-1, evenly spread, the first and the last among them. */
export function spread(count: number, most: number): number[] {
  if (count <= most) return Array.from({ length: count }, (_, i) => i);
  if (most < 2) return [0];
  return Array.from({ length: most }, (_, i) => Math.round((i * (count - 1)) / (most - 1)));
}
