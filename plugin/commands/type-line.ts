import type { Btf } from '../btf/btf.js';
import { kindName } from '../btf/kinds.js';
import { printable } from '../printable.js';

/** A type as commands name it. */
export interface Step {
  readonly id: number;
  readonly kind: string;
  readonly name: string;
}

export function step(btf: Btf, id: number): Step {
  return { id, kind: kindName(btf.kind(id)), name: btf.name(id) };
}

export function title({ id, kind, name }: Step): string {
  return `[${id}] ${kind} ${name === '' ? '(anonymous)' : printable(name)}`;
}
