import { CodedError } from '../errors.js';

/**
 * `write-failed` for what the host says no to (an error with an `errno` code, such as ENOSPC); whatever else was thrown
 * stays as it is: a TypeError is a defect of this program, not of the disk.
 */
export function asWriteFailed(error: unknown, file: string): unknown {
  const { code } = Object(error) as NodeJS.ErrnoException;
  // Node's own complaints about arguments have codes too: ERR_OUT_OF_RANGE.
  if (error instanceof CodedError || typeof code !== 'string' || !/^E(?!RR_)[A-Z0-9]+$/.test(code)) return error;
  return new CodedError('write-failed', code, { file }, error);
}
