import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import test from 'ava';
import { cliPath } from '../support/cli.js';
import { repository } from '../support/fixtures.js';

const bin = dirname(cliPath);

test('no file that is published names the folder it was built in', t => {
  const names = readdirSync(bin, { recursive: true, encoding: 'utf8' }).filter(name =>
    statSync(join(bin, name)).isFile(),
  );
  t.true(names.includes('cli.bytecode'), names.join());
  for (const name of names) {
    const bytes = readFileSync(join(bin, name));
    for (const encoding of ['utf8', 'utf16le'] as const)
      t.false(bytes.includes(Buffer.from(repository, encoding)), `${name}, ${encoding}`);
  }
});
