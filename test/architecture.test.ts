import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import ts from 'typescript';
import { repository } from './support/fixtures.js';
import { LONGEST, type SourceFile, violations } from './support/layers.js';

const plugin = join(repository, 'plugin');

function sources(): SourceFile[] {
  return readdirSync(plugin, { recursive: true, encoding: 'utf8' })
    .filter(path => path.endsWith('.ts'))
    .map(path => ({ path: path.replaceAll('\\', '/'), text: readFileSync(join(plugin, path), 'utf8') }));
}

test('every file imports from lower layers only, does no I/O where none is due, and stays erasable and short', t => {
  const files = sources();
  t.true(files.length > 30);
  for (const path of ['index.ts', 'cli.ts', 'errors.ts', 'btf/btf.ts', 'pipeline/split.ts', 'commands/split.ts'])
    t.true(
      files.some(file => file.path === path),
      path,
    );
  t.deepEqual(files.flatMap(violations), []);
});

/** One example a rule: were a rule never to fail, the test above would prove nothing. */
const bad: readonly (SourceFile & { readonly says: RegExp })[] = [
  { path: 'elf/a.ts', text: "import { b } from '../btf/b.js';\n", says: /not below/ },
  { path: 'elf/a.ts', text: "import type { B } from '../btf/b.js';\n", says: /not below/ },
  { path: 'elf/a.ts', text: "export { b } from '../btf/b.js';\n", says: /not below/ },
  { path: 'elf/a.ts', text: "const b = await import('../btf/b.js');\n", says: /not below/ },
  { path: 'image/a.ts', text: "import { b } from '../carrier/b.js';\n", says: /not below/ },
  { path: 'errors.ts', text: "import { MemorySource } from './bytes/source.js';\n", says: /not below/ },
  { path: 'commands/a.ts', text: "import { main } from '../cli.js';\n", says: /not below/ },
  { path: 'new-room/a.ts', text: "import { b } from '../bytes/b.js';\n", says: /no layer/ },
  { path: 'host/a.ts', text: "import { b } from '../new-room/b.js';\n", says: /no layer/ },
  { path: 'elf/a.ts', text: "import { b } from '../../test/b.js';\n", says: /outside plugin/ },
  { path: 'btf/a.ts', text: "import { readFileSync } from 'node:fs';\n", says: /no I\/O/ },
  { path: 'split/a.ts', text: "import { execa } from 'execa';\n", says: /no I\/O/ },
  { path: 'report/render/a.ts', text: 'export const here = process.cwd();\n', says: /no I\/O/ },
  { path: 'report/render/a.ts', text: 'console.log(1);\n', says: /console/ },
  { path: 'pipeline/a.ts', text: "const { execa } = await import('execa');\n", says: /host\/ may/ },
  { path: 'pipeline/a.ts', text: "import { remove } from 'fs-extra/esm';\n", says: /host\/ may/ },
  { path: 'host/a.ts', text: "import { spawn } from 'node:child_process';\n", says: /execa/ },
  { path: 'elf/a.ts', text: "import elfy from 'elfy';\n", says: /elfy\.ts may/ },
  { path: 'elf/a.ts', text: "const elfy = createRequire(import.meta.url)('elfy');\n", says: /elfy\.ts may/ },
  { path: 'commands/a.ts', text: 'process.exit(1);\n', says: /only cli\.ts/ },
  { path: 'commands/a.ts', text: 'process.exitCode = 1;\n', says: /only cli\.ts/ },
  { path: 'host/a.ts', text: 'export const args = process.argv;\n', says: /only cli\.ts/ },
  { path: 'elf/a.ts', text: "import { join } from 'path';\n", says: /without node:/ },
  { path: 'elf/a.ts', text: 'export enum A { B }\n', says: /enum/ },
  { path: 'elf/a.ts', text: 'namespace A { export const b = 1; }\n', says: /namespace/ },
  { path: 'elf/a.ts', text: 'class A { constructor(readonly b: number) {} }\n', says: /parameter property/ },
  { path: 'elf/a.ts', text: 'const a = <number>b;\n', says: /angle brackets/ },
  { path: 'elf/a.ts', text: "import fs = require('node:fs');\n", says: /with =/ },
  { path: 'index.ts', text: 'export const a = 1;\n', says: /re-export/ },
  { path: 'elf/a.ts', text: '\n'.repeat(LONGEST + 1), says: /lines/ },
];

test('each rule fails on an example that breaks it', t => {
  for (const { says, ...file } of bad) {
    const found = violations(file);
    t.true(found.length > 0 && says.test(found.join('\n')), `${file.path}: ${file.text}${found.join('\n')}`);
  }
});

test('a file that keeps the rules breaks none', t => {
  const text =
    "import { CodedError } from '../errors.js';\nimport { b } from './b.js';\nexport const a = new CodedError(b);\n";
  t.deepEqual(violations({ path: 'btf/a.ts', text }), []);
  t.deepEqual(violations({ path: 'cli.ts', text: 'process.exitCode = 1;\n' }), []);
  t.deepEqual(violations({ path: 'elf/a.ts', text: '\n'.repeat(LONGEST) }), []);
});

test('the compiler is told to refuse what cannot be erased', t => {
  const { config } = ts.readConfigFile(join(repository, 'tsconfig.json'), ts.sys.readFile);
  t.true(config.compilerOptions.erasableSyntaxOnly);
  t.true(config.compilerOptions.strict);
});
