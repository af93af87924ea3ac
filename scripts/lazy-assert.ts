import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const assert = (): typeof import('node:assert') => require('node:assert');

/** What yargs uses of node:assert, which takes 5 ms to load: loaded by the first assertion, and so by none. */
export const strictEqual: typeof import('node:assert').strictEqual = (actual, expected, message) =>
  assert().strictEqual(actual, expected, message);
export const notStrictEqual: typeof import('node:assert').notStrictEqual = (actual, expected, message) =>
  assert().notStrictEqual(actual, expected, message);
