import test from 'ava';
import fc from 'fast-check';
import { marked } from 'marked';
import type { Report } from '../../plugin/report/model.js';
import { renderComment } from '../../plugin/report/render/comment.js';
import { reportTables } from '../../plugin/report/render/content.js';
import { renderMarkdown } from '../../plugin/report/render/markdown.js';
import { renderMergedComment } from '../../plugin/report/render/merged.js';
import { EARLIER_REPORT, FULL_REPORT } from '../support/any-report.js';

/** As a reader of GitHub-flavoured markdown that is not ours shows it. */
function html(markdown: string): string {
  return marked.parse(markdown, { gfm: true, async: false });
}

const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'" };

function plain(cell: string): string {
  return cell.replace(/<[^>]*>/g, '').replace(/&(#?\w+);/g, (all, name) => ENTITIES[name] ?? all);
}

/** Cells of every table of a page, by table and row. */
function tables(page: string): string[][][] {
  return [...page.matchAll(/<table>(.*?)<\/table>/gs)].map(([, table]) =>
    [...table.matchAll(/<tr>(.*?)<\/tr>/gs)].map(([, row]) =>
      [...row.matchAll(/<t[hd][^>]*>(.*?)<\/t[hd]>/gs)].map(([, cell]) => plain(cell)),
    ),
  );
}

function tags(page: string): string[] {
  return [...page.matchAll(/<(\w+)/g)].map(([, name]) => name);
}

test('every table of the markdown beside a split is a table to a reader, cell by cell', t => {
  const expected = reportTables(FULL_REPORT, 20).map(({ head, rows }) => [head, ...rows]);
  t.true(expected.length > 8);
  t.deepEqual(tables(html(renderMarkdown(FULL_REPORT))), expected);
});

test('a comment shows what changed, then folds each table away, with or without a baseline', t => {
  const page = html(renderComment(FULL_REPORT, EARLIER_REPORT));
  const [changed, unchanged, ...others] = tables(page);
  t.deepEqual(changed[0], ['figure', 'baseline', 'now', 'change', 'of baseline']);
  t.true(changed.slice(1).some(([name, before, now]) => name === 'btf.base' && before === '2,000' && now === '2,300'));
  t.true(unchanged.slice(1).every(([, before, now]) => before === now));
  t.is(others.length, reportTables(FULL_REPORT, 20).length);
  t.is(tags(page).filter(tag => tag === 'details').length, others.length + 1);
  const alone = html(renderComment(FULL_REPORT, undefined));
  t.deepEqual(tables(alone), others);
});

test('of several reports, the overview stands before what is folded away', t => {
  const reports = ['a.json', 'b|.json'].map(source => ({ source, report: FULL_REPORT }));
  const page = html(renderMergedComment({ schemaVersion: 1, reports }));
  const [overview] = tables(page);
  t.deepEqual(
    overview.slice(1).map(row => row.at(-1)),
    ['a.json', 'b|.json'],
  );
  t.true(page.indexOf('<table>') < page.indexOf('<details>'));
  t.is(tags(page).filter(tag => tag === 'details').length, 2);
});

/** A report in which what comes from files and from the command line is `text`. */
function named(text: string): Report {
  const { analysis } = FULL_REPORT;
  return {
    ...FULL_REPORT,
    input: { ...FULL_REPORT.input, file: text, vermagic: text },
    largest: FULL_REPORT.largest.map(row => ({ ...row, name: text })),
    warnings: [text],
    ...(analysis && { analysis: { ...analysis, retained: analysis.retained.map(row => ({ ...row, name: text })) } }),
  };
}

test('no name becomes a tag, a link or a heading of its own', t => {
  const expected = tags(html(renderComment(named('x'), named('x'))));
  const hostile = fc
    .array(
      fc.oneof(
        fc.constantFrom(...'|`*_<>[]()!&#~$@\\:/. aw-+=1', '<b>', '](', '**', '```', '://', 'www.'),
        fc.string(),
      ),
      {
        maxLength: 10,
      },
    )
    .map(parts => parts.join(''))
    .filter(text => text.trim() !== '');
  fc.assert(
    fc.property(hostile, text => {
      const found = tags(html(renderComment(named(text), named(text))));
      return found.join() === expected.join();
    }),
    { numRuns: 200 },
  );
  t.pass();
});
