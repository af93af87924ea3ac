/**
 * Bundles the compiled CLI into build/bin: node then opens a handful of files instead of two hundred, which is most of
 * what a small job costs. Commands stay chunks of their own, loaded when they run; elfy stays a package.
 */
import { join } from 'node:path';
import { build } from 'esbuild';
import { removeSync } from 'fs-extra/esm';

const root = join(import.meta.dirname, '..');
const outdir = join(root, 'bin');
removeSync(outdir);
await build({
  entryPoints: { 'vmlinux-btf': join(root, 'plugin', 'cli.js') },
  outdir,
  bundle: true,
  splitting: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  minifyWhitespace: true,
  minifySyntax: true,
  // CommonJS packages inside the bundle ask for node's own modules with require.
  banner: {
    js: "import { createRequire as nodeRequire } from 'node:module';\nconst require = nodeRequire(import.meta.url);",
  },
  logLevel: 'warning',
});
