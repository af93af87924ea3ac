import { join, resolve } from 'node:path';
import { CodedError } from '../errors.js';
import { hashSource } from '../host/hash.js';
import { withAnalysis } from '../report/analyze.js';
import type { Report } from '../report/model.js';
import { FILES } from './files.js';
import { withInput } from './input.js';
import { readManifest } from './out.js';
import { readReport } from './report-file.js';

/**
 * The report of an out folder, with what takes more than a split to find out. `original`: the file that was split, when it has moved.
 * Throws `out-folder`, `report`, `verify` for another file than was split, and what opening it throws.
 */
export async function reportOfOut(out: string, original?: string): Promise<Report> {
  const manifest = readManifest(out);
  const { report } = await readReport(join(out, FILES.report));
  const file = original ?? resolve(out, manifest.input.file);
  if (report.input.sha256 !== manifest.input.sha256 || report.closure !== manifest.closure)
    throw new CodedError('out-folder', 'split.json and report.json are of two splits', { file: out });
  const { roots } = manifest;
  return withInput(file, undefined, input => {
    if (hashSource(input.source) !== manifest.input.sha256)
      throw new CodedError('verify', 'not the file that was split (its SHA-256 differs)', { file });
    const { btf } = input;
    if (roots.some(({ id }) => id >= btf.endId))
      throw new CodedError('out-folder', 'split.json names types that the original has not', { file: out });
    return withAnalysis(report, btf, roots);
  });
}
