import { encodeHistoryLine, historyLine } from '../../../plugin/report/history.js';
import { REPORT } from '../../support/any-report.js';

/** Two lines of a history. */
export const HISTORY = ['a', 'b']
  .map(commit => encodeHistoryLine(historyLine(REPORT, { time: '2026-01-31T12:00:00Z', commit })))
  .join('');
