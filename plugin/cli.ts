import yargs from 'yargs';
import {
  baseOption,
  closureOption,
  configOption,
  jsonOption,
  keepForOption,
  keepOption,
  listOption,
  mapOption,
  moduleBtfOption,
  outOption,
  quietOption,
  sizesOption,
  symversOption,
  text,
} from './cli/options.js';
import { reportCommands } from './cli/reports.js';
import type { Context } from './commands/context.js';
import { CodedError, errorToJson, formatError } from './errors.js';
import { printable } from './printable.js';
import { RETAINED_PER } from './report/model.js';
import { TOOL } from './version.js';

const REPEATABLE: ReadonlySet<string> = new Set([
  'keep',
  'keep-for',
  'keepFor',
  'prog',
  'for',
  'metric',
  'sources',
  '_',
]);

/**
 * Commands are loaded when they run: starting up is most of what a small job costs. `behind`: the words after the `--` of kbuild.
 */
function parser(args: readonly string[], behind: readonly string[] | undefined, context: Context) {
  return (
    reportCommands(
      yargs(args)
        .scriptName(TOOL.name)
        .usage(
          '$0 <command>\n\nKeeps the mandatory part of a kernel’s BTF in vmlinux and packages the rest as a module.',
        )
        .command(
          'split <file>',
          'the main job: a smaller vmlinux, vmlinux_btf.ko and a size report',
          command =>
            command
              .positional('file', {
                type: 'string',
                demandOption: true,
                describe: 'ELF vmlinux with symbols, or bare BTF with --roots',
              })
              .option('out', outOption)
              .option('roots', {
                ...text,
                describe: 'file with a type id or kind:name a line, instead of the kernel’s own roots',
              })
              .option('vermagic', { ...text, describe: 'vermagic of the carrier, where vmlinux does not tell' })
              .option('closure', closureOption)
              .option('system-map', mapOption)
              .option('module-symvers', symversOption)
              .option('sizes', sizesOption)
              .option('modules', {
                ...text,
                describe: 'folder of the kernel’s modules: each is re-based into OUT/modules',
              })
              .option('module-btf', moduleBtfOption)
              .option('sign-key', { ...text, describe: 'sign re-based modules and the carrier with this key' })
              .option('sign-cert', { ...text, describe: 'and this X.509 certificate' })
              .option('sign-file', { ...text, describe: 'scripts/sign-file of the kernel, where it is not found' })
              .option('kconfig', { ...text, describe: '.config of the kernel, where vmlinux has none in it' })
              .option('keep', keepOption)
              .option('keep-for', keepForOption)
              .option('config', configOption)
              .option('json', jsonOption)
              .option('quiet', quietOption),
          async argv => (await import('./commands/split.js')).split(argv, context),
        )
        .command(
          'kbuild [file]',
          'the variables that make a kernel build link with the base; kbuild [options] -- make … builds with them',
          command =>
            command
              .positional('file', { type: 'string', hidden: true })
              .option('after', { ...text, choices: ['pahole', 'resolve_btfids'] as const, hidden: true })
              .option('objtree', { ...text, hidden: true })
              .option('finish', {
                ...text,
                describe: 'object tree of a build that came to its end: carrier and report',
              })
              .option('closure', closureOption)
              .option('keep', keepOption)
              .option('keep-for', keepForOption)
              .option('module-btf', moduleBtfOption)
              .option('config', configOption)
              .option('pahole', {
                ...text,
                describe: 'the real pahole (default: PAHOLE= of make, or the first on PATH)',
              })
              .option('sizes', sizesOption)
              .option('sign-key', { ...text, describe: 'sign the carrier with this key' })
              .option('sign-cert', { ...text, describe: 'and this X.509 certificate' })
              .option('sign-file', { ...text, describe: 'scripts/sign-file of the kernel, where it is not found' })
              .option('json', jsonOption)
              .option('quiet', quietOption),
          async argv => (await import('./commands/kbuild.js')).kbuild(argv, behind, context),
        )
        .command(
          'inspect <file>',
          'what is in a vmlinux, a module or bare BTF, and what a split would find',
          command =>
            command
              .positional('file', { type: 'string', demandOption: true })
              .option('base-btf', baseOption)
              .option('system-map', mapOption)
              .option('module-symvers', symversOption)
              .option('json', jsonOption),
          async argv => (await import('./commands/inspect.js')).inspect(argv, context),
        )
        .command(
          'dump <file>',
          'every type, as bpftool btf dump prints it',
          command =>
            command
              .positional('file', { type: 'string', demandOption: true })
              .option('base-btf', baseOption)
              .option('json', jsonOption),
          async argv => (await import('./commands/dump.js')).dump(argv, context),
        )
        .command(
          'explain [type] [file]',
          'why a type stays, what a program needs (--prog) or what a keep rule costs (--keep)',
          command =>
            command
              .positional('type', { type: 'string', describe: 'name, kind:name or id; not with --prog or --keep' })
              .positional('file', { type: 'string', describe: 'vmlinux or out folder; the one of -o without it' })
              .option('system-map', mapOption)
              .option('prog', { ...listOption, describe: 'BPF object: what it needs, where that is; repeatable' })
              .option('keep', { ...listOption, describe: 'keep rule: what it would add to the base; repeatable' })
              .option('top', { type: 'number', requiresArg: true, describe: 'how many of what keeps most in the base' })
              .option('per', {
                ...text,
                choices: RETAINED_PER,
                default: 'root' as const,
                describe: 'of what, for --top',
              })
              .option('by', {
                ...text,
                choices: ['retained', 'reached'] as const,
                default: 'retained' as const,
                describe: 'what leaves the base without it, or what it keeps alone, for --top',
              })
              .option('root', { ...text, describe: 'a root by name, kind:name or id: why it is one, what it keeps' })
              .option('out', outOption)
              .option('json', jsonOption),
          async argv => (await import('./commands/explain.js')).explain(argv, context),
        )
        .command(
          'minimize <file>',
          'the part of a BTF that some BPF objects need, as bpftool gen min_core_btf writes it',
          command =>
            command
              .positional('file', { type: 'string', demandOption: true, describe: 'vmlinux or bare BTF' })
              .option('for', { ...listOption, demandOption: true, describe: 'BPF object; repeatable' })
              .option('out', { ...text, alias: 'o', demandOption: true, describe: 'file to write' })
              .option('json', jsonOption)
              .option('quiet', quietOption),
          async argv => (await import('./commands/minimize.js')).minimize(argv, context),
        )
        .command(
          'verify [out]',
          'proves every promise of an out folder against its original',
          command =>
            command
              .positional('out', { type: 'string', default: 'out' })
              .option('original', { ...text, describe: 'the file that was split, when it has moved' })
              .option('system-map', { ...text, describe: 'the System.map that the split used, when it has moved' })
              .option('modules', { ...text, describe: 'folder of the modules that were re-based, when it has moved' })
              .option('json', jsonOption)
              .option('quiet', quietOption),
          async argv => (await import('./commands/verify.js')).verify(argv, context),
        )
        .command(
          'lint <file>',
          'a BTF, a module, a vmlinux or an out folder against the rules of the kernel',
          command =>
            command
              .positional('file', { type: 'string', demandOption: true })
              .option('base-btf', baseOption)
              .option('system-map', mapOption)
              .option('kernel', { ...text, describe: 'version whose rules count, where the file does not tell' })
              .option('program', {
                type: 'boolean',
                default: false,
                describe: 'as the kernel takes the BTF of a BPF program, not its own',
              })
              .option('json', jsonOption)
              .option('quiet', quietOption),
          async argv => (await import('./commands/lint.js')).lint(argv, context),
        ),
      context,
    )
      .demandCommand(1, 'no command given')
      .strict()
      .parserConfiguration({ 'greedy-arrays': false })
      // yargs makes a list of what is given twice.
      .middleware(argv => {
        for (const [name, value] of Object.entries(argv))
          if (Array.isArray(value) && !REPEATABLE.has(name)) argv[name] = value.at(-1);
      }, true)
      .version(TOOL.version)
      .help()
      .wrap(100)
      .exitProcess(false)
      .fail((message, error) => {
        throw error ?? new CodedError('usage', message);
      })
  );
}

/** Writes and waits until the reader has taken it; a reader that went away (`| head`) ends the program quietly. */
function print(text: string, encoding: BufferEncoding = 'utf8'): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(text, encoding, error => (error ? reject(error) : resolve()));
  });
}

/** One line on stderr that tells what is being done, once it has taken a second, and only for a person. */
function progressLine(): { onStage: (stage: string) => void; clear: () => void } {
  const started = Date.now();
  let shown = false;
  let stage = '';
  const show = (): void => {
    shown = true;
    process.stderr.write(`\r\u001b[K${TOOL.name}: ${stage} …`);
  };
  const timer = process.stderr.isTTY ? setInterval(show, 1000).unref() : undefined;
  return {
    onStage: next => {
      stage = next;
      if (timer !== undefined && Date.now() - started > 1000) show();
    },
    clear: () => {
      clearInterval(timer);
      if (shown) process.stderr.write('\r\u001b[K');
    },
  };
}

/** yargs throws some complaints (an option without its value) past its own `fail`. */
function asUsage(error: unknown): unknown {
  return error instanceof Error && error.name === 'YError' ? new CodedError('usage', error.message) : error;
}

const SIGNALS = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;

/** Ends the program as a shell expects it of an interrupted one, after `cleanUp`. */
function catchSignals(cleanUp: () => void): void {
  for (const [signal, exitCode] of Object.entries(SIGNALS))
    process.once(signal, () => {
      cleanUp();
      process.exit(exitCode);
    });
}

async function main(args: readonly string[]): Promise<number> {
  const progress = progressLine();
  let exitCode = 0;
  // What stands behind the -- of kbuild is for make, whatever it looks like.
  const end = args[0] === 'kbuild' ? args.indexOf('--') : -1;
  const behind = end < 0 ? undefined : args.slice(end + 1);
  const own = end < 0 ? args : args.slice(0, end);
  const context: Context = {
    onFindings: () => {
      exitCode = 1;
    },
    print,
    printBytes: text => print(text, 'latin1'),
    colours: process.stdout.isTTY === true && !process.env.NO_COLOR && process.env.TERM !== 'dumb',
    onStage: progress.onStage,
    warn: text => {
      progress.clear();
      process.stderr.write(`${TOOL.name}: warning: ${printable(text)}\n`);
    },
    onInterrupt: cleanUp =>
      catchSignals(() => {
        progress.clear();
        cleanUp();
      }),
  };
  try {
    await parser(own, behind, context).parseAsync();
    return exitCode;
  } catch (thrown) {
    progress.clear();
    if ((thrown as NodeJS.ErrnoException).code === 'EPIPE') return 0;
    const error = asUsage(thrown);
    if (!(error instanceof CodedError)) throw error;
    if (own.includes('--json')) await print(`${JSON.stringify(errorToJson(error), null, 2)}\n`);
    process.stderr.write(`${TOOL.name}: ${formatError(error)}\n`);
    return error.exitCode;
  } finally {
    progress.clear();
  }
}

process.stdout.on('error', () => {});
main(process.argv.slice(2)).then(code => {
  process.exitCode = code;
});
