import { existsSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Btf } from '../btf/btf.js';
import { checkLengths } from '../btf/names.js';
import { withFile } from '../bytes/source.js';
import { CodedError } from '../errors.js';
import type { Report } from '../report/model.js';
import { FILES } from './files.js';
import { withInput } from './input.js';
import { readReport } from './report-file.js';

/** One side of a diff: a BTF, a report, or an out folder, which has both. */
export interface DiffInput {
  readonly file: string;
  readonly what: 'vmlinux' | 'image' | 'module' | 'btf' | 'out folder' | 'report';
  readonly btf?: Btf;
  /** Of an out folder: so many types of `btf` are the base. */
  readonly baseTypes?: number;
  readonly report?: Report;
}

/**
 * `base`: of a module or other split BTF; anything else must come without. Throws `usage` when it does not, and what the readers throw.
 */
export async function openDiffInput(file: string, base: Btf | undefined): Promise<DiffInput> {
  const folder = statSync(file, { throwIfNoEntry: false })?.isDirectory() === true;
  if (folder || looksLikeJson(file)) {
    if (base !== undefined) throw needsNoBase(file);
    return folder ? openFolder(file) : { file, what: 'report', report: (await readReport(file)).report };
  }
  return withInput(file, base, ({ kind, btf }) => {
    if ((kind === 'vmlinux' || kind === 'image') && base !== undefined) throw needsNoBase(file);
    checkLengths(btf);
    return { file, what: kind, btf };
  });
}

function needsNoBase(file: string): CodedError {
  return new CodedError('usage', 'a base BTF is for a module or other split BTF', { file });
}

/** Of a split, or of a kernel build: both have the parts by the same names. Throws `out-folder`. */
async function openFolder(folder: string): Promise<DiffInput> {
  const [full, base, report] = [FILES.full, FILES.base, FILES.report].map(name => join(folder, name));
  for (const file of [full, base])
    if (!existsSync(file)) throw new CodedError('out-folder', `no ${basename(file)}`, { file: folder });
  const btf = await readChecked(full);
  const { words, count } = await readChecked(base);
  if (count > btf.count || words.some((word, i) => btf.words[i] !== word))
    throw new CodedError('out-folder', `it does not begin with the types of ${FILES.base}`, { file: full });
  return {
    file: folder,
    what: 'out folder',
    btf,
    baseTypes: count,
    ...(existsSync(report) ? { report: (await readReport(report)).report } : {}),
  };
}

function readChecked(file: string): Promise<Btf> {
  return withInput(file, undefined, ({ btf }) => {
    checkLengths(btf);
    return btf;
  });
}

/** Whether a file starts as the JSON of an object does, which neither ELF nor BTF nor a boot image does. */
export function looksLikeJson(file: string): boolean {
  return withFile(file, source => {
    const head = Buffer.from(source.read(0, Math.min(64, source.size))).toString('latin1');
    return /^(\xef\xbb\xbf)?\s*\{/.test(head);
  });
}
