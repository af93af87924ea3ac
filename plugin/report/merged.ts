import { metricsOf } from './metrics.js';
import { type ImageReport, KERNEL_COMPRESSOR, type Report } from './model.js';

/** Reports of several kernels, shown together. */
export interface Merged {
  readonly schemaVersion: 1;
  /** In the order in which they were given. */
  readonly reports: readonly Member[];
}

export interface Member {
  /** Where it came from, as it was given. */
  readonly source: string;
  readonly report: Report;
}

/** The version of the kernel, or the name of a bare BTF. */
export function kernelOf({ input }: Report): string {
  return input.vermagic?.split(' ')[0] ?? input.file;
}

/** Best first. */
const BY_SIZE: readonly string[] = [KERNEL_COMPRESSOR, 'xz', 'zstd', 'gzip'];

/** An image before and after in the compression that comes nearest to what the flash holds: the kernel's own, xz, zstd, gzip, none. */
export function flashOf({ before, after }: ImageReport): { compressor: string; before: number; after: number } {
  for (const compressor of BY_SIZE) {
    const [was, is] = [before.compressed[compressor], after.compressed[compressor]];
    if (typeof was === 'number' && typeof is === 'number') return { compressor, before: was, after: is };
  }
  return { compressor: 'nothing', before: before.bytes, after: after.bytes };
}

/** Every figure that any of the reports has, and of each report its values. */
export function figureTable({ reports }: Merged): { names: string[]; rows: (number | undefined)[][] } {
  const figures = reports.map(({ report }) => metricsOf(report));
  const names = [...new Set(figures.flatMap(metrics => [...metrics.keys()]))];
  return { names, rows: figures.map(metrics => names.map(name => metrics.get(name))) };
}
