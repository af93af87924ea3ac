/** Exit codes: 1 a check failed, 2 usage or configuration, 3 bad input, 4 a tool or the host. */
export type ExitCode = 1 | 2 | 3 | 4;

export interface CatalogueEntry {
  readonly exit: ExitCode;
  /** What is wrong, in words that stand on their own. */
  readonly what: string;
  /** What the person at the terminal can do about it. */
  readonly hint: string;
}
