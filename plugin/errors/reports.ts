import type { CatalogueEntry } from './entry.js';

/** Errors of what reads reports again; part of the catalogue in errors.ts. */
export const REPORT_ERRORS = {
  report: {
    exit: 3,
    what: 'not a report of vmlinux-btf',
    hint: 'pass the report.json of an out folder; schema/report.schema.json tells its shape',
  },
  'report-version': {
    exit: 3,
    what: 'a report of another schema version',
    hint: 'make it again with this version of vmlinux-btf; remove an old baseline, and check --update-baseline makes a new one',
  },
  'report-foreign': {
    exit: 3,
    what: 'a baseline of another kernel',
    hint: 'compare with a report of the same architecture, or name a file that is not there yet to begin a new baseline',
  },
  history: {
    exit: 3,
    what: 'not a history of reports',
    hint: 'pass JSON Lines with one report a line; docs/diff.md tells their shape',
  },
} as const satisfies Record<string, CatalogueEntry>;
