import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import fc from 'fast-check';
import { parseConfig } from '../../plugin/config/config.js';
import { CodedError } from '../../plugin/errors.js';
import { repository } from '../support/fixtures.js';

/** What of JSON Schema the published schema uses. */
interface Schema {
  readonly type: 'object' | 'array' | 'string';
  readonly additionalProperties?: boolean;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly minLength?: number;
}

const file = join(repository, 'schema', 'vmlinux-btf.config.schema.json');
const schema = JSON.parse(readFileSync(file, 'utf8')) as Schema;

/** A validator of that part of JSON Schema (2020-12). */
function valid(value: unknown, { type, properties = {}, additionalProperties, items, minLength = 0 }: Schema): boolean {
  if (type === 'string') return typeof value === 'string' && [...value].length >= minLength;
  if (type === 'array') return Array.isArray(value) && (items === undefined || value.every(item => valid(item, items)));
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return Object.entries(value).every(([key, entry]) =>
    Object.hasOwn(properties, key) ? valid(entry, properties[key]) : additionalProperties !== false,
  );
}

function refusal(text: string): CodedError | undefined {
  try {
    parseConfig(text, 'config.json');
    return undefined;
  } catch (error) {
    if (error instanceof CodedError) return error;
    throw error;
  }
}

const anyConfig = fc.oneof(
  fc.jsonValue(),
  fc.dictionary(
    fc.constantFrom('keep', 'keepFor', 'pahole', '$schema', 'Keep', 'closure', '__proto__', 'constructor', ''),
    fc.oneof(
      fc.array(fc.oneof(fc.string(), fc.constant('struct:x'), fc.constant(3))),
      fc.array(fc.string({ minLength: 1 })),
      fc.string(),
      fc.constantFrom(null, 3, true),
    ),
    { maxKeys: 3 },
  ),
);

test('code and schema take and refuse the same configurations', t => {
  const seen = { valid: 0, wrong: 0 };
  fc.assert(
    fc.property(anyConfig, value => {
      const text = JSON.stringify(value);
      const expected = valid(JSON.parse(text), schema);
      seen[expected ? 'valid' : 'wrong']++;
      const error = refusal(text);
      return (error === undefined) === expected && (error === undefined || error.code === 'config');
    }),
    { numRuns: 4000, seed: 1 },
  );
  t.true(seen.valid > 200 && seen.wrong > 200, JSON.stringify(seen));
});

test('the schema uses no word that the validator of this test does not know', t => {
  const known = ['$schema', 'title', 'description', 'type', 'additionalProperties', 'properties', 'items', 'minLength'];
  const visit = (node: Schema): void => {
    for (const key of Object.keys(node)) t.true(known.includes(key), key);
    for (const property of Object.values(node.properties ?? {})) visit(property);
    if (node.items !== undefined) visit(node.items);
  };
  visit(schema);
});

test('what is wrong is told with its JSON path, and a key with the nearest one', t => {
  const cases: readonly (readonly [string, RegExp])[] = [
    ['{', /no JSON/],
    ['[]', /no object/],
    ['{"keep": "x"}', /^keep: it must be an array/],
    ['{"keep": ["a", 3]}', /^keep\[1\]: it must be a string/],
    ['{"keepFor": [""]}', /^keepFor\[0\]: it is empty/],
    ['{"kepp": []}', /^kepp: no such key; did you mean keep\?/],
    ['{"keepfor": []}', /^keepfor: no such key; did you mean keepFor\?/],
    ['{"a\\nb": 1}', /^\["a\\nb"\]: no such key$/],
    ['{"$schema": 1}', /^\$schema: it must be a string/],
  ];
  for (const [text, says] of cases) {
    const error = refusal(text);
    t.is(error?.exitCode, 2, text);
    t.is(error?.place.file, 'config.json');
    t.regex(error?.detail ?? '', says);
  }
});

test('what is left out is empty', t => {
  t.deepEqual(parseConfig('{}', 'x'), { keep: [], keepFor: [] });
  t.deepEqual(parseConfig('{"keep": ["percpu"], "keepFor": ["a.o"]}', 'x'), { keep: ['percpu'], keepFor: ['a.o'] });
});

test('the schema is shipped with the package', t => {
  const { files } = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8')) as { files: string[] };
  t.true(files.includes('schema'));
});
