/**
 * The BTF kinds and the shape of each one's record: the one table that a new kind is added to.
 * Source: include/uapi/linux/btf.h and Documentation/bpf/btf.rst of Linux.
 */

export const KIND_INT = 1;
export const KIND_PTR = 2;
export const KIND_ARRAY = 3;
export const KIND_STRUCT = 4;
export const KIND_UNION = 5;
export const KIND_ENUM = 6;
export const KIND_FWD = 7;
export const KIND_TYPEDEF = 8;
export const KIND_VOLATILE = 9;
export const KIND_CONST = 10;
export const KIND_RESTRICT = 11;
export const KIND_FUNC = 12;
export const KIND_FUNC_PROTO = 13;
export const KIND_VAR = 14;
export const KIND_DATASEC = 15;
export const KIND_FLOAT = 16;
export const KIND_DECL_TAG = 17;
export const KIND_TYPE_TAG = 18;
export const KIND_ENUM64 = 19;

export const KIND_MAX = KIND_ENUM64;

/** 1 for each of some kinds, by kind: whatever `info` may say has a place. */
export function kindSet(...kinds: readonly number[]): Uint8Array {
  const flags = new Uint8Array(128);
  for (const kind of kinds) flags[kind] = 1;
  return flags;
}

/** Kinds that only pass on what their target is, a name of their own apart (btf_type_is_modifier in kernel/bpf/btf.c). */
export const IS_MODIFIER = kindSet(KIND_TYPEDEF, KIND_VOLATILE, KIND_CONST, KIND_RESTRICT, KIND_TYPE_TAG);
export const IS_COMPOSITE = kindSet(KIND_STRUCT, KIND_UNION);

/** What a 32-bit word of the type section means to someone who renumbers types or moves strings. */
export const ROLE_PLAIN = 0;
export const ROLE_TYPE = 1;
export const ROLE_STRING = 2;

export type Role = typeof ROLE_PLAIN | typeof ROLE_TYPE | typeof ROLE_STRING;

/** Words of `struct btf_type`: name_off, info, size or type. */
export const HEAD_WORDS = 3;

export interface KindShape {
  /** As bpftool prints it. */
  readonly name: string;
  /** Role of the third word of `struct btf_type`: a type id, or a size (or nothing). */
  readonly third: Role;
  /** Roles of the words that follow once. */
  readonly fixed: readonly Role[];
  /** Roles of the words that follow vlen times. */
  readonly element: readonly Role[];
}

const P = ROLE_PLAIN;
const T = ROLE_TYPE;
const S = ROLE_STRING;

/** Index: the kind. Kind 0 (void) has no record. Versions: the kernel that brought the kind. */
export const KIND_SHAPES: readonly KindShape[] = [
  { name: 'UNKNOWN', third: P, fixed: [], element: [] },
  { name: 'INT', third: P, fixed: [P], element: [] }, // 4.18: encoding, offset, bits
  { name: 'PTR', third: T, fixed: [], element: [] },
  { name: 'ARRAY', third: P, fixed: [T, T, P], element: [] }, // element type, index type, nelems
  { name: 'STRUCT', third: P, fixed: [], element: [S, T, P] }, // name, type, bit offset
  { name: 'UNION', third: P, fixed: [], element: [S, T, P] },
  { name: 'ENUM', third: P, fixed: [], element: [S, P] },
  { name: 'FWD', third: P, fixed: [], element: [] },
  { name: 'TYPEDEF', third: T, fixed: [], element: [] },
  { name: 'VOLATILE', third: T, fixed: [], element: [] },
  { name: 'CONST', third: T, fixed: [], element: [] },
  { name: 'RESTRICT', third: T, fixed: [], element: [] },
  { name: 'FUNC', third: T, fixed: [], element: [] }, // 5.0; vlen is the linkage
  { name: 'FUNC_PROTO', third: T, fixed: [], element: [S, T] },
  { name: 'VAR', third: T, fixed: [P], element: [] }, // 5.2: linkage
  { name: 'DATASEC', third: P, fixed: [], element: [T, P, P] }, // variable, byte offset, size
  { name: 'FLOAT', third: P, fixed: [], element: [] }, // 5.13
  { name: 'DECL_TAG', third: T, fixed: [P], element: [] }, // 5.16: component index
  { name: 'TYPE_TAG', third: T, fixed: [], element: [] }, // 5.17
  { name: 'ENUM64', third: P, fixed: [], element: [S, P, P] }, // 6.0: low and high half
];

/**
 * `info` of `struct btf_type`. Linux 7.2 widened it: vlen bits 0-23, kind 24-30, kind_flag 31; before, vlen was bits
 * 0-15 and kind 24-28, with zeros between. Old files therefore decode the same under the wide layout.
 */
export function infoKind(info: number): number {
  return (info >>> 24) & 0x7f;
}

export function infoVlen(info: number): number {
  return info & 0xffffff;
}

export function infoKindFlag(info: number): boolean {
  return info >>> 31 === 1;
}

/** Elements of a record. FUNC keeps its linkage in vlen, and other kinds without elements may have one that says nothing. */
export function elementCount(kind: number, vlen: number): number {
  return KIND_SHAPES[kind].element.length === 0 ? 0 : vlen;
}

const KIND_BY_NAME = new Map(KIND_SHAPES.map((shape, kind) => [shape.name.toLowerCase(), kind]));

/** The kind of a lower-case name (`struct`, `func`, `enum64` …), or undefined. */
export function kindByName(name: string): number | undefined {
  const kind = KIND_BY_NAME.get(name);
  return kind === 0 ? undefined : kind;
}

/** Lower-case name of a kind, as roots files and reports write it. */
export function kindName(kind: number): string {
  return (KIND_SHAPES[kind]?.name ?? `kind${kind}`).toLowerCase();
}
