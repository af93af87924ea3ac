/** A place on a plane, in units of the picture. */
export interface Rect {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/**
 * Divides a rectangle among weights so that each gets its share of the area, in pieces as square as can be (Bruls, Huizing and van
 * Wijk, "Squarified Treemaps", 2000). `weights`: positive, largest first; the rectangles come in their order. Nothing of the area is
 * left over.
 */
export function squarify(weights: readonly number[], area: Rect): Rect[] {
  const sum = weights.reduce((total, weight) => total + weight, 0);
  const scale = sum === 0 ? 0 : (area.width * area.height) / sum;
  const rects: Rect[] = [];
  let left = area;
  let row: number[] = [];
  for (const weight of weights) {
    const size = weight * scale;
    if (row.length > 0 && worst([...row, size], shortSide(left)) > worst(row, shortSide(left))) {
      left = placeRow(row, left, rects);
      row = [];
    }
    row.push(size);
  }
  if (row.length > 0) placeRow(row, left, rects);
  return rects;
}

const shortSide = ({ width, height }: Rect): number => Math.min(width, height);

/** The largest ratio of the sides of a row's rectangles, laid along a side of this length. */
function worst(row: readonly number[], side: number): number {
  const sum = row.reduce((total, size) => total + size, 0);
  const [most, least] = [Math.max(...row), Math.min(...row)];
  return Math.max((side * side * most) / (sum * sum), (sum * sum) / (side * side * least));
}

/** Lays a row along the shorter side; returns what is left beside it. */
function placeRow(row: readonly number[], area: Rect, rects: Rect[]): Rect {
  const sum = row.reduce((total, size) => total + size, 0);
  const isColumn = area.width >= area.height;
  const side = isColumn ? area.height : area.width;
  const depth = side === 0 ? 0 : sum / side;
  let at = isColumn ? area.y : area.x;
  for (const size of row) {
    const length = depth === 0 ? 0 : size / depth;
    rects.push(
      isColumn
        ? { x: area.x, y: at, width: depth, height: length }
        : { x: at, y: area.y, width: length, height: depth },
    );
    at += length;
  }
  return isColumn
    ? { ...area, x: area.x + depth, width: Math.max(0, area.width - depth) }
    : { ...area, y: area.y + depth, height: Math.max(0, area.height - depth) };
}
