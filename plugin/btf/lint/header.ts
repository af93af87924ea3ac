import type { Btf } from '../btf.js';
import { HEADER_BYTES_LAYOUT } from '../header.js';
import type { Collector } from './findings.js';
import type { KernelRules } from './kernels.js';
import type { RuleId } from './rules.js';

/** BTF_MAX_TYPE, BTF_MAX_NAME_OFFSET (include/uapi/linux/btf.h). */
const MAX_TYPE = 0xfffff;
const MAX_NAME_OFFSET = 0xffffff;
/** sizeof(struct btf_layout). */
const LAYOUT_ENTRY = 4;

/** Rules about the header, the sections and their limits (btf_parse_hdr, btf_check_sec_info, btf_parse_str_sec). */
export function lintHeader(btf: Btf, kernel: KernelRules, found: Collector<RuleId>): void {
  const { header, base } = btf;
  const { types, strings, layout } = header;
  const dataEnd = Math.max(
    ...[types, strings, layout].filter(({ length }) => length > 0).map(s => s.offset + s.length),
    0,
  );
  if (header.flags !== 0) found.add('header-flags', 0, header.flags);
  const placesLayout = layout.offset !== 0 || layout.length !== 0;
  if (placesLayout && !kernel.layout) found.add('header-length', 0, header.length);

  const sections = layout.length > 0 ? [types, strings, layout] : [types, strings];
  sections.sort((a, b) => a.offset - b.offset || a.length - b.length);
  let end = 0;
  for (const { offset, length } of sections) {
    if (offset !== end) found.add('section-place', 0, offset, end);
    end = offset + length;
  }
  const stringsEnd = strings.offset + strings.length;
  const mayStandAnywhere = kernel.layout && header.length >= HEADER_BYTES_LAYOUT;
  if (stringsEnd !== dataEnd && !mayStandAnywhere) found.add('strings-last', 0, stringsEnd, dataEnd);
  if (layout.length > 0 && (layout.offset % LAYOUT_ENTRY !== 0 || layout.length % LAYOUT_ENTRY !== 0))
    found.add('layout-size', 0, layout.offset, layout.length);

  if (base === undefined && btf.count === 0) found.add('no-types', 0);
  // Id MAX_TYPE itself is one too many: void takes a place in the kernel's table.
  if (btf.endId > MAX_TYPE) found.add('types-limit', 0, btf.endId - 1);
  if (strings.length - 1 > MAX_NAME_OFFSET) found.add('strings-limit', 0, strings.length);
  else if (btf.lastString > MAX_NAME_OFFSET) found.add('strings-limit', 0, btf.lastString);
}
