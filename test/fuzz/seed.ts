import type { Field } from './field.js';
import { fieldsOf } from './fields.js';

/** A valid input that mutations start from: the files of which a target reads one or more. */
export interface Seed {
  readonly name: string;
  readonly parts: readonly Uint8Array[];
}

/** The fields of one part, by group. */
export type Groups = ReadonlyMap<string, readonly Field[]>;

const known = new WeakMap<Uint8Array, Groups>();

/** Found once a part. */
export function groupsOf(part: Uint8Array): Groups {
  const found = known.get(part);
  if (found !== undefined) return found;
  const groups = new Map<string, Field[]>();
  for (const field of fieldsOf(part)) {
    const group = groups.get(field.group);
    if (group === undefined) groups.set(field.group, [field]);
    else group.push(field);
  }
  known.set(part, groups);
  return groups;
}

/** Printable from its first byte to its last: a roots file, JSON. */
export function isText(bytes: Uint8Array): boolean {
  return bytes.length > 0 && bytes.every(byte => byte === 10 || (byte >= 32 && byte < 127));
}
