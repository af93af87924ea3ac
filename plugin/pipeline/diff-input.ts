import { existsSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Btf } from '../btf/btf.js';
import { checkLengths } from '../btf/names.js';
import { withFile } from '../bytes/source.js';
import { CodedError } from '../errors.js';
import type { Count, Report } from '../report/model.js';
import { REASONS } from '../roots/root.js';
import { FILES } from './files.js';
import { withInput } from './input.js';
import { readText } from './text-file.js';

/** One side of a diff: a BTF, a report, or an out folder, which has both. */
export interface DiffInput {
  readonly file: string;
  readonly what: 'vmlinux' | 'module' | 'btf' | 'out folder' | 'report';
  readonly btf?: Btf;
  /** Of an out folder: so many types of `btf` are the base. */
  readonly baseTypes?: number;
  readonly report?: Report;
}

/**
 * `base`: of a module or other split BTF; anything else must come without. Throws `usage` when it does not, and what the readers throw.
 */
export function openDiffInput(file: string, base: Btf | undefined): Promise<DiffInput> {
  const folder = statSync(file, { throwIfNoEntry: false })?.isDirectory() === true;
  if (folder || looksLikeJson(file)) {
    if (base !== undefined) throw needsNoBase(file);
    return folder ? openFolder(file) : Promise.resolve({ file, what: 'report', report: readReport(file) });
  }
  return withInput(file, base, ({ kind, btf }) => {
    if (kind === 'vmlinux' && base !== undefined) throw needsNoBase(file);
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
    ...(existsSync(report) ? { report: readReport(report) } : {}),
  };
}

function readChecked(file: string): Promise<Btf> {
  return withInput(file, undefined, ({ btf }) => {
    checkLengths(btf);
    return btf;
  });
}

/** Whether a file starts as the JSON of an object does, which neither ELF nor BTF does. */
function looksLikeJson(file: string): boolean {
  return withFile(file, source => {
    const head = Buffer.from(source.read(0, Math.min(64, source.size))).toString('latin1');
    return /^(\xef\xbb\xbf)?\s*\{/.test(head);
  });
}

const MAX_REPORT_BYTES = 64 << 20;

/** Reads a report.json as far as two of them are compared. Throws `report`. */
function readReport(file: string): Report {
  let report: Report;
  try {
    report = JSON.parse(readText(file, MAX_REPORT_BYTES, 'report')) as Report;
  } catch (error) {
    if (error instanceof CodedError) throw error;
    throw new CodedError('report', 'no JSON', { file }, error);
  }
  if (!isReport(report)) throw new CodedError('report', 'not the report.json of this version', { file });
  return report;
}

function isReport(value: Report): boolean {
  const { kinds, reasons, largest, image, carrier, modules } = Object(value) as Report;
  return (
    value?.schemaVersion === 1 &&
    [value.full, value.base, value.rest].every(side => isCounted(side) && isCompressed(side)) &&
    isList(kinds, row => isName(row.kind) && isCounted(row.full)) &&
    isList(reasons, row => ['rest', 'header', ...REASONS].includes(row.reason) && isCounted(row)) &&
    isList(largest, row => isName(row.kind) && isName(row.name) && isCount(row.bytes)) &&
    (image === undefined || (isCount(image?.after?.bytes) && isCompressed(image.after))) &&
    (carrier === undefined || (isCount(carrier?.bytes) && isCompressed(carrier))) &&
    (modules === undefined ||
      (isCounted(modules?.after) && isList(modules.rows, row => isName(row.name) && isCounted(row.after))))
  );
}

function isList<T extends object>(value: readonly T[], is: (row: T) => boolean): boolean {
  return Array.isArray(value) && value.every(row => is(Object(row) as T));
}

function isName(value: unknown): boolean {
  return typeof value === 'string';
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isCounted(value: Count): boolean {
  return isCount(value?.types) && isCount(value.bytes);
}

function isCompressed({ compressed }: Pick<Report['full'], 'compressed'>): boolean {
  return (
    typeof compressed === 'object' &&
    compressed !== null &&
    Object.values(compressed).every(size => size === null || isCount(size))
  );
}
