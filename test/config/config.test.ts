import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import test from 'ava';
import fc from 'fast-check';
import { parseConfig } from '../../plugin/config/config.js';
import { CodedError } from '../../plugin/errors.js';
import { repository } from '../support/fixtures.js';

const file = join(repository, 'schema', 'vmlinux-btf.config.schema.json');
const valid = new Ajv2020({ strict: true, strictTypes: false, strictRequired: false }).compile(
  JSON.parse(readFileSync(file, 'utf8')),
);

function refusal(text: string): CodedError | undefined {
  try {
    parseConfig(text, 'config.json');
    return undefined;
  } catch (error) {
    if (error instanceof CodedError) return error;
    throw error;
  }
}

const anyAmount = fc.constantFrom(
  ...[
    '420 KiB',
    '1.5 MiB',
    '4096',
    '4096 B',
    '12 %',
    '12%',
    '3 GB',
    '2kB',
    '0',
    '1.2345 KiB',
    '1,5 MiB',
    '-1',
    '1 kib',
    '1  B',
    '',
    '%',
  ],
  ...['6400', '0.5 %', '1e3', ' 1', '1 ', '1\n', '.5 MiB', '5. MiB', '12 % ', 'x'],
);

/** Budgets that are mostly right: a wrong key or value makes the whole of it wrong. */
const anyBudget = fc.record(
  {
    metric: fc.oneof(
      {
        weight: 8,
        arbitrary: fc.constantFrom('btf.base', 'btf.base.types', 'image.partition.xz', 'carrier.file', 'ram.resident'),
      },
      {
        weight: 2,
        arbitrary: fc.constantFrom(
          'retained.func:x',
          'retained.',
          'root.kfunc',
          'root.x',
          'btf.base.lz4',
          'modules.btf.xz',
        ),
      },
      { weight: 1, arbitrary: fc.constantFrom(3, null, '', 'constructor') },
    ),
    max: anyAmount,
    maxIncrease: anyAmount,
    andAtLeast: anyAmount,
    partition: fc.constantFrom('4 MiB', '64 MiB', '5 %'),
    level: fc.constantFrom('error', 'warn', 'warn', 'warning'),
    message: fc.constantFrom('ask', 'why', '', 3),
    maximum: fc.constant('1'),
  },
  { requiredKeys: [] },
);
const fewKeys = fc
  .tuple(
    anyBudget,
    fc.subarray(['max', 'maxIncrease', 'andAtLeast', 'partition', 'level', 'message'], { maxLength: 3 }),
  )
  .map(([budget, keys]) =>
    Object.fromEntries(Object.entries(budget).filter(([key]) => key === 'metric' || keys.includes(key))),
  );

const anyConfig = fc.oneof(
  fc.jsonValue(),
  fc.record({ budgets: fc.array(fc.oneof({ weight: 6, arbitrary: fewKeys }, anyBudget), { maxLength: 2 }) }),
  fc.dictionary(
    fc.constantFrom(
      'keep',
      'keepFor',
      'pahole',
      '$schema',
      'budgets',
      'Keep',
      'closure',
      '__proto__',
      'constructor',
      '',
    ),
    fc.oneof(
      fc.array(fc.oneof(fc.string(), fc.constant('struct:x'), fc.constant(3))),
      fc.array(fc.string({ minLength: 1 })),
      fc.array(fewKeys, { maxLength: 1 }),
      fc.string(),
      fc.constantFrom(null, 3, true),
    ),
    { maxKeys: 3 },
  ),
);

/** Two amounts are compared by the code alone. */
const BEYOND_SCHEMA = /^budgets\[\d\]\.max: it is more than the partition has$/;

test('code and schema take and refuse the same configurations', t => {
  const seen = { valid: 0, wrong: 0 };
  fc.assert(
    fc.property(anyConfig, value => {
      const text = JSON.stringify(value);
      const expected = valid(JSON.parse(text));
      seen[expected ? 'valid' : 'wrong']++;
      const error = refusal(text);
      if (expected && error !== undefined && BEYOND_SCHEMA.test(error.detail)) return true;
      return (error === undefined) === expected && (error === undefined || error.code === 'config');
    }),
    { numRuns: 4000, seed: 1 },
  );
  t.true(seen.valid > 200 && seen.wrong > 200, JSON.stringify(seen));
});

const budget = (fields: object): string => JSON.stringify({ budgets: [{ metric: 'btf.base', ...fields }] });

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
    ['{"budgets": {}}', /^budgets: it must be an array/],
    ['{"budgets": [3]}', /^budgets\[0\]: it must be an object/],
    ['{"budgets": [{}]}', /^budgets\[0\]\.metric: missing/],
    ['{"budgets": [{"metric": 3}]}', /^budgets\[0\]\.metric: it must be a string/],
    ['{"budgets": [{"metrik": "x"}]}', /^budgets\[0\]\.metrik: no such key; did you mean metric\?/],
    [budget({ metric: 'btf.bas' }), /^budgets\[0\]\.metric: no metric btf\.bas; did you mean btf\.base\?/],
    [budget({ metric: 'root.kfunk' }), /; did you mean root\.kfunc\?/],
    [budget({ metric: 'btf.base.lz4' }), /; did you mean btf\.base/],
    [budget({ metric: 'of nothing' }), /no metric of nothing; docs\/budgets\.md lists them/],
    [budget({}), /^budgets\[0\]: it limits nothing: give max or maxIncrease/],
    [budget({ max: '420 kib' }), /^budgets\[0\]\.max: "kib": no such unit; did you mean KiB\?/],
    [budget({ max: '420 MiBs' }), /"MiBs": no such unit; did you mean MiB\?/],
    [budget({ max: '420 lines' }), /"lines": no such unit; units are B, KiB, MiB, GiB, kB, MB, GB and %/],
    [budget({ max: 'much' }), /max: it must be a size such as "420 KiB", or a percent such as "12 %"/],
    [budget({ max: '999999999999999 GiB' }), /too much/],
    [budget({ metric: 'btf.base.types', max: '4 KiB' }), /it is counted, not weighed/],
    [budget({ metric: 'btf.base.types', max: '4.5' }), /it must be a whole number/],
    [budget({ metric: 'btf.full.xz', max: '5 %' }), /max: btf\.full\.xz is no part of a whole: it takes no percent/],
    [budget({ max: '1', andAtLeast: '4 KiB' }), /andAtLeast: it goes with maxIncrease/],
    [budget({ maxIncrease: '1', andAtLeast: '4 %' }), /andAtLeast: it is no percent/],
    [budget({ max: '1', partition: '4 MiB' }), /partition: it is a key of image\.partition only/],
    [budget({ metric: 'image.partition.xz', max: '1' }), /partition: missing/],
    [budget({ metric: 'image.partition', max: '101 %', partition: '4 MiB' }), /max: it is more than the partition has/],
    [budget({ max: '1', level: 'fatal' }), /level: it is error or warn/],
    [budget({ max: '1', message: '' }), /message: it is empty/],
  ];
  for (const [text, says] of cases) {
    const error = refusal(text);
    t.is(error?.exitCode, 2, text);
    t.is(error?.place.file, 'config.json');
    t.regex(error?.detail ?? '', says);
  }
});

test('what is left out is empty', t => {
  t.deepEqual(parseConfig('{}', 'x'), { keep: [], keepFor: [], budgets: [] });
  t.deepEqual(parseConfig('{"keep": ["percpu"], "keepFor": ["a.o"]}', 'x'), {
    keep: ['percpu'],
    keepFor: ['a.o'],
    budgets: [],
  });
});

test('the schema is shipped with the package', t => {
  const { files } = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8')) as { files: string[] };
  t.true(files.includes('schema'));
});
