import type { ErrorObject, ValidateFunction } from 'ajv/dist/2020.js';
import { withFile } from '../bytes/source.js';
import { CodedError } from '../errors.js';
import { jsonPath } from '../json-path.js';
import type { Report } from '../report/model.js';
import { REPORT_SCHEMA, SCHEMA_VERSION } from '../report/schema.js';

/** With ten thousand modules and all that they retain a report has some 4 MiB. */
const MAX_REPORT_BYTES = 16 << 20;

/** A report, and the bytes it was read from. */
export interface ReportFile {
  readonly file: string;
  readonly report: Report;
  readonly bytes: Uint8Array;
}

/**
 * Reads a report.json, and holds it against {@link REPORT_SCHEMA}. Throws `report` (with the JSON path of what does not fit),
 * `report-version`, `file-unreadable`.
 */
export async function readReport(file: string): Promise<ReportFile> {
  const bytes = withFile(file, source => {
    if (source.size > MAX_REPORT_BYTES)
      throw new CodedError('report', `${source.size} bytes, more than a report has`, { file });
    return source.read(0, source.size);
  });
  try {
    return { file, report: await checkReport(parse(bytes)), bytes };
  } catch (error) {
    throw error instanceof CodedError ? error.in(file) : error;
  }
}

function parse(bytes: Uint8Array): unknown {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (error) {
    throw new CodedError('report', 'no UTF-8', {}, error);
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new CodedError('report', `no JSON: ${(error as Error).message}`, {}, error);
  }
}

/** The value itself, when it is a report. Throws `report`, `report-version`. */
export async function checkReport(value: unknown): Promise<Report> {
  const version = (Object(value) as Partial<Report>).schemaVersion as unknown;
  if (Number.isInteger(version) && version !== SCHEMA_VERSION)
    throw new CodedError('report-version', `${version}, this version reads ${SCHEMA_VERSION}`);
  const validate = await validator();
  if (validate(value)) return value;
  throw new CodedError('report', describe(validate.errors?.[0]));
}

let compiled: ValidateFunction<Report> | undefined;

/** Only commands that read reports load ajv. */
async function validator(): Promise<ValidateFunction<Report>> {
  if (compiled === undefined) {
    const { Ajv2020 } = await import('ajv/dist/2020.js');
    compiled = new Ajv2020({ allowUnionTypes: true }).compile<Report>(REPORT_SCHEMA);
  }
  return compiled;
}

function describe(error: ErrorObject | undefined): string {
  if (error === undefined) return 'it does not fit the schema';
  const { instancePath, keyword, params, message } = error;
  const keys = instancePath
    .split('/')
    .slice(1)
    .map(key => key.replaceAll('~1', '/').replaceAll('~0', '~'));
  if (keyword === 'additionalProperties')
    return `${jsonPath([...keys, String(params.additionalProperty)])}: no such key`;
  if (keyword === 'required') return `${jsonPath([...keys, String(params.missingProperty)])}: missing`;
  const wanted = keyword === 'enum' ? `it must be one of ${params.allowedValues.join(', ')}` : message;
  return keys.length === 0 ? 'it is no object' : `${jsonPath(keys)}: ${wanted}`;
}
