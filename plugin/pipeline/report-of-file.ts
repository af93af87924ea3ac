import { basename } from 'node:path';
import { Compression, type Compressor } from '../host/compress.js';
import { hashSource } from '../host/hash.js';
import { turn } from '../host/turn.js';
import { withAnalysis } from '../report/analyze.js';
import { figuresOf } from '../report/measure.js';
import type { Report } from '../report/model.js';
import type { Reach } from '../split/split.js';
import { withInput } from './input.js';
import { manifestRoots } from './manifest.js';
import { prepareSplit } from './prepare.js';
import { buildReport } from './report.js';
import { describeKernel } from './split.js';

export interface FileReportOptions {
  /** Paths, for a vmlinux without symbols. */
  readonly systemMap?: string | undefined;
  readonly moduleSymvers?: string | undefined;
  /** Instead of the roots that a vmlinux names; needed for what has no symbols. */
  readonly rootsFile?: string | undefined;
  readonly reach?: Reach | undefined;
  readonly compressors: readonly Compressor[];
  readonly onStage: (stage: string) => void;
}

/**
 * What a split of a file would give, without image, carrier and modules, for nothing is written: of a vmlinux, and with roots of bare
 * BTF and of a boot image. Throws what opening and splitting throw.
 */
export function reportOfFile(file: string, options: FileReportOptions): Promise<Report> {
  return withInput(file, undefined, async input => {
    const stage = async (what: string): Promise<void> => {
      options.onStage(what);
      await turn();
    };
    const { reach = 'complete', compressors } = options;
    const prepared = await prepareSplit({ ...options, file, out: '', reach }, input, stage);
    const { split, target } = prepared;
    await stage('measuring');
    const report = await buildReport({
      figures: figuresOf(split),
      parts: part => split[part],
      warnings: target?.found.warnings ?? [],
      modules: undefined,
      input: {
        file: basename(file),
        kind: target === undefined ? 'btf' : 'vmlinux',
        bytes: input.source.size,
        sha256: hashSource(input.source),
        btfBytes: input.section?.size ?? input.raw?.length ?? input.source.size,
        ...describeKernel(target),
      },
      image: undefined,
      carrier: undefined,
      compression: new Compression(compressors),
    });
    return withAnalysis(report, input.btf, manifestRoots(input.btf, split));
  });
}
