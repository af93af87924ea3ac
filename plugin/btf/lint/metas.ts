import type { Btf } from '../btf.js';
import {
  HEAD_WORDS,
  infoKind,
  infoVlen,
  KIND_ARRAY,
  KIND_CONST,
  KIND_DATASEC,
  KIND_DECL_TAG,
  KIND_ENUM,
  KIND_ENUM64,
  KIND_FLOAT,
  KIND_FUNC,
  KIND_FUNC_PROTO,
  KIND_FWD,
  KIND_INT,
  KIND_PTR,
  KIND_RESTRICT,
  KIND_STRUCT,
  KIND_TYPE_TAG,
  KIND_TYPEDEF,
  KIND_UNION,
  KIND_VAR,
  KIND_VOLATILE,
} from '../kinds.js';
import type { Collector } from './findings.js';
import type { KernelRules } from './kernels.js';
import type { Names } from './names.js';
import type { RuleId } from './rules.js';

const KIND_FLAG = 0x80000000;
/** Bits 16 to 23 of `info`: part of vlen since 7.2, zeros before. */
const WIDE_VLEN = 0x00ff0000;

const BTF_INT_MASK = 0x0fffffff;
const MAX_INT_BITS = 128;

const BTF_FUNC_GLOBAL = 1;
const BTF_VAR_GLOBAL_ALLOCATED = 1;

const bytesOf = (bits: number): number => Math.ceil(bits / 8);
const isPowerOf2 = (value: number): boolean => value !== 0 && (value & (value - 1)) === 0;

/**
 * Rules about each record on its own (btf_check_all_metas): the ones that the kernel holds its own BTF to as well. One pass
 * over the words.
 */
export function lintMetas(btf: Btf, names: Names, kernel: KernelRules, found: Collector<RuleId>): void {
  const { words, starts, count, firstId } = btf;
  for (let i = 0; i < count; i++) {
    const at = starts[i];
    const id = firstId + i;
    const name = words[at];
    const info = words[at + 1];
    const third = words[at + 2];
    const kind = infoKind(info);
    if ((info & WIDE_VLEN) !== 0 && !kernel.wideVlen) found.add('info-bits', id, info);
    switch (kind) {
      case KIND_PTR:
      case KIND_VOLATILE:
      case KIND_CONST:
      case KIND_RESTRICT:
        if (name !== 0) found.add('no-name', id, name);
        if (info !== kind << 24) plainInfo(id, info, found);
        break;
      case KIND_FUNC_PROTO:
        if (name !== 0) found.add('no-name', id, name);
        if (info >= KIND_FLAG) found.add('kind-flag', id);
        break;
      case KIND_TYPEDEF:
        if (name === 0 || !names.isIdentifier(name)) found.add('name', id, name);
        if (info !== kind << 24) plainInfo(id, info, found);
        break;
      case KIND_FUNC:
        if (name === 0 || !names.isIdentifier(name)) found.add('name', id, name);
        if (infoVlen(info) > BTF_FUNC_GLOBAL) found.add('func-linkage', id, infoVlen(info));
        if (info >= KIND_FLAG) found.add('kind-flag', id);
        break;
      case KIND_STRUCT:
      case KIND_UNION:
        if (name !== 0 && !names.isIdentifier(name)) found.add('name', id, name);
        lintMembers(words, at + HEAD_WORDS, starts[i + 1], id, info, third, names, found);
        break;
      case KIND_ENUM:
      case KIND_ENUM64:
        if (name !== 0 && !names.isIdentifier(name)) found.add('name', id, name);
        if (third > 8 || !isPowerOf2(third)) found.add('enum-size', id, third);
        lintValues(words, at + HEAD_WORDS, starts[i + 1], id, kind === KIND_ENUM ? 2 : 3, names, found);
        break;
      case KIND_FWD:
        if (name === 0 || !names.isIdentifier(name)) found.add('name', id, name);
        if (infoVlen(info) !== 0) found.add('vlen', id, infoVlen(info));
        if (third !== 0) found.add('fwd-type', id, third);
        break;
      case KIND_INT:
        if (info !== kind << 24) plainInfo(id, info, found);
        lintInt(id, words[at + HEAD_WORDS], third, found);
        break;
      case KIND_FLOAT:
        if (info !== kind << 24) plainInfo(id, info, found);
        if (third !== 2 && third !== 4 && third !== 8 && third !== 12 && third !== 16)
          found.add('float-size', id, third);
        break;
      case KIND_ARRAY:
        if (name !== 0) found.add('no-name', id, name);
        if (info !== kind << 24) plainInfo(id, info, found);
        if (third !== 0) found.add('array-size', id, third);
        if (words[at + 3] === 0) found.add('void-type', id, 0);
        if (words[at + 4] === 0) found.add('void-type', id, 1);
        break;
      case KIND_VAR:
        if (name === 0 || !names.isIdentifier(name)) found.add('name', id, name);
        if (info !== kind << 24) plainInfo(id, info, found);
        if (third === 0) found.add('void-type', id, 0);
        if (words[at + HEAD_WORDS] > BTF_VAR_GLOBAL_ALLOCATED) found.add('var-linkage', id, words[at + HEAD_WORDS]);
        break;
      case KIND_DATASEC:
        if (name === 0 || !(kernel.printableSections ? names.isPrintable(name) : names.isIdentifier(name)))
          found.add('section-name', id, name);
        if (info >= KIND_FLAG) found.add('kind-flag', id);
        if (third === 0) found.add('datasec-size', id);
        lintVariables(words, at + HEAD_WORDS, starts[i + 1], id, third, found);
        break;
      case KIND_DECL_TAG:
      case KIND_TYPE_TAG:
        if (names.isEmpty(name)) found.add('tag-value', id);
        if (infoVlen(info) !== 0) found.add('vlen', id, infoVlen(info));
        if (info >= KIND_FLAG && !kernel.flaggedTags) found.add('kind-flag', id);
        if (kind === KIND_DECL_TAG && (words[at + HEAD_WORDS] | 0) < -1)
          found.add('tag-component', id, words[at + HEAD_WORDS] | 0);
        break;
    }
  }
}

/** `info` of a kind that has neither elements nor a flag, when it holds more than the kind. */
function plainInfo(id: number, info: number, found: Collector<RuleId>): void {
  if (infoVlen(info) !== 0) found.add('vlen', id, infoVlen(info));
  if (info >= KIND_FLAG) found.add('kind-flag', id);
}

function lintInt(id: number, data: number, size: number, found: Collector<RuleId>): void {
  const encoding = (data >>> 24) & 0xf;
  const bits = (data & 0xff) + ((data >>> 16) & 0xff);
  if (data > BTF_INT_MASK) found.add('int-data', id, data);
  if (bits > MAX_INT_BITS || bytesOf(bits) > size) found.add('int-bits', id, bits, size);
  if (encoding !== 0 && (encoding > 4 || !isPowerOf2(encoding))) found.add('int-encoding', id, encoding);
}

function lintMembers(
  words: Uint32Array,
  start: number,
  end: number,
  id: number,
  info: number,
  size: number,
  names: Names,
  found: Collector<RuleId>,
): void {
  const isUnion = infoKind(info) === KIND_UNION;
  // With a kind flag the upper eight bits are the width of a bit field.
  const mask = info >= KIND_FLAG ? 0xffffff : 0xffffffff;
  let last = 0;
  for (let at = start; at < end; at += 3) {
    const name = words[at];
    const offset = (words[at + 2] & mask) >>> 0;
    if (name !== 0 && !names.isIdentifier(name)) found.add('member-name', id, (at - start) / 3, name);
    if (words[at + 1] === 0) found.add('void-type', id, (at - start) / 3);
    if (offset < last || (isUnion && offset !== 0) || offset > size * 8)
      found.add('member-offset', id, (at - start) / 3, offset);
    last = offset;
  }
}

function lintValues(
  words: Uint32Array,
  start: number,
  end: number,
  id: number,
  stride: number,
  names: Names,
  found: Collector<RuleId>,
): void {
  for (let at = start; at < end; at += stride) {
    const name = words[at];
    if (name === 0 || !names.isIdentifier(name)) found.add('member-name', id, (at - start) / stride, name);
  }
}

function lintVariables(
  words: Uint32Array,
  start: number,
  end: number,
  id: number,
  size: number,
  found: Collector<RuleId>,
): void {
  let last = 0;
  for (let at = start; at < end; at += 3) {
    const offset = words[at + 1];
    const bytes = words[at + 2];
    if (words[at] === 0) found.add('void-type', id, (at - start) / 3);
    if (offset < last || offset >= size || bytes === 0 || offset + bytes > size)
      found.add('datasec-order', id, (at - start) / 3, offset);
    last = offset + bytes;
  }
}
