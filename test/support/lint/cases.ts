import type { LintCase } from './case.js';
import { chains, contents } from './contents.js';
import { headers } from './headers.js';
import { names } from './names.js';
import { records } from './records.js';

/** Small BTFs and what Linux 6.12 makes of them, on a machine with pointers of 4 bytes. */
export const LINT_CASES: readonly LintCase[] = [...headers, ...names, ...records, ...chains, ...contents];
