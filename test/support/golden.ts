import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { repository } from './fixtures.js';

/** Compares with a file of test/golden. To accept a change: delete the file, run the test, look at the difference. */
export function matchesGolden(t: ExecutionContext, name: string, text: string): void {
  const golden = join(repository, 'test', 'golden', name);
  if (!existsSync(golden)) {
    if (process.env.CI) {
      t.fail(`${golden} is missing`);
      return;
    }
    writeFileSync(golden, text);
  }
  t.deepEqual(text.split('\n'), readFileSync(golden, 'utf8').split('\n'));
}
