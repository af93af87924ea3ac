import { CodedError } from '../errors.js';
import { type Compressor, isCompressor } from '../host/compress.js';
import { abandonAll } from '../host/out-folder.js';
import type { ModuleMode } from '../modules/needs.js';
import { readKeepRequest } from '../pipeline/keep.js';
import { runSplit } from '../pipeline/split.js';
import { printable } from '../printable.js';
import { renderText } from '../report/render/text.js';
import type { Reach } from '../split/split.js';
import { type Context, printJson } from './context.js';

export interface SplitArguments {
  readonly file: string;
  readonly out: string;
  readonly roots?: string | undefined;
  readonly vermagic?: string | undefined;
  readonly closure: string;
  readonly systemMap?: string | undefined;
  readonly moduleSymvers?: string | undefined;
  /** Comma-separated compressors, or `none`. */
  readonly sizes: string;
  readonly modules?: string | undefined;
  readonly 'module-btf': ModuleMode;
  readonly 'sign-key'?: string | undefined;
  readonly 'sign-cert'?: string | undefined;
  readonly 'sign-file'?: string | undefined;
  readonly kconfig?: string | undefined;
  readonly keep: readonly string[];
  readonly keepFor: readonly string[];
  readonly config?: string | undefined;
  readonly json: boolean;
  readonly quiet: boolean;
}

export async function split(args: SplitArguments, context: Context): Promise<void> {
  if (args.vermagic?.trim() === '') throw new CodedError('usage', '--vermagic is empty');
  context.onInterrupt(abandonAll);
  const report = await runSplit({
    file: args.file,
    out: args.out,
    rootsFile: args.roots,
    keep: readKeepRequest(args),
    vermagic: args.vermagic,
    reach: parseClosure(args.closure),
    systemMap: args.systemMap,
    moduleSymvers: args.moduleSymvers,
    compressors: parseCompressors(args.sizes),
    modules: args.modules,
    moduleMode: args['module-btf'],
    signKey: args['sign-key'],
    signCert: args['sign-cert'],
    signFile: args['sign-file'],
    kconfig: args.kconfig,
    onStage: context.onStage,
    onWarning: context.warn,
  });
  if (args.json) await printJson(context, report);
  else if (!args.quiet)
    await context.print(`${renderText(report, context.colours)}\n${printable(args.out)}: written\n`);
}

/** `auto` is `complete` until `forward` has booted on an architecture. */
export function parseClosure(text: string): Reach {
  if (text === 'auto') return 'complete';
  if (text !== 'complete' && text !== 'forward')
    throw new CodedError('usage', `--closure ${text}: it is complete, forward or auto`);
  return text;
}

export function parseCompressors(text: string): Compressor[] {
  if (text === 'none') return [];
  return text.split(',').map(name => {
    if (!isCompressor(name))
      throw new CodedError('usage', `--sizes ${text}: ${name} is none of gzip, xz, zstd, kernel, none`);
    return name;
  });
}
