import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { repository } from '../support/fixtures.js';

/** An input that once failed; the tests run it again. */
export interface CorpusEntry {
  readonly name: string;
  readonly target: string;
  /** Files of test/corpus, in the order in which the target takes them. */
  readonly parts: readonly string[];
  /** What it showed, in a line. */
  readonly shows: string;
  /** What it comes to now: `fine` or the code of the error. Unknown until the defect is mended. */
  readonly comesTo?: string;
}

const folder = join(repository, 'test', 'corpus');
const list = join(folder, 'corpus.json');

export function readCorpus(): readonly CorpusEntry[] {
  return existsSync(list) ? (JSON.parse(readFileSync(list, 'utf8')) as CorpusEntry[]) : [];
}

export function partsOfEntry({ parts }: CorpusEntry): Uint8Array[] {
  return parts.map(part => readFileSync(join(folder, part)));
}

/** Adds an input to test/corpus; one of the same name is replaced. */
export function addToCorpus(
  name: string,
  target: string,
  parts: readonly Uint8Array[],
  shows: string,
  comesTo?: string,
): CorpusEntry {
  mkdirSync(folder, { recursive: true });
  const files = parts.map((bytes, i) => {
    const file = parts.length === 1 ? name : `${name}.${i}`;
    writeFileSync(join(folder, file), bytes);
    return file;
  });
  const entry: CorpusEntry = { name, target, parts: files, shows, ...(comesTo === undefined ? {} : { comesTo }) };
  const entries = [...readCorpus().filter(other => other.name !== name), entry];
  entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  writeFileSync(list, `${JSON.stringify(entries, null, 2)}\n`);
  return entry;
}
