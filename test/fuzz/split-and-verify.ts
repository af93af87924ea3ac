import { existsSync, readdirSync } from 'node:fs';
import { runSplit, type SplitOptions } from '../../plugin/pipeline/split.js';
import { verifyOut } from '../../plugin/pipeline/verify.js';

/** A whole run: what it writes passes verify, an input that it refuses leaves nothing behind. */
export async function splitAndVerify(options: Omit<SplitOptions, 'compressors'>): Promise<void> {
  const { out } = options;
  try {
    await runSplit({ ...options, compressors: [] });
  } catch (error) {
    if (existsSync(out))
      throw new Error(`a refused input left ${readdirSync(out).join(', ')} behind`, { cause: error });
    throw error;
  }
  try {
    await verifyOut(out);
  } catch (error) {
    throw new Error(`its own out folder does not pass verify: ${String(error)}`, { cause: error });
  }
}
