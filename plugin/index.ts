/** The public API. Everything else may change between minor versions. */
export { type Minimized, minimize } from './bpf/minimize.js';
export { type Need, type Needs, needsOf } from './bpf/needs.js';
export { type BpfObject, readBpfObject } from './bpf/object.js';
export { Btf } from './btf/btf.js';
export { encodeBtf, reencodeBtf } from './btf/encode.js';
export { formatRaw } from './btf/format-raw.js';
export type { Finding, Findings } from './btf/lint/findings.js';
export { type KernelRules, kernelRules } from './btf/lint/kernels.js';
export { type LintOptions, lint } from './btf/lint.js';
export { NameIndex } from './btf/names.js';
export type { Budget, Level } from './budget/budget.js';
export type { Checked } from './budget/checked.js';
export type { Finding as BudgetFinding } from './budget/evaluate.js';
export { type ByteSource, FileSource, MemorySource } from './bytes/source.js';
export type { Change, DiffSide, TypeChange, TypeDiff, Verdict } from './diff/model.js';
export { diffTypes } from './diff/types.js';
export { CodedError, type ErrorCode, formatError } from './errors.js';
export { COMPRESSORS, type Compressor } from './host/compress.js';
export { type CheckRequest, checkReportFile } from './pipeline/check.js';
export { type KeepOptions, type KeepRequest, readKeepRequest } from './pipeline/keep.js';
export { type LintedFile, type LintRequest, lintFile } from './pipeline/lint-file.js';
export type { Manifest } from './pipeline/manifest.js';
export { checkReport, readReport } from './pipeline/report-file.js';
export { runSplit, type SplitOptions } from './pipeline/split.js';
export { type Verified, verifyOut } from './pipeline/verify.js';
export {
  encodeHistoryLine,
  type HistoryLabels,
  type HistoryLine,
  historyLine,
  parseHistory,
} from './report/history.js';
export type { Report } from './report/model.js';
export { renderMarkdown } from './report/render/markdown.js';
export { renderText } from './report/render/text.js';
export { renderTrend } from './report/render/trend.js';
export { REPORT_SCHEMA } from './report/schema.js';
export { type Series, seriesOf } from './report/series.js';
export { REASONS, type Reason, type Root } from './roots/root.js';
export { type Split, splitBtf } from './split/split.js';
