import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import fc from 'fast-check';
import { CodedError, type ErrorCode } from '../../plugin/errors.js';
import { checkReport, readReport } from '../../plugin/pipeline/report-file.js';
import { runSplit } from '../../plugin/pipeline/split.js';
import type { Report } from '../../plugin/report/model.js';
import { REPORT_SCHEMA } from '../../plugin/report/schema.js';
import { REPORT } from '../support/any-report.js';
import { fixture, repository } from '../support/fixtures.js';
import { KERNELS } from '../support/kernels.js';
import { moduleFolder } from '../support/module-folder.js';
import { scratchFolder } from '../support/scratch.js';
import { shapeOf } from '../support/typescript-shape.js';

const folder = scratchFolder(test, 'schema');
const published = join(repository, 'schema', 'report.schema.json');

interface Node {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, Node>>;
  readonly additionalProperties?: Node | false;
  readonly items?: Node;
  readonly $defs?: Readonly<Record<string, Node>>;
}

/** The same of a schema as `shapeOf` of an interface. */
function shapeOfSchema(root: Node): Map<string, string> {
  const shape = new Map<string, string>();
  const visit = (given: Node, path: string): void => {
    const node = given.$ref === undefined ? given : (root.$defs?.[given.$ref.replace('#/$defs/', '')] ?? {});
    if (node.items !== undefined) visit(node.items, `${path}[]`);
    else if (node.type === 'object') {
      if (node.additionalProperties) visit(node.additionalProperties, `${path}{}`);
      for (const [name, property] of Object.entries(node.properties ?? {}))
        visit(property, `${path}.${name}${node.required?.includes(name) ? '' : '?'}`);
    } else shape.set(path, leaf(node));
  };
  visit(root, '');
  return shape;
}

function leaf({ const: only, enum: values, type }: Node): string {
  const names = values ?? (only === undefined ? undefined : [only]);
  const kinds =
    names?.map(value => JSON.stringify(value)) ??
    [type].flat().map(kind => (kind === 'integer' ? 'number' : String(kind)));
  return kinds.sort().join(' | ');
}

/** To accept a change: delete the file, run this test, look at the difference. */
test('the published schema is the one that reports are held to', t => {
  const text = `${JSON.stringify(REPORT_SCHEMA, null, 2)}\n`;
  if (!existsSync(published)) {
    if (process.env.CI) return t.fail(`${published} is missing`);
    writeFileSync(published, text);
  }
  t.is(readFileSync(published, 'utf8'), text);
});

test('the schema has the keys and values of the model, no more and no less', t => {
  const model = shapeOf('plugin/report/model.ts', 'Report');
  t.true(model.size > 70, String(model.size));
  t.deepEqual([...shapeOfSchema(JSON.parse(readFileSync(published, 'utf8')))].sort(), [...model].sort());
});

test('a made-up report with every part fits', async t => {
  t.is(await checkReport(REPORT), REPORT);
});

for (const kernel of KERNELS)
  test(`the report of ${kernel} fits, with each closure and with modules`, async t => {
    const modules = moduleFolder(join(folder, `${kernel}-modules`), kernel);
    for (const more of [{ reach: 'complete' as const, modules }, { reach: 'forward' as const }]) {
      const out = join(folder, `${kernel}-${more.reach}`);
      const report = await runSplit({ file: fixture(`${kernel}/vmlinux`), out, compressors: [], ...more });
      const read = await readReport(join(out, 'report.json'));
      t.deepEqual(read.report, JSON.parse(JSON.stringify(report)));
      t.deepEqual(Buffer.from(read.bytes), readFileSync(join(out, 'report.json')));
    }
  });

async function refusal(value: unknown): Promise<CodedError | undefined> {
  try {
    await checkReport(value);
    return undefined;
  } catch (error) {
    if (error instanceof CodedError) return error;
    throw error;
  }
}

test('what does not fit is told with its JSON path', async t => {
  const { input, ...without } = REPORT;
  const cases: readonly (readonly [unknown, ErrorCode, RegExp])[] = [
    [null, 'report', /^it is no object$/],
    [[], 'report', /^it is no object$/],
    ['x', 'report', /^it is no object$/],
    [{}, 'report', /^schemaVersion: missing$/],
    [{ ...REPORT, schemaVersion: 2 }, 'report-version', /^2, this version reads 1$/],
    [{ ...REPORT, schemaVersion: '1' }, 'report', /^schemaVersion: must be equal to constant$/],
    [without, 'report', /^input: missing$/],
    [{ ...REPORT, input: { ...input, sha256: 'x' } }, 'report', /^input\.sha256: must match pattern/],
    [{ ...REPORT, padding: -1 }, 'report', /^padding: must be >= 0$/],
    [{ ...REPORT, padding: 1.5 }, 'report', /^padding: must be integer$/],
    [{ ...REPORT, padding: 2 ** 53 }, 'report', /^padding: must be <= 9007199254740991$/],
    [{ ...REPORT, closure: 'all' }, 'report', /^closure: it must be one of complete, forward$/],
    [{ ...REPORT, kinds: [REPORT.kinds[0], 3] }, 'report', /^kinds\[1\]: must be object$/],
    [{ ...REPORT, 'a/b~c': 1 }, 'report', /^\["a\/b~c"\]: no such key$/],
    [JSON.parse(JSON.stringify(REPORT).replace('{', '{"__proto__":{},')), 'report', /^__proto__: no such key$/],
    [{ ...REPORT, full: { ...REPORT.full, compressed: { gzip: 'x' } } }, 'report', /^full\.compressed\.gzip: /],
  ];
  for (const [value, code, says] of cases) {
    const error = await refusal(value);
    t.is(error?.code, code, JSON.stringify(value)?.slice(0, 100));
    t.regex(error?.detail ?? '', says);
  }
});

test('a report of which any one value is gone or another is refused', async t => {
  const kinds: Report = {
    ...REPORT,
    forward: { forwards: 1, copies: 2, bytes: 3 },
    analysis: {
      retained: [{ per: 'root', name: 'func:x', roots: 1, types: 1, bytes: 12 }],
      curve: [{ types: 1, bytes: 12 }],
      treemap: [{ reason: 'kfunc', kind: 'FUNC', name: 'x', types: 1, bytes: 12 }],
    },
  };
  t.is(await checkReport(kinds), kinds);
  const leaves = leavesOf(kinds, []);
  t.true(leaves.length > 80);
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...leaves), fc.constantFrom<unknown>(true, -1, [], {}), async (path, other) => {
      const changed = structuredClone(kinds) as unknown as Record<string, unknown>;
      let at = changed;
      for (const key of path.slice(0, -1)) at = at[key] as Record<string, unknown>;
      at[path[path.length - 1]] = other;
      return (
        (await refusal(changed))?.code === (path[0] === 'schemaVersion' && other === -1 ? 'report-version' : 'report')
      );
    }),
    { numRuns: 400, seed: 1 },
  );
});

function leavesOf(value: unknown, path: readonly string[]): string[][] {
  if (typeof value !== 'object' || value === null) return [[...path]];
  return Object.entries(value).flatMap(([key, entry]) => leavesOf(entry, [...path, key]));
}

test('hostile files are one coded error', async t => {
  const file = join(folder, 'hostile.json');
  const hostile: readonly (readonly [string, Uint8Array | string, RegExp])[] = [
    ['empty', '', /no JSON/],
    ['cut', JSON.stringify(REPORT).slice(0, -20), /no JSON/],
    ['not UTF-8', new Uint8Array([0x7b, 0xff, 0x7d]), /no UTF-8/],
    ['too large', new Uint8Array((16 << 20) + 1).fill(0x20), /16777217 bytes/],
    ['deep', '['.repeat(4_000_000), /no JSON/],
    ['deep and whole', `${'['.repeat(1_000_000)}${']'.repeat(1_000_000)}`, /no object/],
    ['many keys', `{${Array.from({ length: 500_000 }, (_, i) => `"k${i}":0`).join()}}`, /missing/],
  ];
  for (const [what, bytes, says] of hostile) {
    writeFileSync(file, bytes);
    const error = await t.throwsAsync(readReport(file), { instanceOf: CodedError, code: 'report' }, what);
    t.regex(error?.detail ?? '', says, what);
    t.is(error?.place.file, file);
  }
  await t.throwsAsync(readReport(join(folder, 'none')), { code: 'file-unreadable' });
  await t.throwsAsync(readReport(folder), { instanceOf: CodedError });
});
