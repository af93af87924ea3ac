import { CodedError } from '../errors.js';
import { type HistoryLine, parseHistory } from '../report/history.js';
import { readText } from './text-file.js';

/** Some 10,000 reports. */
const MAX_HISTORY_BYTES = 16 << 20;

/** Reads a history, JSON Lines as `report --format jsonl` appends them. Throws `history`, `file-unreadable`. */
export function readHistory(file: string): HistoryLine[] {
  try {
    return parseHistory(readText(file, MAX_HISTORY_BYTES, 'history'));
  } catch (error) {
    throw error instanceof CodedError ? error.in(file) : error;
  }
}
