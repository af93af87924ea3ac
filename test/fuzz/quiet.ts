import type { Context } from '../../plugin/commands/context.js';

/** What a command prints goes nowhere. */
export const quietContext: Context = {
  print: async text => void text,
  printBytes: async text => void text,
  onStage: () => {},
  colours: false,
  onInterrupt: () => {},
  warn: () => {},
  onFindings: () => {},
};
