/** Fills that dark text can be read on, told apart by hue and lightness; none is the one of a side. */
const FILLS = [
  '#c9a3f0',
  '#ffb703',
  '#a3d9a5',
  '#f4a6b7',
  '#cdb4db',
  '#e9c46a',
  '#90be6d',
  '#e88873',
  '#9fb4ff',
  '#d4d89a',
  '#76c8b1',
  '#e5a4cb',
  '#f2d0a9',
  '#d9b99b',
  '#a5e0e8',
  '#c5e384',
] as const;

export const SIDE_FILLS = { base: '#f79d65', rest: '#8ecae6', header: '#b8c0c8' } as const;

/** A colour for each of some names, the same for the same list. */
export function fillsOf(names: readonly string[]): ReadonlyMap<string, string> {
  return new Map(names.map((name, i) => [name, FILLS[i % FILLS.length]]));
}
