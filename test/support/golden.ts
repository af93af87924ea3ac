import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { repository } from './fixtures.js';

/**
 * Compares with a file of test/golden, named by the input and the flags that it was made with. `npm run goldens` writes all of them
 * anew: look at the difference before it is committed.
 */
export function matchesGolden(t: ExecutionContext, name: string, text: string): void {
  const golden = join(repository, 'test', 'golden', name);
  if (process.env.UPDATE_GOLDENS === '1' && process.env.CI === undefined) writeFileSync(golden, text);
  if (!existsSync(golden)) {
    t.fail(`${golden} is missing: npm run goldens`);
    return;
  }
  t.deepEqual(text.split('\n'), readFileSync(golden, 'utf8').split('\n'));
}
