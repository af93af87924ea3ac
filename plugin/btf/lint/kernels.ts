/** Where the rules of one kernel series differ from those of the next: include/uapi/linux/btf.h, kernel/bpf/btf.c. */
export interface KernelRules {
  /** `major.minor` of the series that the rules were read from, `6.12-7.2` for one between two, `any` for one that is not known. */
  readonly version: string;
  /** Any printable character in the name of a DATASEC (btf_name_valid_section), not only those of identifiers. */
  readonly printableSections: boolean;
  /** kind_flag on DECL_TAG and TYPE_TAG (btf_decl_tag_check_meta, btf_ref_type_check_meta). */
  readonly flaggedTags: boolean;
  /** TYPE_TAGs anywhere in a chain of modifiers (btf_check_modifier_chain_length took the place of btf_check_type_tags). */
  readonly tagsAnywhere: boolean;
  /** `vlen` of 24 bits; before, bits 16 to 23 of `info` had to be 0 (BTF_INFO_MASK). */
  readonly wideVlen: boolean;
  /** A header of 32 bytes whose last two words place the section that describes kinds (btf_parse_layout_sec). */
  readonly layout: boolean;
  /** Look-ups in vmlinux's BTF trust that its types are sorted by name (btf_check_sorted). */
  readonly sorted: boolean;
}

const STRICT: KernelRules = {
  version: '6.1',
  printableSections: false,
  flaggedTags: false,
  tagsAnywhere: false,
  wideVlen: false,
  layout: false,
  sorted: false,
};

const LENIENT: KernelRules = {
  version: 'any',
  printableSections: true,
  flaggedTags: true,
  tagsAnywhere: true,
  wideVlen: true,
  layout: true,
  sorted: false,
};

/** The series whose source the rules were read from, oldest first. */
export const KERNELS: readonly KernelRules[] = [
  STRICT,
  { ...STRICT, version: '6.6' },
  { ...STRICT, version: '6.12', printableSections: true },
  { ...LENIENT, version: '7.2', sorted: true },
];

/** What every known kernel refuses, and nothing else: the rules for a BTF of which nobody knows the kernel. */
export const ANY_KERNEL = LENIENT;

/**
 * The rules for a version such as `6.12`, `6.12.117` or `6.12.117-1-amd64`. A series between two known ones has the rules that both
 * have: a finding is one that its kernel surely has too. Undefined for what is no version, or older than all that are known.
 */
export function kernelRules(version: string): KernelRules | undefined {
  const wanted = versionNumber(version);
  if (wanted === undefined) return undefined;
  const nth = KERNELS.findLastIndex(kernel => (versionNumber(kernel.version) ?? 0) <= wanted);
  if (nth < 0) return undefined;
  const older = KERNELS[nth];
  const newer = KERNELS[nth + 1];
  return newer === undefined || versionNumber(older.version) === wanted ? older : between(older, newer);
}

function between(older: KernelRules, newer: KernelRules): KernelRules {
  return {
    version: `${older.version}-${newer.version}`,
    printableSections: older.printableSections || newer.printableSections,
    flaggedTags: older.flaggedTags || newer.flaggedTags,
    tagsAnywhere: older.tagsAnywhere || newer.tagsAnywhere,
    wideVlen: older.wideVlen || newer.wideVlen,
    layout: older.layout || newer.layout,
    sorted: older.sorted && newer.sorted,
  };
}

/** Major and minor as one number that compares as versions do. */
function versionNumber(version: string): number | undefined {
  const match = /^(\d{1,3})\.(\d{1,4})(?!\d)/.exec(version);
  return match === null ? undefined : Number(match[1]) * 10_000 + Number(match[2]);
}
