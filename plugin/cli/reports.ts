import type { Argv } from 'yargs';
import type { Context } from '../commands/context.js';
import { checkOptions } from './check-options.js';
import {
  baseOption,
  configOption,
  jsonOption,
  listOption,
  mapOption,
  quietOption,
  symversOption,
  text,
} from './options.js';

/** Adds the commands that read reports, or make them of what others wrote. */
export function reportCommands(cli: Argv, context: Context): Argv {
  return cli
    .command(
      'report [sources..]',
      'the report of a split in other formats, with what keeps how much',
      command =>
        command
          .positional('sources', {
            type: 'string',
            array: true,
            default: [] as string[],
            describe:
              'out folder, object tree of a build through kbuild, report.json, or a file with BTF (default: out)',
          })
          .option('merge', {
            type: 'boolean',
            default: false,
            describe: 'shows several of these together: one table of all kernels',
          })
          .option('format', {
            ...text,
            default: 'text',
            describe: 'text, comment, html, treemap, bar, csv, file-sizes, json; with --to a list, or all',
          })
          .option('to', { ...text, describe: 'folder that the formats are written to' })
          .option('baseline', { ...text, describe: 'an earlier report.json, to compare with' })
          .option('system-map', { ...mapOption, describe: 'System.map of a file that is not split yet' })
          .option('module-symvers', symversOption)
          .option('roots', { ...text, describe: 'roots of one that has no symbols: an id or kind:name a line' })
          .option('closure', { ...text, describe: 'that one, split so: complete (default), forward, auto' })
          .option('sizes', { ...text, describe: 'compressors to measure that one with (default: none)' })
          .option('original', { ...text, describe: 'the file that was split, when it has moved' })
          .option('history', { ...text, describe: 'JSON Lines file that gets a line with the figures (see trend)' })
          .option('commit', { ...text, describe: 'label of that line' })
          .option('time', { ...text, describe: 'time of that line (default: now)' }),
      async argv => (await import('../commands/report.js')).report(argv, context),
    )
    .command(
      'check <report>',
      'a report.json against the size budgets of the configuration',
      command =>
        command
          .positional('report', { type: 'string', demandOption: true, describe: 'report.json of a split or of kbuild' })
          .option('config', configOption)
          .options(checkOptions)
          .option('json', { ...jsonOption, describe: 'the same as --format json' })
          .option('quiet', quietOption),
      async argv => (await import('../commands/check.js')).check(argv, context),
    )
    .command(
      'diff <a> <b>',
      'how two BTFs (of a vmlinux, a module or bare), two out folders or two report.json differ',
      command =>
        command
          .positional('a', { type: 'string', demandOption: true, describe: 'the file or out folder of before' })
          .positional('b', { type: 'string', demandOption: true, describe: 'that of after' })
          .option('base-btf', { ...baseOption, describe: 'base BTF (a file with it) of modules' })
          .option('base-btf-b', { ...text, describe: 'that of the second one, where it is another' })
          .option('kind', { ...text, describe: 'types of this kind only, such as struct' })
          .option('all', { type: 'boolean', default: false, describe: 'every row, not the first 20 of a table' })
          .option('exit-code', { type: 'boolean', default: false, describe: 'end with 1 when something differs' })
          .option('format', { ...text, choices: ['text', 'json', 'markdown'] as const, default: 'text' as const })
          .option('json', jsonOption),
      async argv => (await import('../commands/diff.js')).diff(argv, context),
    )
    .command(
      'trend <history>',
      'a history of reports as an SVG, one chart a figure',
      command =>
        command
          .positional('history', { type: 'string', demandOption: true, describe: 'JSON Lines, one report a line' })
          .option('metric', { ...listOption, describe: 'figure, such as btf.base (default: all); repeatable' })
          .option('out', { ...text, alias: 'o', describe: 'file to write, instead of stdout' })
          .option('json', { ...jsonOption, describe: 'print the points as JSON instead' }),
      async argv => (await import('../commands/trend.js')).trend(argv, context),
    );
}
