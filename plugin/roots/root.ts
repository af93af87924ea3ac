/** Why the kernel needs a type. In order: a type that is reached at the same distance counts for the first. */
export const REASONS = [
  'kfunc',
  'dtor',
  'helper',
  'map',
  'iterator',
  'lsm',
  'fmod_ret',
  'deny-list',
  'ctx',
  'struct_ops',
  'stub',
  'by-name',
  'tag',
  'module',
  'keep',
] as const;

export type Reason = (typeof REASONS)[number];

/** A type that must stay in the base, with the place in the kernel that says so. */
export interface Root {
  /** Type id in the full BTF. */
  readonly id: number;
  readonly reason: Reason;
  /** Who asks for it: a set or list of `.BTF_ids`, a struct_ops, a name in a kernel source file. */
  readonly source: string;
}
