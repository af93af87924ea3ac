/** What a command may touch of the outside; `cli.ts` makes it, tests make their own. */
export interface Context {
  /** Resolves when the reader has taken it: dumps are large. */
  readonly print: (text: string) => Promise<void>;
  /** The same for text in which each character is a byte (latin1), as names of BTF are. */
  readonly printBytes: (text: string) => Promise<void>;
  /** Whether what is printed may have colours: on a terminal, and where NO_COLOR (no-color.org) is not set. */
  readonly colours: boolean;
  /** Tells what is being done, for people who wait. */
  readonly onStage: (stage: string) => void;
  /** One line on stderr, whatever is printed otherwise. */
  readonly warn: (text: string) => void;
  /** Ends the program with 1: a check found what it looks for and has said so itself. */
  readonly onFindings: () => void;
  /** What to do before the program ends because of a signal. Without it a signal ends the program at once. */
  readonly onInterrupt: (cleanUp: () => void) => void;
}

export function printJson(context: Context, value: unknown): Promise<void> {
  return context.print(`${JSON.stringify(value, null, 2)}\n`);
}
