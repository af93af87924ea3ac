import { nearest } from '../nearest.js';
import { REASONS } from '../roots/root.js';
import { COMPRESSOR_NAMES, KERNEL_COMPRESSOR, type Measured, type Report } from './model.js';

/** What a metric is measured in. */
export type Unit = 'bytes' | 'count';

/** A figure of a report; `whole` is what a percent is of. Or why the report has it not. */
export type Reading = { readonly value: number; readonly whole?: number } | { readonly missing: string };

/** A figure that a budget may be set on. */
export interface Metric {
  readonly name: string;
  readonly unit: Unit;
  /** What a percent of `max` is of, in words; undefined where there is no such thing. */
  readonly whole: string | undefined;
  readonly read: (report: Report) => Reading;
}

/** A line of the table: one metric, or one for each compressor, reason or root. */
export interface Family {
  /** `btf.base`, or with the place of an argument, `root.<reason>`. */
  readonly name: string;
  /** Also as `NAME.gzip` and so on. */
  readonly compressors: readonly string[];
  readonly unit: Unit;
  readonly what: string;
  readonly whole: string | undefined;
  /** `argument`: the compressor, or what stands for `<reason>` or `<root>`. */
  readonly read: (report: Report, argument: string | undefined) => Reading;
}

/** Where a metric takes its whole from the budget instead of the report: key `partition`. */
export const PARTITION_METRIC = 'image.partition';

/** What an image is measured with. */
const IMAGE_COMPRESSORS = [...COMPRESSOR_NAMES, KERNEL_COMPRESSOR];

/** Every metric. docs/budgets.md has the same table. */
export const FAMILIES: readonly Family[] = [
  {
    name: 'btf.full',
    compressors: COMPRESSOR_NAMES,
    unit: 'bytes',
    what: 'the BTF of vmlinux, base and rest as one',
    whole: undefined,
    read: (report, compressor) => sized(report, report.full, compressor),
  },
  ...(['base', 'rest'] as const).map(
    (part): Family => ({
      name: `btf.${part}`,
      compressors: COMPRESSOR_NAMES,
      unit: 'bytes',
      what: part === 'base' ? 'the BTF that stays in vmlinux, without padding' : 'the BTF that moves to vmlinux_btf.ko',
      whole: '`btf.full`',
      read: (report, compressor) =>
        within(sized(report, report[part], compressor), sized(report, report.full, compressor)),
    }),
  ),
  {
    name: 'btf.full.types',
    compressors: [],
    unit: 'count',
    what: 'types of both together',
    whole: undefined,
    read: ({ full }) => ({ value: full.types }),
  },
  ...(['base', 'rest'] as const).map(
    (part): Family => ({
      name: `btf.${part}.types`,
      compressors: [],
      unit: 'count',
      what: `types in the ${part}`,
      whole: 'the types of `btf.full`',
      read: report => ({ value: report[part].types, whole: report.full.types }),
    }),
  ),
  {
    name: 'image.file',
    compressors: IMAGE_COMPRESSORS,
    unit: 'bytes',
    what: 'the loadable bytes of vmlinux after the split, which a boot image is made of',
    whole: 'the same before the split',
    read: readImage,
  },
  {
    name: PARTITION_METRIC,
    compressors: IMAGE_COMPRESSORS,
    unit: 'bytes',
    what: '`image.file` in the flash partition whose size is `partition` of the budget',
    whole: '`partition`',
    read: (report, compressor) => {
      const reading = readImage(report, compressor);
      return 'missing' in reading ? reading : { value: reading.value };
    },
  },
  {
    name: 'ram.resident',
    compressors: [],
    unit: 'bytes',
    what: 'RAM that the BTF of vmlinux holds for ever: all bytes of `.BTF`, padding too, and a pointer for each type in it',
    whole: 'the same of a kernel without the split',
    read: ({ image }) =>
      image === undefined ? NO_IMAGE : { value: image.ramResident, whole: image.ramResident + image.ramSaved },
  },
  {
    name: 'carrier.file',
    compressors: COMPRESSOR_NAMES,
    unit: 'bytes',
    what: '`vmlinux_btf.ko`',
    whole: undefined,
    read: (report, compressor) => (report.carrier === undefined ? NO_IMAGE : sized(report, report.carrier, compressor)),
  },
  {
    name: 'modules.btf',
    compressors: [],
    unit: 'bytes',
    what: '`.BTF` and `.BTF.base` of all modules after the split, together and uncompressed',
    whole: 'the same before the split',
    read: ({ modules }) =>
      modules === undefined
        ? { missing: 'the split was given no modules' }
        : { value: modules.after.bytes, whole: modules.before.bytes },
  },
  {
    name: 'total.flash',
    compressors: COMPRESSOR_NAMES,
    unit: 'bytes',
    what: 'all of it on flash: `image.file` and `carrier.file`, compressed alike, and `modules.btf` uncompressed (0 without modules)',
    whole: 'image and `modules.btf` before the split',
    read: readFlash,
  },
  {
    name: 'root.<reason>',
    compressors: [],
    unit: 'bytes',
    what: 'what stays for one reason, each byte of the base counted for one; 0 where nothing does',
    whole: '`btf.base`',
    read: ({ reasons, base }, reason) => ({
      value: reasons.find(row => row.reason === reason)?.bytes ?? 0,
      whole: base.bytes,
    }),
  },
  {
    name: 'retained.<root>',
    compressors: [],
    unit: 'bytes',
    what: 'what would leave the base without one root, named as `kind:name`, such as `func:bpf_skb_ct_lookup`',
    whole: '`btf.base`',
    read: readRetained,
  },
];

const NO_IMAGE = { missing: 'the report is of bare BTF, without an image' } as const;

function sized(report: Report, { bytes, compressed }: Measured, compressor: string | undefined): Reading {
  if (compressor === undefined) return { value: bytes };
  const value = Object.hasOwn(compressed, compressor) ? compressed[compressor] : undefined;
  if (value === undefined)
    return {
      missing: `the report was made without ${compressor} (--sizes${compressor === KERNEL_COMPRESSOR ? ', and the configuration of the kernel: --kconfig' : ''})`,
    };
  return value === null
    ? { missing: report.compressors[compressor]?.replace(/^not measured: /, '') ?? `there was no ${compressor}` }
    : { value };
}

function within(part: Reading, whole: Reading): Reading {
  if ('missing' in part) return part;
  return 'missing' in whole ? whole : { value: part.value, whole: whole.value };
}

function readImage(report: Report, compressor: string | undefined): Reading {
  const { image } = report;
  if (image === undefined) return NO_IMAGE;
  return within(sized(report, image.after, compressor), sized(report, image.before, compressor));
}

function readFlash(report: Report, compressor: string | undefined): Reading {
  const { carrier, modules } = report;
  if (carrier === undefined) return NO_IMAGE;
  const image = readImage(report, compressor);
  const module = sized(report, carrier, compressor);
  if ('missing' in image) return image;
  if ('missing' in module) return module;
  return {
    value: image.value + module.value + (modules?.after.bytes ?? 0),
    whole: (image.whole ?? 0) + (modules?.before.bytes ?? 0),
  };
}

function readRetained({ analysis, base }: Report, root = ''): Reading {
  if (analysis === undefined) return { missing: 'the report does not tell what roots retain; vmlinux-btf report does' };
  const rows = analysis.retained.filter(({ per }) => per === 'root');
  // Two roots of one kind and name are two types that are needed apart.
  const values = rows.filter(({ name }) => name === root).map(({ bytes }) => bytes);
  if (values.length > 0) return { value: values.reduce((sum, bytes) => sum + bytes, 0), whole: base.bytes };
  const near = nearest(
    root,
    rows.map(({ name }) => name),
  );
  return { missing: `no such root in the report${near === undefined ? '' : `; did you mean ${near}?`}` };
}

const RETAINED = 'retained.';

/** Names that are known without a kernel: all but those of `retained.<root>`. */
export const METRIC_NAMES: readonly string[] = FAMILIES.flatMap(namesOf);

function namesOf({ name, compressors }: Family): string[] {
  if (name === 'root.<reason>') return REASONS.map(reason => `root.${reason}`);
  if (name === 'retained.<root>') return [];
  return [name, ...compressors.map(compressor => `${name}.${compressor}`)];
}

/** The metric of a name. */
export function findMetric(name: string): Metric | undefined {
  for (const family of FAMILIES) {
    const argument = argumentOf(family, name);
    if (argument === false) continue;
    const { unit, whole } = family;
    return { name, unit, whole, read: report => family.read(report, argument) };
  }
  return undefined;
}

/** What stands for the argument in a name of a family, undefined where nothing does; false for a name of another. */
function argumentOf({ name: family, compressors }: Family, name: string): string | undefined | false {
  if (family === 'root.<reason>') {
    const reason = REASONS.find(one => name === `root.${one}`);
    return reason ?? false;
  }
  if (family === 'retained.<root>')
    return name.startsWith(RETAINED) && name.length > RETAINED.length ? name.slice(RETAINED.length) : false;
  if (name === family) return undefined;
  return compressors.find(one => name === `${family}.${one}`) ?? false;
}

/** `; did you mean btf.base?`, or what metrics there are. */
export function nearestMetric(name: string): string {
  const near = nearest(name, METRIC_NAMES);
  return near === undefined ? 'docs/budgets.md lists them' : `did you mean ${near}?`;
}

/** Whether a metric is `image.partition`, by whatever compressor. */
export function isPartition({ name }: Metric): boolean {
  return name === PARTITION_METRIC || name.startsWith(`${PARTITION_METRIC}.`);
}

/** All figures that a report has, but for those of `retained.<root>`. */
export function measuredMetrics(
  report: Report,
): { readonly name: string; readonly unit: Unit; readonly value: number }[] {
  return METRIC_NAMES.flatMap(name => {
    const metric = findMetric(name);
    if (metric === undefined || isPartition(metric)) return [];
    const reading = metric.read(report);
    return 'missing' in reading ? [] : [{ name, unit: metric.unit, value: reading.value }];
  });
}

/** The same by name. */
export function metricsOf(report: Report): Map<string, number> {
  return new Map(measuredMetrics(report).map(({ name, value }) => [name, value]));
}
