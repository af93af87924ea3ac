import { KIND_FUNC, KIND_TYPEDEF } from '../btf/kinds.js';

/** A type of the kernel that a program's section name asks for. */
export interface AttachTarget {
  /** Of the section, without `.s`: `fentry`, `tp_btf` … */
  readonly program: string;
  readonly kind: number;
  readonly name: string;
  /** The module that a section such as `fentry/nf_nat:nf_nat_setup_info` names; its BTF is where libbpf looks. */
  readonly module: string | undefined;
  /** `SEC("?…")`: loaded only when the loader asks for it. */
  readonly optional: boolean;
  /** Whether it is found as well where it is in the rest and vmlinux_btf.ko is loaded. */
  readonly inRest: boolean;
}

interface ProgramKind {
  readonly kind: number;
  readonly prefix: string;
  readonly inRest: boolean;
}

/**
 * Sections whose programs attach by BTF (libbpf's section_defs with SEC_ATTACH_BTF), and what the kernel and libbpf
 * look for (btf_get_kernel_prefix_kind). `freplace` attaches to another program, `struct_ops` through its map.
 *
 * A FUNC of a module's BTF is looked up among that module's symbols, so fentry and its like, and LSM hooks, must be in
 * the base. A tracepoint's typedef in the rest loads, with pointers that may be null.
 */
const PROGRAM_KINDS: ReadonlyMap<string, ProgramKind> = new Map([
  ['tp_btf', { kind: KIND_TYPEDEF, prefix: 'btf_trace_', inRest: true }],
  ['fentry', { kind: KIND_FUNC, prefix: '', inRest: false }],
  ['fexit', { kind: KIND_FUNC, prefix: '', inRest: false }],
  ['fmod_ret', { kind: KIND_FUNC, prefix: '', inRest: false }],
  ['fsession', { kind: KIND_FUNC, prefix: '', inRest: false }],
  ['lsm', { kind: KIND_FUNC, prefix: 'bpf_lsm_', inRest: false }],
  ['lsm_cgroup', { kind: KIND_FUNC, prefix: 'bpf_lsm_', inRest: false }],
  ['iter', { kind: KIND_FUNC, prefix: 'bpf_iter_', inRest: true }],
]);

/**
 * What the programs of a section attach to by BTF; undefined for sections that need none. An empty `name` means that
 * the loader sets the target (`SEC("fentry")`).
 */
export function attachTarget(section: string): AttachTarget | undefined {
  const optional = section.startsWith('?');
  const name = optional ? section.slice(1) : section;
  const slash = name.indexOf('/');
  const program = (slash < 0 ? name : name.slice(0, slash)).replace(/\.s$/, '');
  const known = PROGRAM_KINDS.get(program);
  if (known === undefined) return undefined;
  const target = slash < 0 ? '' : name.slice(slash + 1);
  const colon = target.indexOf(':');
  const named = colon < 0 ? undefined : target.slice(0, colon);
  const attached = target.slice(colon + 1);
  return {
    program,
    kind: known.kind,
    name: attached === '' ? '' : `${known.prefix}${attached}`,
    module: named === 'vmlinux' ? undefined : named,
    optional,
    inRest: known.inRest,
  };
}
