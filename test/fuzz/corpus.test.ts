import test from 'ava';
import { partsOfEntry, readCorpus } from './corpus.js';
import { Probe } from './probe.js';
import { prepare, TARGETS } from './targets.js';

const corpus = readCorpus();
const probe = new Probe(new URL('./targets.js', import.meta.url).href);

test.before(prepare);
test.after.always(() => probe.close());

test('there is a corpus, and every entry says what it showed and what it comes to', t => {
  t.true(corpus.length > 0);
  for (const { name, target, shows, comesTo } of corpus) {
    t.true(
      TARGETS.some(other => other.name === target),
      name,
    );
    t.true(shows.length > 10, name);
    t.not(comesTo, undefined, name);
  }
});

for (const entry of corpus)
  test.serial(`${entry.name}: ${entry.shows}`, async t => {
    t.timeout(60_000);
    const answer = await probe.ask(entry.target, partsOfEntry(entry));
    const comesTo: string = answer.kind === 'refused' ? answer.code : answer.kind;
    t.is(comesTo, entry.comesTo ?? '', JSON.stringify(answer));
  });
