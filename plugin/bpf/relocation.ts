/** Kinds of CO-RE relocations: BPF_CORE_* of include/uapi/linux/bpf.h. */
export const FIELD_BYTE_OFFSET = 0;
export const FIELD_BYTE_SIZE = 1;
export const FIELD_EXISTS = 2;
export const FIELD_SIGNED = 3;
export const FIELD_LSHIFT_U64 = 4;
export const FIELD_RSHIFT_U64 = 5;
export const TYPE_ID_LOCAL = 6;
export const TYPE_ID_TARGET = 7;
export const TYPE_SIZE = 9;
export const ENUMVAL_EXISTS = 10;
export const ENUMVAL_VALUE = 11;
export const TYPE_MATCHES = 12;

const NAMES = [
  'byte_off',
  'byte_sz',
  'field_exists',
  'signed',
  'lshift_u64',
  'rshift_u64',
  'local_type_id',
  'target_type_id',
  'type_exists',
  'type_size',
  'enumval_exists',
  'enumval_value',
  'type_matches',
] as const;

/** libbpf's name of a kind (core_relo_kind_str). */
export function relocationName(kind: number): string {
  return NAMES[kind] ?? `kind ${kind}`;
}

export function isFieldBased(kind: number): boolean {
  return kind <= FIELD_RSHIFT_U64;
}

export function isTypeBased(kind: number): boolean {
  return (kind >= TYPE_ID_LOCAL && kind <= TYPE_SIZE) || kind === TYPE_MATCHES;
}

export function isEnumBased(kind: number): boolean {
  return kind === ENUMVAL_EXISTS || kind === ENUMVAL_VALUE;
}

/**
 * Whether a program asks and goes on with the answer "no" (or 0): the others poison their instruction when the kernel
 * lacks what they name.
 */
export function isQuestion(kind: number): boolean {
  return isTypeBased(kind) || kind === FIELD_EXISTS || kind === ENUMVAL_EXISTS;
}
