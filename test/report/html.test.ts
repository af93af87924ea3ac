/// <reference lib="dom" />
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { outputFileSync } from 'fs-extra/esm';
import type { Page } from 'playwright-core';
import { NameIndex } from '../../plugin/btf/names.js';
import { runSplit } from '../../plugin/pipeline/split.js';
import { analyze } from '../../plugin/report/analyze.js';
import type { Report } from '../../plugin/report/model.js';
import { renderHtml } from '../../plugin/report/render/html.js';
import { renderMergedHtml } from '../../plugin/report/render/merged.js';
import { renderBarSvg, renderTreemapSvg } from '../../plugin/report/render/pictures.js';
import { FULL_REPORT, REPORT } from '../support/any-report.js';
import { withBrowser } from '../support/browser.js';
import { fixture } from '../support/fixtures.js';
import { withKernel } from '../support/kernel-roots.js';
import { scratchFolder } from '../support/scratch.js';

const folder = scratchFolder(test, 'html');
const axe = createRequire(import.meta.url).resolve('axe-core/axe.min.js');

let made: Promise<Report> | undefined;

/** The report of a real kernel, with everything in it. */
function realReport(): Promise<Report> {
  made ??= (async () => {
    const report = await runSplit({
      file: fixture('arm64-virt/vmlinux'),
      out: join(folder, 'out'),
      compressors: ['gzip'],
    });
    return withKernel('arm64-virt', ({ btf }, { roots }) => {
      const names = new NameIndex(btf);
      return { ...report, analysis: analyze({ btf, names, roots, reach: 'complete', full: report.full }) };
    });
  })();
  return made;
}

function write(name: string, text: string): string {
  const file = join(folder, name);
  outputFileSync(file, text);
  return pathToFileURL(file).href;
}

/** Everything that axe-core finds on a page. */
async function axeViolations(page: Page): Promise<string[]> {
  await page.addScriptTag({ path: axe });
  return page.evaluate(async () => {
    const { axe } = globalThis as unknown as {
      axe: { run(): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> };
    };
    const { violations } = await axe.run();
    return violations.map(({ id, nodes }) => `${id}: ${nodes[0].html}`);
  });
}

/** Text that is wider than what it stands in, and does not scroll there. */
async function overflowing(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const elements = [...document.querySelectorAll<HTMLElement>('body *:not(svg *):not(.bar *):not(.scroll *)')];
    return elements
      .filter(
        element => element.scrollWidth > element.clientWidth + 1 && getComputedStyle(element).overflowX === 'visible',
      )
      .filter(element => element.clientWidth > 0)
      .map(element => element.outerHTML.slice(0, 120));
  });
}

for (const [width, scheme] of [
  [1280, 'light'],
  [1280, 'dark'],
  [400, 'light'],
  [400, 'dark'],
] as const)
  test(`the page of a real kernel at ${width} px, ${scheme}: complete, quiet, accessible, and nothing sticks out`, async t => {
    const report = await realReport();
    const address = write(`${width}-${scheme}.html`, renderHtml(report));
    await withBrowser(t, async browser => {
      const page = await browser.newPage({ viewport: { width, height: 900 }, colorScheme: scheme, bypassCSP: true });
      const noise: string[] = [];
      page.on('console', message => noise.push(message.text()));
      page.on('pageerror', error => noise.push(error.message));
      page.on('request', request => {
        if (!/^(file|data):/.test(request.url())) noise.push(request.url());
      });
      await page.goto(address);
      t.is(await page.locator('.map rect:not([class^=group])').count(), report.analysis?.treemap.length ?? -1);
      t.is(await page.evaluate(() => document.documentElement.scrollWidth), width);
      t.deepEqual(await overflowing(page), []);
      await checkColours(t, page);
      await checkSorting(t, page);
      t.deepEqual(await axeViolations(page), []);
      t.deepEqual(noise, []);
    });
  });

for (const [width, scheme] of [
  [1280, 'dark'],
  [400, 'light'],
] as const)
  test(`the page of several reports at ${width} px, ${scheme}: quiet, accessible, sorted, and nothing sticks out`, async t => {
    const report = await realReport();
    const reports = [
      { source: 'arm64/report.json', report },
      { source: 'made/up.json', report: { ...FULL_REPORT, closure: 'forward' as const } },
    ];
    const address = write(`merged-${width}-${scheme}.html`, renderMergedHtml({ schemaVersion: 1, reports }));
    await withBrowser(t, async browser => {
      const page = await browser.newPage({ viewport: { width, height: 900 }, colorScheme: scheme, bypassCSP: true });
      const noise: string[] = [];
      page.on('console', message => noise.push(message.text()));
      page.on('pageerror', error => noise.push(error.message));
      await page.goto(address);
      t.is(await page.evaluate(() => document.documentElement.scrollWidth), width);
      const overview = page.locator('table').first();
      const kernels = (): Promise<string[]> => overview.locator('tbody td:last-child').allTextContents();
      t.deepEqual(await kernels(), ['arm64/report.json', 'made/up.json']);
      await overview.getByRole('button', { name: 'of full' }).click();
      t.deepEqual(await kernels(), ['made/up.json', 'arm64/report.json']);
      for (const summary of await page.locator('summary').all()) await summary.click();
      t.deepEqual(await overflowing(page), []);
      t.deepEqual(await axeViolations(page), []);
      t.deepEqual(noise, []);
    });
  });

async function checkColours(t: ExecutionContext, page: Page): Promise<void> {
  const fillOf = (selector: string): Promise<string> =>
    page
      .locator(selector)
      .first()
      .evaluate(element => getComputedStyle(element).fill);
  t.not(await fillOf('.map .base'), await fillOf('.map .rest'));
  await page.check('#by-kind');
  t.is(await fillOf('.map .base.k-struct'), await fillOf('.map .rest.k-struct'));
  t.not(await fillOf('.map .k-struct'), await fillOf('.map .k-func'));
  t.true(await page.locator('.keys.by-kind').isVisible());
  t.false(await page.locator('.keys.by-side').isVisible());
  await page.check('#by-reason');
  t.not(await fillOf('.map .q-kfunc'), await fillOf('.map .q-rest'));
}

async function checkSorting(t: ExecutionContext, page: Page): Promise<void> {
  const table = page.getByRole('region', { name: 'What would leave the base without one root' }).locator('table');
  const column = async (): Promise<number[]> =>
    (await table.locator('tbody td:nth-child(3)').allTextContents()).map(text => Number(text.replaceAll(',', '')));
  const before = await column();
  const head = table.getByRole('button', { name: 'types' });
  await head.click();
  const falling = before.toSorted((a, b) => b - a);
  t.deepEqual(await column(), falling);
  await head.click();
  t.deepEqual(
    await column(),
    before.toSorted((a, b) => a - b),
  );
  t.is(await table.locator('th[aria-sort=ascending]').count(), 1);
}

test('without scripts the page says the same; names of a file are no markup', async t => {
  const name = '</title><script>alert(1)</script><b onload="x">&\u001b[31m';
  const hostile: Report = {
    ...REPORT,
    input: { ...REPORT.input, file: name, architecture: name, vermagic: name },
    largest: [{ id: 1, kind: 'struct', name, bytes: 10, side: 'base' }],
    warnings: [name],
    compressors: { [name]: name },
    analysis: {
      retained: [{ per: 'root', name, roots: 1, types: 1, bytes: 1 }],
      curve: [
        { types: 1, bytes: 1 },
        { types: 2, bytes: 2 },
      ],
      treemap: [
        { reason: 'kfunc', kind: 'STRUCT', name, types: 1, bytes: 12_275 },
        { reason: 'header', kind: '', types: 0, bytes: 25 },
      ],
    },
  };
  const pages = [renderHtml(hostile), renderTreemapSvg(hostile) ?? '', renderBarSvg(hostile)];
  for (const page of pages) t.false(page.includes('<script>alert') || page.includes('\u001b'));
  await withBrowser(t, async browser => {
    const context = await browser.newContext({ javaScriptEnabled: false });
    for (const [i, text] of pages.entries()) {
      const page = await context.newPage();
      await page.goto(write(`hostile-${i}.${i === 0 ? 'html' : 'svg'}`, text));
      t.true((await page.content()).includes('alert(1)'));
    }
    const page = await context.newPage();
    await page.goto(write('plain.html', renderHtml(REPORT)));
    t.true(await page.getByRole('heading', { name: 'Before and after' }).isVisible());
    t.true((await page.locator('main').innerText()).includes('2,300 bytes'));
  });
});
