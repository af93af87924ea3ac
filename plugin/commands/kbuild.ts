import { existsSync, realpathSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CodedError } from '../errors.js';
import { findOnPath, isProgram, runProgram } from '../host/make.js';
import { checkConfig, FINISHED, finishBuild } from '../kbuild/finish.js';
import { aftermathOf, readMakeLine } from '../kbuild/make.js';
import {
  DEFAULT_OPTIONS,
  decodeOptions,
  encodeOptions,
  type LinkOptions,
  linkOptions,
  NODE_VARIABLE,
  OPTIONS_VARIABLE,
  PAHOLE_VARIABLE,
  SERVICE_VARIABLE,
} from '../kbuild/options.js';
import { Requests } from '../kbuild/request.js';
import { BuildService } from '../kbuild/service.js';
import { type Adapter, SIDE_FOLDER } from '../kbuild/side-files.js';
import { forgetLink, staleLink } from '../kbuild/stale.js';
import type { ModuleMode } from '../modules/needs.js';
import { readConfigFile } from '../pipeline/config-file.js';
import { readKeepRequest } from '../pipeline/keep.js';
import { renderText } from '../report/render/text.js';
import { type Context, printJson } from './context.js';
import { parseClosure, parseCompressors } from './split.js';

export interface KbuildArguments {
  /** What the wrappers call: the tool that has just run, and the file that it ran on. */
  readonly after?: Adapter | undefined;
  readonly file?: string | undefined;
  /** Of the module that the wrappers call for; a path from where they run. */
  readonly objtree?: string | undefined;
  /** Object tree. */
  readonly finish?: string | undefined;
  readonly closure: string;
  readonly keep: readonly string[];
  readonly keepFor: readonly string[];
  readonly config?: string | undefined;
  readonly pahole?: string | undefined;
  readonly 'module-btf': ModuleMode;
  readonly sizes: string;
  readonly 'sign-key'?: string | undefined;
  readonly 'sign-cert'?: string | undefined;
  readonly 'sign-file'?: string | undefined;
  readonly json: boolean;
  readonly quiet: boolean;
}

/** `words`: the program to run and its arguments, behind `--`; undefined when there is no `--`. */
export async function kbuild(
  args: KbuildArguments,
  words: readonly string[] | undefined,
  context: Context,
): Promise<void> {
  const { after, file, finish } = args;
  if ((after === undefined) !== (file === undefined))
    throw new CodedError('usage', file === undefined ? '--after without a file' : `${file}: write make behind --`);
  if (after !== undefined && file !== undefined) {
    const options = decodeOptions(process.env[OPTIONS_VARIABLE]);
    const objtree = args.objtree === undefined ? undefined : resolve(args.objtree);
    await new Requests().answer({ adapter: after, file, objtree, options });
  } else if (finish !== undefined) await finishAndPrint(resolve(finish), args, context);
  else {
    const options = linkOptions(parseClosure(args.closure), readKeepRequest(args), args['module-btf']);
    if (words === undefined)
      await context.print(`${variables(options, args.pahole ?? configuredPahole(args)).join(' ')}\n`);
    else await build(words, options, args, context);
  }
}

async function build(
  words: readonly string[],
  options: LinkOptions,
  args: KbuildArguments,
  context: Context,
): Promise<void> {
  const [program, ...given] = words;
  if (program === undefined) throw new CodedError('usage', 'no program behind --');
  const { objtree, goals } = readMakeLine(given, process.cwd(), process.env.KBUILD_OUTPUT);
  const pahole = given.findLast(word => word.startsWith('PAHOLE='))?.slice('PAHOLE='.length);
  const own = variables(options, args.pahole ?? pahole ?? configuredPahole(args));
  const aftermath = aftermathOf(goals);
  if (aftermath === 'finish' && staleLink(objtree, options) !== undefined) forgetLink(objtree);
  let service: BuildService | undefined;
  context.onInterrupt(() => service?.stop());
  const make = async (): Promise<void> => {
    service = aftermath === 'finish' ? BuildService.open(objtree) : undefined;
    try {
      await runProgram(
        program,
        [...given.filter(word => !/^(?:PAHOLE|RESOLVE_BTFIDS)=/.test(word)), ...own],
        { [NODE_VARIABLE]: process.execPath, [SERVICE_VARIABLE]: service?.folder ?? '' },
        args.json ? 'stderr' : 'stdout',
      );
    } finally {
      await service?.end();
      // What it holds of the kernel is in nobody's way any more.
      service = undefined;
    }
  };
  await make();
  if (aftermath === 'check-config') checkConfig(objtree);
  else if (aftermath === 'finish')
    try {
      await finishAndPrint(objtree, args, context);
    } catch (error) {
      if (!(error instanceof CodedError) || error.code !== 'kbuild-modules') throw error;
      context.warn(`${error.message}: linking once more`);
      forgetLink(objtree);
      await make();
      await finishAndPrint(objtree, args, context);
      if (goals.every(goal => goal === 'modules'))
        context.warn('boot images that were made before are of another link: make them again');
    }
}

async function finishAndPrint(objtree: string, args: KbuildArguments, context: Context): Promise<void> {
  const report = await finishBuild(objtree, {
    compressors: parseCompressors(args.sizes),
    signKey: args['sign-key'],
    signCert: args['sign-cert'],
    signFile: args['sign-file'],
    onStage: context.onStage,
  });
  if (args.json) await printJson(context, report);
  else if (!args.quiet)
    await context.print(
      `${renderText(report, context.colours)}\n${resolve(objtree, SIDE_FOLDER, FINISHED.carrier)}: written\n`,
    );
}

/** The words for make's command line. Throws `kbuild-path`, `tool-missing`. */
function variables(options: LinkOptions, pahole: string | undefined): string[] {
  const folder = wrappers();
  const [wrapper, resolver] = ['pahole', 'resolve_btfids'].map(name => resolve(folder, name));
  const words = [`PAHOLE=${plain(wrapper)}`, `RESOLVE_BTFIDS=${plain(resolver)}`];
  const real = pahole === undefined ? findOnPath('pahole', wrapper) : asProgram(pahole, wrapper);
  if (real === undefined) throw new CodedError('tool-missing', 'pahole: install it, or pass its path with --pahole');
  if (pahole !== undefined && real !== wrapper) words.push(`${PAHOLE_VARIABLE}=${plain(real)}`);
  const text = encodeOptions(options);
  if (text !== encodeOptions(DEFAULT_OPTIONS)) words.push(`${OPTIONS_VARIABLE}=${text}`);
  return words;
}

/** From the folder of the configuration, unless it is a name to look for on PATH. */
function configuredPahole(args: KbuildArguments): string | undefined {
  const { config, folder } = readConfigFile(args.config);
  const { pahole } = config;
  return pahole === undefined || basename(pahole) === pahole ? pahole : resolve(folder, pahole);
}

/** A name without a folder is looked for on PATH, as make does it. */
function asProgram(pahole: string, wrapper: string): string {
  const path = basename(pahole) === pahole ? findOnPath(pahole, wrapper) : resolve(pahole);
  if (path === undefined || !isProgram(path)) throw new CodedError('tool-missing', `${pahole} is no program`);
  if (realpathSync(path) === realpathSync(wrapper))
    throw new CodedError('usage', `${pahole} is what stands for pahole: pass the real one`);
  return path;
}

/** `${PAHOLE}` stands unquoted in the kernel's scripts, RESOLVE_BTFIDS among the prerequisites of a target. */
function plain(path: string): string {
  if (!/^[\w/.+,@-]+$/.test(path)) throw new CodedError('kbuild-path', path);
  return path;
}

/** Beside the bundle; a compiled source lies two folders deeper. */
function wrappers(): string {
  const found = ['./kbuild', '../../bin/kbuild']
    .map(way => fileURLToPath(new URL(way, import.meta.url)))
    .find(folder => existsSync(resolve(folder, 'pahole')));
  if (found === undefined) throw new CodedError('tool-missing', 'the scripts of this package (build/bin/kbuild)');
  return found;
}
