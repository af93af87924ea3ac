import { withFile } from '../bytes/source.js';
import { CodedError, type ErrorCode } from '../errors.js';

/** The text of a file. Throws `code` for one of more than `most` bytes and for what is no UTF-8; `file-unreadable`. */
export function readText(file: string, most: number, code: ErrorCode): string {
  return withFile(file, source => {
    if (source.size > most) throw new CodedError(code, `${source.size} bytes`, { file });
    try {
      return new TextDecoder('utf-8', { fatal: true }).decode(source.read(0, source.size));
    } catch (error) {
      throw error instanceof CodedError ? error : new CodedError(code, 'no UTF-8', { file }, error);
    }
  });
}
