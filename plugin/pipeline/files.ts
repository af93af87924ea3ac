import { MODULES_FOLDER, SPLIT_JSON } from '../host/out-folder.js';

/** Names in an out folder. */
export const FILES = {
  image: 'vmlinux',
  base: 'base.btf',
  rest: 'rest.btf',
  full: 'full.btf',
  carrier: 'vmlinux_btf.ko',
  permutation: 'permutation.u32',
  report: 'report.json',
  markdown: 'report.md',
  manifest: SPLIT_JSON,
} as const;

/** Everything that a run may make, replace or remove in its out folder. */
export const RESULTS = [...Object.values(FILES), MODULES_FOLDER];
