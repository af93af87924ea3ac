import { existsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { Btf } from '../btf/btf.js';
import { CodedError } from '../errors.js';
import { readReport } from '../pipeline/report-file.js';
import { withAnalysis } from '../report/analyze.js';
import type { Report } from '../report/model.js';
import { FINISHED } from './finish.js';
import { SIDE_FILES, SIDE_FOLDER, SideFolder } from './side-files.js';

/** The object tree that a folder is, or whose side files it has; undefined for another folder. */
export function objectTreeOf(folder: string): string | undefined {
  if (existsSync(join(folder, SIDE_FOLDER, 'link.json'))) return folder;
  return basename(folder) === SIDE_FOLDER && existsSync(join(folder, 'link.json')) ? dirname(folder) : undefined;
}

/** The report of a finished build, with what takes more than a split to find out. Throws `kbuild-none`, `kbuild-link`, `report`. */
export async function reportOfTree(objtree: string): Promise<Report> {
  const folder = new SideFolder(objtree);
  const link = folder.link();
  if (link === undefined) throw new CodedError('kbuild-none', 'no link.json', { file: folder.path });
  const { report } = await readReport(folder.file(FINISHED.report));
  const btf = Btf.decode(folder.read(link, SIDE_FILES.original));
  if (report.closure !== link.options.closure || report.full.types !== link.figures.full.types)
    throw new CodedError('kbuild-link', 'the report is of an earlier link', { file: folder.file(FINISHED.report) });
  return withAnalysis(report, btf, folder.roots(link));
}
