import { type Case, partsOf } from './cases.js';
import type { Answer, Probe } from './probe.js';

/** So many inputs are tried at most, for one that takes seconds is tried as well. */
const MOST_TRIES = 300;

/** What two inputs have in common that show one defect: the kind, the error's name and the calls, without numbers. */
export function signature(answer: Answer): string {
  if (answer.kind === 'fine' || answer.kind === 'refused') return answer.kind;
  if (answer.kind !== 'crash') return answer.kind;
  const calls = answer.what.indexOf(' at ');
  const name = answer.what.split(':', 1)[0];
  return `crash ${name}${calls < 0 ? '' : answer.what.slice(calls)}`.replace(/\d+/g, '#');
}

export interface Minimized {
  readonly parts: readonly Uint8Array[];
  readonly answer: Answer;
}

/**
 * The smallest difference from the seed that still fails in the same way: mutations that do not matter are left out,
 * then changed bytes are put back, in ever smaller groups. Undefined when the case does not fail again.
 */
export async function minimize(made: Case, probe: Probe): Promise<Minimized | undefined> {
  const target = made.target.name;
  let parts: readonly Uint8Array[] = partsOf(made);
  const answer = await probe.ask(target, parts);
  const wanted = signature(answer);
  if (wanted === 'fine' || wanted === 'refused') return undefined;
  let tries = 0;
  const fails = async (candidate: readonly Uint8Array[]): Promise<boolean> =>
    tries++ < MOST_TRIES && signature(await probe.ask(target, candidate)) === wanted;

  let { mutations } = made;
  for (const start of made.mutations) {
    const fewer = mutations.filter(other => other !== start);
    const candidate = partsOf({ ...made, mutations: fewer });
    if (!(await fails(candidate))) continue;
    mutations = fewer;
    parts = candidate;
  }
  for (let i = 0; i < parts.length; i++) {
    if (parts[i].length !== made.seed.parts[i].length) continue;
    parts = await putBack(parts, i, made.seed.parts[i], fails);
  }
  return { parts, answer: await probe.ask(target, parts) };
}

async function putBack(
  parts: readonly Uint8Array[],
  i: number,
  original: Uint8Array,
  fails: (candidate: readonly Uint8Array[]) => Promise<boolean>,
): Promise<readonly Uint8Array[]> {
  let changed = [...original.keys()].filter(at => parts[i][at] !== original[at]);
  let group = changed.length;
  while (group > 0) {
    for (let start = 0; start < changed.length; start += group) {
      const candidate = Uint8Array.from(parts[i]);
      for (const at of changed.slice(start, start + group)) candidate[at] = original[at];
      const all = parts.with(i, candidate);
      if (!(await fails(all))) continue;
      parts = all;
      changed = changed.filter(at => candidate[at] !== original[at]);
      start -= group;
    }
    group >>= 1;
  }
  return parts;
}
