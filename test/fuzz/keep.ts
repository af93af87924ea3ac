import { makeCase, partsOf } from './cases.js';
import { addToCorpus } from './corpus.js';
import { minimize } from './minimize.js';
import { Probe } from './probe.js';
import type { Summary } from './supervise.js';
import type { Target } from './target.js';

/** Writes each failure of a run to test/corpus, as small as it gets; returns a line about each. `targets`: as for the run. */
export async function keepFailures(targets: string, summary: Summary, only: string | undefined): Promise<string[]> {
  if (summary.failures.length === 0) return [];
  const { TARGETS, prepare } = (await import(targets)) as { TARGETS: readonly Target[]; prepare: () => Promise<void> };
  await prepare();
  const probe = new Probe(targets);
  const lines: string[] = [];
  for (const { case: number, target, seed, kind, what } of summary.failures) {
    const chosen = TARGETS.find(({ name }) => name === only);
    const made = makeCase(TARGETS, summary.seed, number, chosen);
    const smaller = await minimize(made, probe);
    const { name } = addToCorpus(
      `${target}-${summary.seed}-${number}`,
      target,
      smaller?.parts ?? partsOf(made),
      `${kind}: ${what}`,
    );
    const again = `--seed ${summary.seed} --case ${number}${only === undefined ? '' : ` --target ${only}`}`;
    lines.push(
      `${kind} of ${target} on ${seed} (${again}): ${what}\n  ${smaller === undefined ? 'did not fail again' : 'made smaller'}; test/corpus/${name}`,
    );
  }
  await probe.close();
  return lines;
}
