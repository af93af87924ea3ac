import { existsSync } from 'node:fs';
import type { ExecutionContext } from 'ava';
import { type Browser, chromium } from 'playwright-core';
import { missing } from './tools.js';

const CHROMIUM = '/usr/bin/chromium';
/** Nothing is looked up, reported or updated: pages are files. */
const QUIET = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** Debian's Chromium without a window, closed afterwards; a test that lacks it says so. */
export async function withBrowser(t: ExecutionContext, use: (browser: Browser) => Promise<void>): Promise<void> {
  if (!existsSync(CHROMIUM)) {
    missing(t, 'chromium is missing (apt-get install chromium)');
    return;
  }
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: QUIET });
  try {
    await use(browser);
  } finally {
    await browser.close();
  }
}
