/** Longer names are not compared: nobody mistypes them, and files are full of them. */
const LONGEST = 128;

/** The candidate that is fewest letters away from a word, when that is near enough to be what was meant. */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  if (word.length > LONGEST) return undefined;
  let best: string | undefined;
  let limit = Math.max(1, Math.min(3, Math.floor(word.length / 3))) + 1;
  for (const candidate of candidates) {
    if (Math.abs(candidate.length - word.length) >= limit) continue;
    const steps = distance(word, candidate, limit);
    if (steps >= limit) continue;
    best = candidate;
    limit = steps;
    if (limit === 0) break;
  }
  return best;
}

/** Letters to insert, delete or replace (Levenshtein); `limit` when it is that many or more. */
function distance(a: string, b: string, limit: number): number {
  let previous = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    let least = i;
    for (let j = 1; j <= b.length; j++) {
      const replaced = previous[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1);
      row[j] = Math.min(replaced, previous[j] + 1, row[j - 1] + 1);
      least = Math.min(least, row[j]);
    }
    if (least >= limit) return limit;
    previous = row;
  }
  return Math.min(previous[b.length], limit);
}
