import type { CatalogueEntry } from './entry.js';

/** Errors of what reads reports again; part of the catalogue in errors.ts. */
export const REPORT_ERRORS = {
  report: {
    exit: 3,
    what: 'not a report of vmlinux-btf',
    hint: 'pass the report.json of an out folder, as this version writes it',
  },
  history: {
    exit: 3,
    what: 'not a history of reports',
    hint: 'pass JSON Lines with one report a line; docs/diff.md tells their shape',
  },
} as const satisfies Record<string, CatalogueEntry>;
