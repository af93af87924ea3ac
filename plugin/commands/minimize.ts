import { minimize as minimizeBtf } from '../bpf/minimize.js';
import { CodedError } from '../errors.js';
import { writeWhole } from '../host/write-whole.js';
import { withBpfObject } from '../pipeline/bpf.js';
import { withInput } from '../pipeline/input.js';
import { printable } from '../printable.js';
import { number } from '../report/render/table.js';
import { type Context, printJson } from './context.js';

export interface MinimizeArguments {
  readonly file: string;
  /** Paths of BPF objects. */
  readonly for: readonly string[];
  readonly out: string;
  readonly json: boolean;
  readonly quiet: boolean;
}

/** Writes what `bpftool gen min_core_btf` writes, in the byte order of the kernel. */
export async function minimize(args: MinimizeArguments, context: Context): Promise<void> {
  if (args.for.length === 0) throw new CodedError('usage', 'minimize wants --for OBJECT');
  const { bytes, types, found, absent } = await withInput(
    args.file,
    undefined,
    ({ btf }) =>
      minimizeBtf(
        btf,
        args.for.map(file => withBpfObject(file, object => object)),
      ),
    'refused',
  );
  writeWhole(args.out, [bytes], [args.file, ...args.for]);
  if (args.json)
    await printJson(context, { file: args.out, bytes: bytes.length, types, relocations: { found, absent } });
  else if (!args.quiet)
    await context.print(
      `${printable(args.out)}: ${number(types)} types in ${number(bytes.length)} bytes; of ${number(found + absent)} relocations ${number(absent)} found nothing\n`,
    );
}
