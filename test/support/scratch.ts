import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestFn } from 'ava';

/** A folder of its own for a test file; it goes when its tests are done. */
export function scratchFolder(test: TestFn, name: string): string {
  const folder = mkdtempSync(join(tmpdir(), `vmlinux-btf-${name}-`));
  test.after.always(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
