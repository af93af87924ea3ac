import { formatJson } from '../btf/format-json.js';
import { formatRaw } from '../btf/format-raw.js';
import { readBtf, withInput } from '../pipeline/input.js';
import type { Context } from './context.js';

export interface DumpArguments {
  readonly file: string;
  readonly baseBtf?: string | undefined;
  readonly json: boolean;
}

/** Prints what `bpftool btf dump file FILE format raw` prints. */
export async function dump(args: DumpArguments, context: Context): Promise<void> {
  const base = args.baseBtf === undefined ? undefined : await readBtf(args.baseBtf);
  await withInput(args.file, base, async ({ btf }) => {
    if (args.json) for (const chunk of formatJson(btf)) await context.print(chunk);
    else for (const chunk of formatRaw(btf)) await context.printBytes(chunk);
  });
}
