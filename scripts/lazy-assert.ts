import { createRequire } from 'node:module';

type Assertion = (actual: unknown, expected: unknown, message?: string) => void;

const require = createRequire(import.meta.url);
const assert = (): { strictEqual: Assertion; notStrictEqual: Assertion } => require('node:assert');

/** What yargs uses of node:assert, which takes 5 ms to load: only an assertion that fails loads it. */
export const strictEqual: Assertion = (actual, expected, message) => {
  if (!Object.is(actual, expected)) assert().strictEqual(actual, expected, message);
};
export const notStrictEqual: Assertion = (actual, expected, message) => {
  if (Object.is(actual, expected)) assert().notStrictEqual(actual, expected, message);
};
