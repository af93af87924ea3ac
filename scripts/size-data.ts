import type { LinkedKernel } from '../test/boot/support/linked-kernels.js';
import type { HookedSizes, LinkedResult } from '../test/boot/support/linked-result.js';

export interface Measured {
  readonly kernel: LinkedKernel;
  readonly result: LinkedResult;
}

const START = '<!-- measured -->';
const END = '<!-- end of what was measured -->';

const count = (value: number): string => value.toLocaleString('en-US');
const signed = (value: number): string => `${value < 0 ? '−' : '+'}${count(Math.abs(value))}`;
const share = (part: number, whole: number): string => `${((100 * part) / whole).toFixed(1)} %`;
const above = (image: number, zeroed: number): string => `${(100 * (image / zeroed - 1)).toFixed(2)} %`;
const shown = (seconds: number): string => seconds.toFixed(2);

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const rule = line(head.map((_, i) => (i < 2 ? ':--' : '--:'))).replaceAll(' ', '');
  return [line(head), rule, ...rows.map(line)].join('\n');
}

const title = ({ kernel, result }: Measured): string => `${kernel.architecture}, ${result.release}`;

/** One row for the unsplit kernel and one a closure. */
function rows(
  measured: readonly Measured[],
  unsplit: (one: Measured) => readonly string[],
  split: (link: HookedSizes, one: Measured) => readonly string[],
): string[][] {
  return measured.flatMap(one => [
    [title(one), 'unsplit', ...unsplit(one)],
    ...one.result.split.map(link => ['', link.closure, ...split(link, one)]),
  ]);
}

function median(all: readonly number[]): number {
  return all.toSorted((a, b) => a - b)[all.length >> 1] ?? 0;
}

interface Target {
  readonly what: string;
  readonly of: (link: HookedSizes, result: LinkedResult) => number;
  readonly shown: (value: number) => string;
  readonly met: (value: number, closure: string) => boolean;
}

const TARGETS: readonly Target[] = [
  {
    what: 'leaves vmlinux (≥ 80 %, forward 95 %)',
    of: (link, { unsplit }) => 100 * (1 - link.btf / unsplit.btf),
    shown: value => `${value.toFixed(1)} %`,
    met: (value, closure) => value >= (closure === 'forward' ? 95 : 80),
  },
  {
    what: 'image above `.BTF` zeroed (≤ 5.5 %, forward 1.5 %)',
    of: link => 100 * (link.image / link.imageZeroed - 1),
    shown: value => `${value.toFixed(2)} %`,
    met: (value, closure) => value <= (closure === 'forward' ? 1.5 : 5.5),
  },
  {
    what: 'added to a link (≤ 1.5 s)',
    of: ({ seconds }) => median(seconds.links) + seconds.around,
    shown: value => `${value.toFixed(2)} s`,
    met: value => value <= 1.5,
  },
  {
    what: 'added to a module (≤ 0.1 s)',
    of: ({ seconds }) => median(seconds.rebased),
    shown: value => `${value.toFixed(2)} s`,
    met: value => value <= 0.1,
  },
];

/** Bold when it is missed. */
function targetCell({ of, shown, met }: Target, link: HookedSizes, result: LinkedResult): string {
  const value = of(link, result);
  return met(value, link.closure) ? shown(value) : `**${shown(value)}**`;
}

/** The tables of docs/size-data.md. */
export function renderSizeData(measured: readonly Measured[]): string {
  const btf = table(
    [
      'kernel',
      'closure',
      'types in vmlinux',
      '`.BTF` of vmlinux',
      'of the whole',
      'rest',
      'carrier, xz',
      '`.BTF` of all modules',
    ],
    rows(
      measured,
      ({ result: { unsplit, split } }) => [
        count(split[0]?.types.full ?? 0),
        count(unsplit.btf),
        '',
        '',
        '',
        count(unsplit.modules),
      ],
      (link, { result: { unsplit } }) => [
        count(link.types.base),
        count(link.btf),
        share(link.btf, unsplit.btf),
        count(link.rest),
        `${count(link.carrier)}, ${count(link.carrierXz)}`,
        count(link.modules),
      ],
    ),
  );
  const image = table(
    ['kernel', 'closure', 'image', 'bytes', 'less', 'above `.BTF` zeroed'],
    rows(
      measured,
      ({ kernel, result: { unsplit } }) => [
        kernel.compressed.image.replace(/^.*\//, ''),
        count(unsplit.image),
        '',
        above(unsplit.image, unsplit.imageZeroed),
      ],
      (link, { result: { unsplit } }) => [
        '',
        count(link.image),
        share(unsplit.image - link.image, unsplit.image),
        above(link.image, link.imageZeroed),
      ],
    ),
  );
  const memory = table(
    ['kernel', 'closure', 'MemTotal', 'gained', 'available', 'gained', 'with the carrier', 'against unsplit'],
    rows(
      measured,
      ({ result: { unsplit } }) => [count(unsplit.memory.total), '', count(unsplit.memory.available), '', '', ''],
      (link, { result: { unsplit } }) => [
        count(link.memory.total),
        signed(link.memory.total - unsplit.memory.total),
        count(link.memory.available),
        signed(link.memory.available - unsplit.memory.available),
        count(link.withCarrier.available),
        signed(link.withCarrier.available - unsplit.memory.available),
      ],
    ),
  );
  const carrier = table(
    ['kernel', 'closure', 'the carrier', 'its rest', 'taken at the peak', 'that stay'],
    measured.flatMap(one =>
      one.result.split.map(({ closure, carrier, rest, pages }, i) => [
        i === 0 ? title(one) : '',
        closure,
        count(Math.ceil(carrier / 1024)),
        count(Math.ceil(rest / 1024)),
        ...(pages === undefined ? ['–', '–'] : [count(pages.peak), count(pages.stay)]),
      ]),
    ),
  );
  const time = table(
    ['kernel', 'closure', 'links', 'in each, s', 'modules', 'median of each, s', 'around make, s'],
    measured.flatMap(one =>
      one.result.split.map(({ closure, seconds }, i) => [
        i === 0 ? title(one) : '',
        closure,
        `${seconds.links.length}`,
        seconds.links.map(shown).join(', '),
        `${seconds.rebased.length / seconds.links.length}`,
        shown(median(seconds.rebased)),
        shown(seconds.around),
      ]),
    ),
  );
  const boots = table(
    [
      'kernel',
      'modules loaded',
      'initcalls compared',
      'BTF, BPF and module messages compared',
      'definitions found',
      'CO-RE programs',
      'other programs',
      'differences',
    ],
    measured.map(one => [
      title(one),
      one.kernel.modules.map(name => name.slice(0, -'.ko'.length)).join(', '),
      count(one.result.initcalls),
      count(one.result.messages),
      [...new Set(one.result.split.map(({ walked }) => count(walked)))].join(', '),
      count(one.result.programs.core),
      count(one.result.programs.probe),
      `${one.result.findings.length + one.result.split.reduce((sum, link) => sum + link.findings.length, 0)}`,
    ]),
  );
  const modules = table(
    ['kernel', 'closure', '`.BTF` by module'],
    rows(
      measured,
      ({ result: { unsplit } }) => [listed(unsplit.module)],
      link => [listed(link.module)],
    ),
  ).replace(/^(\|:--\|:--\|)--:\|$/m, '$1:--|');
  const targets = table(
    ['kernel', 'closure', ...TARGETS.map(({ what }) => what)],
    measured.flatMap(({ kernel, result }) =>
      result.split.map((link, i) => [
        i === 0 ? title({ kernel, result }) : '',
        link.closure,
        ...TARGETS.map(target => targetCell(target, link, result)),
      ]),
    ),
  );
  return [
    '### Against the targets',
    targets,
    '### BTF, in bytes',
    btf,
    '### The compressed image, in bytes',
    image,
    '### Memory, in KiB',
    memory,
    '### Loading the carrier, in KiB',
    carrier,
    '### Modules, in bytes',
    modules,
    '### Time of the hook',
    time,
    '### Boots',
    boots,
  ].join('\n\n');
}

function listed(module: Readonly<Record<string, number>>): string {
  return Object.entries(module)
    .map(([name, size]) => `${name.slice(0, -'.ko'.length)} ${count(size)}`)
    .join(', ');
}

/** Puts the tables between their marks. Throws when the document has none. */
export function splice(document: string, tables: string): string {
  const [start, end] = [document.indexOf(START), document.indexOf(END)];
  if (start < 0 || end < start) throw new Error(`docs/size-data.md has no ${START} … ${END}`);
  return `${document.slice(0, start + START.length)}\n${tables}\n${document.slice(end)}`;
}
