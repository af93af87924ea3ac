import type { Readable } from 'node:stream';

export interface UnpackerRun {
  /** What `take` had against it. */
  readonly refused: string | undefined;
  /** Whether there is no such program. */
  readonly missing: boolean;
  /** Undefined for a program that was ended, or is missing. */
  readonly exitCode: number | undefined;
}

/**
 * Runs a program that unpacks to its standard output. `take` gets the pieces as they come, and ends the program by telling what
 * is wrong with them: a few KB may unpack to gigabytes. Throws what `take` throws, once the program has ended.
 */
export async function runUnpacker(
  [program, ...options]: readonly [string, ...string[]],
  input: { readonly inputFile: string } | { readonly input: Readable },
  take: (chunk: Uint8Array) => string | undefined,
): Promise<UnpackerRun> {
  const { execa } = await import('execa');
  const running = execa(program, options, { ...input, buffer: false, stderr: 'ignore', reject: false });
  let refused: string | undefined;
  let thrown: { readonly error: unknown } | undefined;
  try {
    for await (const chunk of running.iterable({ binary: true })) {
      try {
        refused = take(chunk);
      } catch (error) {
        thrown = { error };
      }
      if (refused === undefined && thrown === undefined) continue;
      running.kill('SIGKILL');
      break;
    }
  } catch {
    // It ends so when the program fails; what it came to is asked for below.
  }
  const result = await running;
  if (thrown !== undefined) throw thrown.error;
  return { refused, missing: result.code === 'ENOENT', exitCode: result.exitCode };
}
