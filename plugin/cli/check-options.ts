import { text } from './options.js';

/** What `check` takes besides a report and a configuration; apart, because cli.ts loads it in every run. */
export const checkOptions = {
  baseline: { ...text, describe: 'earlier report, from which increases are measured' },
  'update-baseline': {
    type: 'boolean',
    default: false,
    describe: 'make this report the baseline, whatever has increased',
  },
  format: {
    ...text,
    choices: ['text', 'json', 'markdown', 'junit', 'github', 'openmetrics'] as const,
    default: 'text' as const,
    describe: 'how findings are printed',
  },
  output: { ...text, describe: 'write them to this file; they are printed as text besides' },
} as const;
