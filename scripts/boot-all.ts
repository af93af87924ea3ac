/**
 * Kernels that nobody patched, linked without and with the hook, booted and measured:
 *
 *   npm run test:boot                     the boot tests on the fixtures
 *   npm run test:boot -- --all            every kernel of test/boot/support/linked-kernels.ts
 *   npm run test:boot -- armv7-virt …     these
 *
 * Builds an object tree that the cache does not have (scripts/kernels/build.sh, a quarter of an hour each). Results stay in
 * $VMLINUX_BTF_CACHE/linked/NAME.json; docs/size-data.md is written anew from all that are there. Ends with 1 when a kernel did
 * not boot as its unsplit one does, or when a test failed.
 */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { execa } from 'execa';
import { proveLinked } from '../test/boot/support/linked.js';
import {
  buildTree,
  isBuilt,
  LINKED_KERNELS,
  type LinkedKernel,
  linkedKernel,
} from '../test/boot/support/linked-kernels.js';
import type { LinkedResult } from '../test/boot/support/linked-result.js';
import { cacheFolder } from '../test/support/cache.js';
import { renderSizeData, splice } from './size-data.js';

const repository = join(import.meta.dirname, '..', '..');
const document = join(repository, 'docs', 'size-data.md');
const results = join(cacheFolder, 'linked');

const { values, positionals } = parseArgs({
  options: { all: { type: 'boolean', default: false }, document: { type: 'boolean', default: false } },
  allowPositionals: true,
});
const kernels = values.all ? LINKED_KERNELS : positionals.map(linkedKernel);

const resultFile = ({ name }: LinkedKernel): string => join(results, `${name}.json`);

function say(kernel: LinkedKernel, step: string): void {
  process.stderr.write(`${new Date().toTimeString().slice(0, 8)} ${kernel.name}: ${step}\n`);
}

async function prove(kernel: LinkedKernel): Promise<boolean> {
  if (!isBuilt(kernel.name)) {
    say(kernel, 'building the object tree');
    await buildTree(kernel.name);
  }
  const { debian } = kernel.machine;
  if (debian !== undefined) await execa(join(repository, 'scripts', 'bpftool.sh'), [debian], { stdio: 'ignore' });
  mkdirSync(results, { recursive: true });
  const folder = mkdtempSync(join(results, `${kernel.name}.`));
  try {
    const result = await proveLinked(kernel, folder, step => say(kernel, step));
    writeFileSync(resultFile(kernel), `${JSON.stringify(result, null, 1)}\n`);
    const findings = [
      ...result.findings,
      ...result.split.flatMap(link => link.findings.map(finding => `${link.closure}, ${finding}`)),
    ];
    for (const finding of findings) say(kernel, finding);
    say(
      kernel,
      `${result.initcalls} initcalls and ${result.messages} messages compared, ${findings.length} differences`,
    );
    return findings.length === 0;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Writes the measured part of the document; what stands around it stays. */
function writeDocument(): void {
  const measured = LINKED_KERNELS.filter(kernel => existsSync(resultFile(kernel))).map(kernel => ({
    kernel,
    result: JSON.parse(readFileSync(resultFile(kernel), 'utf8')) as LinkedResult,
  }));
  writeFileSync(document, splice(readFileSync(document, 'utf8'), renderSizeData(measured)));
}

if (kernels.length === 0 && !values.document) {
  const { exitCode } = await execa('npx', ['ava', 'build/test/boot/**/*.test.js'], {
    cwd: repository,
    stdio: 'inherit',
    reject: false,
  });
  process.exitCode = exitCode ?? 1;
} else {
  for (const kernel of kernels) {
    try {
      if (!(await prove(kernel))) process.exitCode = 1;
    } catch (error) {
      say(kernel, error instanceof Error ? error.message : String(error));
      process.exitCode = 1;
    }
  }
  writeDocument();
}
