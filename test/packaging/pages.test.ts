import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { ERROR_CODES, type ErrorCode } from '../../plugin/errors.js';
import { repository } from '../support/fixtures.js';

/** What `kbuild`, `check` and `report` of a build cannot say: errors of other commands and of what they alone read. */
const ELSEWHERE: ReadonlySet<ErrorCode> = new Set([
  ...(['history', 'verify', 'out-folder', 'out-is-input', 'out-foreign'] as const),
  ...(['roots-file', 'roots-unknown', 'root-unknown', 'type-unknown'] as const),
  ...(['system-map', 'module-symvers', 'modules-folder', 'kconfig'] as const),
  // split --modules; kbuild warns, for the kernel's build signs its modules.
  'module-signature',
]);
const isElsewhere = (code: ErrorCode): boolean => ELSEWHERE.has(code) || code.startsWith('image-');

for (const page of ['buildroot', 'yocto', 'packagers', 'openwrt']) {
  const text = readFileSync(join(repository, 'docs', `${page}.md`), 'utf8');

  test(`docs/${page}.md says what to do about each error that a user can meet there`, t => {
    const section = text.slice(text.indexOf('\n## When it fails\n'), text.indexOf('\n## Back\n'));
    // The first cell of each row; `btf-…` stands for all that begin so.
    const told = [...section.matchAll(/^\| (.*?) \|/gm)].flatMap(([, cell]) =>
      [...cell.matchAll(/`([a-z]+(?:-[a-z]+)*(?:-…)?)`/g)].map(([, code]) => code),
    );
    const isTold = (code: string): boolean =>
      told.some(word => (word.endsWith('…') ? code.startsWith(word.slice(0, -1)) : code === word));
    const codes = ERROR_CODES.filter(code => !isElsewhere(code));
    t.true(codes.length > 30);
    t.deepEqual(
      codes.filter(code => !isTold(code)),
      [],
    );
  });

  test(`docs/${page}.md has a way in, options, a way back, and what was executed`, t => {
    for (const heading of [
      /^## Five minutes to the first report$/m,
      /^##+ Options$/m,
      /^## When it fails$/m,
      /^## Back$/m,
    ])
      t.regex(text, heading);
    t.regex(text, /^## (?:What was executed|Checked against the sources)$/m);
  });
}
