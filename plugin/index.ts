/** The public API. Everything else may change between minor versions. */
export { Btf } from './btf/btf.js';
export { encodeBtf, reencodeBtf } from './btf/encode.js';
export { formatRaw } from './btf/format-raw.js';
export { NameIndex } from './btf/names.js';
export { CodedError, type ErrorCode, formatError } from './errors.js';
export { COMPRESSORS, type Compressor } from './host/compress.js';
export type { Manifest } from './pipeline/manifest.js';
export { runSplit, type SplitOptions } from './pipeline/split.js';
export { type Verified, verifyOut } from './pipeline/verify.js';
export type { Report } from './report/model.js';
export { renderMarkdown } from './report/render/markdown.js';
export { renderText } from './report/render/text.js';
export { REASONS, type Reason, type Root } from './roots/root.js';
export { type Split, splitBtf } from './split/split.js';
