import test from 'ava';
import fc from 'fast-check';
import type { Report } from '../../plugin/report/model.js';
import { renderMarkdown } from '../../plugin/report/render/markdown.js';
import { renderText } from '../../plugin/report/render/text.js';
import { REPORT } from '../support/any-report.js';

const RENDERERS = [
  ['text', renderText],
  ['markdown', renderMarkdown],
] as const;

/** Rows of a table as lists of cells, whichever format they are in. */
function cells(rendered: string): string[][] {
  return rendered.split('\n').map(line =>
    line.startsWith('|')
      ? line
          .slice(2, -2)
          .split(' | ')
          .map(cell => cell.trim())
      : line.trim().split(/ {2,}/),
  );
}

const row = (rendered: string, first: string): string[] | undefined => cells(rendered).find(line => line[0] === first);

for (const [format, render] of RENDERERS) {
  test(`${format} shows every part with its sizes`, t => {
    const rendered = render(REPORT);
    t.deepEqual(row(rendered, 'full'), ['full', '1,000', '12,300', '100.0 %', '12,200', '76', '4,100', '-']);
    t.deepEqual(row(rendered, 'base'), ['base', '100', '2,300', '18.7 %', '2,200', '76', '766', '-']);
    t.deepEqual(row(rendered, 'rest'), ['rest', '900', '10,000', '81.3 %', '9,900', '76', '3,333', '-']);
    t.true(row(rendered, format === 'text' ? 'vmlinux_btf.ko' : 'vmlinux\\_btf.ko')?.includes('11,111'));
    t.deepEqual(row(rendered, 'nothing'), ['nothing', '4,000,000', '4,000,000', '0', '0.0 %']);
    t.deepEqual(row(rendered, 'gzip'), ['gzip', '2,000,000', '1,500,000', '500,000', '25.0 %']);
  });

  test(`${format} shows the padding on a line of its own`, t => {
    t.true(row(render(REPORT), 'padding of the base')?.includes('1,234'));
    t.is(row(render({ ...REPORT, padding: 0 }), 'padding of the base'), undefined);
  });

  test(`${format} shows a compressor that the host lacks as -, and says so`, t => {
    const rendered = render(REPORT);
    t.deepEqual(row(rendered, 'xz'), ['xz', '-', '-', '-', '-']);
    t.true(rendered.includes('xz: not measured: xz is not installed.'));
  });

  test(`${format} shows reasons that add up, kinds and the largest types`, t => {
    const rendered = render(REPORT);
    t.true(row(rendered, 'kfunc')?.includes('2,200'));
    t.deepEqual(
      row(rendered, 'sum')?.filter(cell => cell !== ''),
      ['sum', '12,300'],
    );
    t.deepEqual(row(rendered, 'struct'), ['struct', '10', '1,000', '1', '100', '9', '900']);
    t.deepEqual(row(rendered, format === 'text' ? 'struct task_struct' : 'struct task\\_struct')?.slice(1), [
      '7',
      '900',
      'base',
    ]);
    t.deepEqual(row(rendered, 'enum (anonymous)')?.slice(1), ['1,007', '800', 'rest']);
  });

  test(`${format} says what this split does not save, and what it does to modules`, t => {
    const rendered = render(REPORT).replaceAll('\\', '');
    t.true(rendered.includes('it does not save RAM,\n'));
    t.true(rendered.includes('index of the types: 3,600 bytes'));
    t.true(rendered.includes('another 9,999 bytes of RAM'));
    t.true(rendered.includes('Modules that were built before this split are refused'));
    const { image: _, carrier: __, ...bare } = REPORT;
    const ofBareBtf = render(bare);
    for (const word of ['RAM', 'Modules', 'Image', 'vmlinux_btf.ko']) t.false(ofBareBtf.includes(word), word);
  });

  test(`${format} shows warnings, the input and what it is`, t => {
    const rendered = render(REPORT).replaceAll('\\', '');
    t.true(rendered.includes('resolve_btfids left 1 ids at 0: struct:bpf_crypto_ctx'));
    t.true(rendered.includes('ARM 32 bit little-endian, 6.12.0 SMP mod_unload ARMv7'));
    t.true(/proved/i.test(rendered));
  });

  test(`${format} without compressors has no columns for them`, t => {
    const side = { ...REPORT.full, compressed: {} };
    const { image: _, carrier: __, ...bare } = REPORT;
    const rendered = render({ ...bare, full: side, base: side, rest: side, compressors: {} });
    t.is(row(rendered, 'full')?.length, 6);
    t.false(/gzip|xz/.test(rendered));
  });
}

/** A report in which everything that comes from a file is `text`. */
function named(text: string): Report {
  return {
    ...REPORT,
    input: { ...REPORT.input, file: text, vermagic: text },
    largest: [{ id: 1, kind: 'struct', name: text, bytes: 900, side: 'base' }],
    warnings: [text],
  };
}

/** Characters that move a cursor, change colours, break a line or turn the direction of writing. */
const CONTROL = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u;

const hostile = fc
  .array(fc.oneof(fc.constantFrom(...'\x1b\r\n\t\0\x9b\u202e\u2028\ud800|`*_<>[]()!&#~$@\\:/. awh-+=1'), fc.string()), {
    maxLength: 12,
  })
  .map(parts => parts.join(''));

test('no control character of a name reaches the terminal, and no name adds a line', t => {
  const lines = renderText(named('x')).split('\n').length;
  fc.assert(
    fc.property(hostile, text => {
      const rendered = renderText(named(text)).split('\n');
      return rendered.length === lines && !rendered.some(line => CONTROL.test(line));
    }),
    { numRuns: 500 },
  );
  t.true(renderText(named('\x1b[31m')).includes('struct \\x1b[31m '));
  t.true(renderText(named('a\nb\u202e')).includes('struct a\\x0ab\\u{202e} '));
});

/** Punctuation of markup that no backslash stands before. */
function unescaped(text: string): string {
  return text.replace(/\\[!-/:-@[-`{-~]/g, '').replace(/[^\\`*_[\]<>|#~&$]/g, '');
}

test('no name is read as markup or as a web link, or adds a cell or a line', t => {
  const model = renderMarkdown(named('x')).split('\n');
  fc.assert(
    fc.property(hostile, text => {
      const rendered = renderMarkdown(named(text)).split('\n');
      return (
        rendered.length === model.length &&
        rendered.every((line, i) => unescaped(line) === unescaped(model[i]) && !CONTROL.test(line)) &&
        !/(?<!\\):\/\/|www\./i.test(rendered.join('\n'))
      );
    }),
    { numRuns: 500 },
  );
  t.true(renderMarkdown(named('a|b`<img src=x>')).includes('| struct a\\|b\\`\\<img src=x\\> |'));
  t.true(renderMarkdown(named('[x](https://y) @z')).includes('struct \\[x\\](https\\://y) @z |'));
});
