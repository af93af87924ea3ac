/**
 * Bundles the compiled command line into build/bin: one file instead of two hundred, the bytecode of what a split runs, and
 * the scripts that a kernel build calls. elfy stays a package of its own.
 */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BuildOptions, build } from 'esbuild';
import { execa } from 'execa';
import { copySync, emptyDirSync, removeSync } from 'fs-extra/esm';

const root = join(import.meta.dirname, '..');
const outdir = join(root, 'bin');
const program = join(outdir, 'vmlinux-btf.cjs');

const options: BuildOptions = {
  // Names in the bundle are paths from here, wherever the build is started.
  absWorkingDir: join(root, '..'),
  bundle: true,
  platform: 'node',
  format: 'cjs',
  target: 'node20',
  minifyWhitespace: true,
  minifySyntax: true,
  logLevel: 'warning',
};

emptyDirSync(outdir);
const { metafile } = await build({
  ...options,
  metafile: true,
  entryPoints: [join(root, 'plugin', 'cli.js')],
  outfile: join(outdir, 'cli.cjs'),
  define: { 'import.meta.url': 'bundleUrl' },
  alias: { assert: join(import.meta.dirname, 'lazy-assert.js') },
});
await build({
  ...options,
  entryPoints: [join(root, 'plugin', 'launch.js')],
  outfile: program,
  banner: { js: '#!/usr/bin/env node' },
  define: { 'import.meta.dirname': '__dirname' },
});
// Whose code is in the bundle: bundle-release.ts gives their licences along.
const folders = Object.keys(metafile.inputs).map(path => /.*\bnode_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0]);
const packages = [...new Set(folders.filter(folder => folder !== undefined))].sort();
writeFileSync(join(root, 'bundled-packages.json'), `${JSON.stringify(packages, null, 2)}\n`);
// Kernels of 7.x link again when a script is newer than their vmlinux: it keeps the time of its source.
for (const name of ['pahole', 'resolve_btfids', 'wrapper.sh'])
  copySync(join(root, '..', 'plugin', 'kbuild', name), join(outdir, 'kbuild', name), { preserveTimestamps: true });

const folder = mkdtempSync(join(tmpdir(), 'vmlinux-btf-bundle-'));
try {
  const kernel = join(folder, 'vmlinux');
  await execa(process.execPath, [join(import.meta.dirname, 'unpack-fixture.js'), 'armv7-virt/vmlinux', kernel]);
  await execa(process.execPath, [program, 'split', kernel, '-o', join(folder, 'out'), '--sizes', 'none', '--quiet'], {
    env: { VMLINUX_BTF_KEEP_BYTECODE: '1' },
  });
} finally {
  removeSync(folder);
}
