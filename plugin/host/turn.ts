/**
 * A turn of the event loop: a signal is heard then, and at no other time of a long computation. Between the pieces of a
 * run, so that an interrupted one ends soon and cleans up.
 */
export function turn(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve));
}
