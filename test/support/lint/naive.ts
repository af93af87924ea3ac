import * as kinds from '../../../plugin/btf/kinds.js';
import type { NaiveBtf, NaiveType } from '../naive-btf.js';

const isIdentifier = (name: string): boolean =>
  /^[A-Za-z_.\xc0-\xd6\xd8-\xf6\xf8-\xff][\w.\xc0-\xd6\xd8-\xf6\xf8-\xff]{0,511}$/.test(name);

const UNNAMED = [
  kinds.KIND_PTR,
  kinds.KIND_ARRAY,
  kinds.KIND_VOLATILE,
  kinds.KIND_CONST,
  kinds.KIND_RESTRICT,
  kinds.KIND_FUNC_PROTO,
];
const NAMED = [kinds.KIND_TYPEDEF, kinds.KIND_FWD, kinds.KIND_FUNC, kinds.KIND_VAR];
const MAYBE_NAMED = [kinds.KIND_STRUCT, kinds.KIND_UNION, kinds.KIND_ENUM, kinds.KIND_ENUM64];
const FLAGGED = [kinds.KIND_STRUCT, kinds.KIND_UNION, kinds.KIND_ENUM, kinds.KIND_ENUM64, kinds.KIND_FWD];
const WITH_ELEMENTS = [...MAYBE_NAMED, kinds.KIND_FUNC_PROTO, kinds.KIND_DATASEC];
const MODIFIERS = [kinds.KIND_TYPEDEF, kinds.KIND_VOLATILE, kinds.KIND_CONST, kinds.KIND_RESTRICT, kinds.KIND_TYPE_TAG];

/** Some rules of Linux 6.12 once more, written from Documentation/bpf/btf.rst: the ids of the types that break each one. */
export function naiveFindings({ types }: NaiveBtf): Record<string, number[]> {
  const ids = (breaks: (type: NaiveType, id: number) => boolean): number[] =>
    types.flatMap((type, i) => (breaks(type, i + 1) ? [i + 1] : []));
  return {
    'kind-flag': ids(({ kind, flag }) => flag && !FLAGGED.includes(kind)),
    vlen: ids(({ kind, vlen }) => vlen !== 0 && kind !== kinds.KIND_FUNC && !WITH_ELEMENTS.includes(kind)),
    name: ids(
      ({ kind, name }) =>
        (NAMED.includes(kind) && !isIdentifier(name)) ||
        (MAYBE_NAMED.includes(kind) && name !== '' && !isIdentifier(name)),
    ),
    'no-name': ids(({ kind, name }) => UNNAMED.includes(kind) && name !== ''),
    'tag-value': ids(({ kind, name }) => [kinds.KIND_DECL_TAG, kinds.KIND_TYPE_TAG].includes(kind) && name === ''),
    'member-name': ids(({ kind, names }) =>
      [kinds.KIND_STRUCT, kinds.KIND_UNION].includes(kind)
        ? names.some(name => name !== '' && !isIdentifier(name))
        : [kinds.KIND_ENUM, kinds.KIND_ENUM64].includes(kind) && !names.every(isIdentifier),
    ),
    'enum-size': ids(
      ({ kind, plain }) => [kinds.KIND_ENUM, kinds.KIND_ENUM64].includes(kind) && ![1, 2, 4, 8].includes(plain[0]),
    ),
    'float-size': ids(({ kind, plain }) => kind === kinds.KIND_FLOAT && ![2, 4, 8, 12, 16].includes(plain[0])),
    'int-encoding': ids(({ kind, plain }) => kind === kinds.KIND_INT && ![0, 1, 2, 4].includes((plain[1] >>> 24) & 15)),
    'func-linkage': ids(({ kind, vlen }) => kind === kinds.KIND_FUNC && vlen > 1),
    'modifier-loop': ids((_, id) => leadsToItself(types, id)),
  };
}

function leadsToItself(types: readonly NaiveType[], id: number): boolean {
  let at = id;
  for (let steps = 0; steps <= types.length; steps++) {
    if (at === 0 || !MODIFIERS.includes(types[at - 1].kind)) return false;
    at = types[at - 1].refs[0];
    if (at === id) return true;
  }
  return false;
}
