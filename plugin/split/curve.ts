import type { Root } from '../roots/root.js';
import type { NeedGraph } from './need-graph.js';
import type { Amount } from './retained.js';

/**
 * The way from closure `forward` to `complete`: what a base holds in which structs are whole up to so many pointers from what the
 * roots use. Point 0 is closure `forward`, the last one is `complete`. Records and names, without the header and the empty name.
 * `needs`: of closure `forward`. Linear in what the roots need.
 */
export function closureCurve(needs: NeedGraph, roots: readonly Root[]): Amount[] {
  const met = new Uint8Array(needs.most);
  const points: Amount[] = [];
  let here: number[] = [];
  const add = (need: number): void => {
    if (met[need] !== 0) return;
    met[need] = 1;
    here.push(need);
  };
  needs.ofRoots(roots, add);
  let [types, bytes] = [0, 0];
  while (here.length > 0) {
    const behind: number[] = [];
    for (let done = 0; done < here.length; done++) {
      const need = here[done];
      if (needs.typeOf(need) !== 0) types++;
      bytes += needs.bytes(need);
      const whole = needs.wholeOf(need);
      if (whole >= 0) behind.push(whole);
      needs.follow(need, add);
    }
    points.push({ types, bytes });
    here = [];
    for (const need of behind) add(need);
  }
  return points;
}
