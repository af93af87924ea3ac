/** `error`: the kernel refuses the BTF, or trusts what is not so. `warning`: it only refuses the same from a BPF program. */
export type Level = 'error' | 'warning';

export interface Rule {
  /** What holds, as a sentence of the documentation. */
  readonly rule: string;
  /** What is wrong with one type; `a` and `b`: the numbers that the check hands over. */
  readonly why: (a: number, b: number) => string;
  /** Kernel file and function that the rule is read from. */
  readonly source: string;
  /** Only what a BPF program brings along is held to it; the kernel takes its own BTF without a look. */
  readonly programsOnly?: true;
}

const BTF_C = (name: string): string => `kernel/bpf/btf.c:${name}`;

/**
 * Every rule that a BTF on its own can break. Those of sections that overlap, of kinds that nobody knows and of references that
 * lead out of the BTF are checked before, when it is read, and end with a coded error.
 */
export const RULES = {
  'header-flags': {
    rule: 'the flags of the header are 0',
    why: flags => `flags 0x${flags.toString(16)}`,
    source: BTF_C('btf_parse_hdr'),
  },
  'header-length': {
    rule: 'bytes of the header that the kernel does not know are 0: before 7.2 that is all behind the 24th',
    why: length => `a header of ${length} bytes that places a section describing kinds`,
    source: BTF_C('btf_parse_hdr'),
  },
  'section-place': {
    rule: 'sections follow each other without gap or overlap, empty ones too',
    why: (at, end) => `a section at ${at}, the one before ends at ${end}`,
    source: BTF_C('btf_check_sec_info'),
  },
  'strings-last': {
    rule: 'the strings end where the data ends; from 7.2 on, only under a header of 24 bytes',
    why: (end, size) => `they end at ${end} of ${size} bytes`,
    source: BTF_C('btf_parse_str_sec'),
  },
  'layout-size': {
    rule: 'the section that describes kinds is a whole number of 4-byte entries at a multiple of 4',
    why: (at, length) => `${length} bytes at ${at}`,
    source: BTF_C('btf_parse_layout_sec'),
    programsOnly: true,
  },
  'no-types': {
    rule: 'a BTF without a base has types (an own one without is taken, and nothing is found in it)',
    why: () => 'none',
    source: BTF_C('btf_parse_type_sec'),
  },
  'types-limit': {
    rule: 'ids stay below 1,048,575 (BTF_MAX_TYPE)',
    why: last => `the last id is ${last}; the kernel drops what is behind its limit`,
    source: BTF_C('btf_add_type'),
  },
  'strings-limit': {
    rule: 'the strings take at most 16 MiB, those of the base counted where their offsets are (BTF_MAX_NAME_OFFSET)',
    why: bytes => `${bytes} bytes`,
    source: BTF_C('btf_parse_str_sec, btf_name_offset_valid'),
  },
  'info-bits': {
    rule: 'before 7.2, bits 16 to 23 of info are 0: a vlen is below 65,536',
    why: info => `info 0x${info.toString(16)}`,
    source: BTF_C('btf_check_meta'),
  },
  'kind-flag': {
    rule: 'only STRUCT, UNION, ENUM, ENUM64 and FWD have a kind_flag; from 7.2 on DECL_TAG and TYPE_TAG too',
    why: () => 'kind_flag is set',
    source: BTF_C('*_check_meta'),
  },
  vlen: {
    rule: 'vlen is 0 for kinds without elements',
    why: vlen => `vlen ${vlen}`,
    source: BTF_C('*_check_meta'),
  },
  name: {
    rule: 'a name is an identifier: letters (Latin-1 ones count), digits, _ and ., no digit first, at most 512 bytes; kinds that need a name have one',
    why: offset => (offset === 0 ? 'no name' : `no identifier, at string offset ${offset}`),
    source: BTF_C('btf_name_valid_identifier, *_check_meta'),
  },
  'no-name': {
    rule: 'PTR, ARRAY, VOLATILE, CONST, RESTRICT and FUNC_PROTO have no name',
    why: offset => `a name at string offset ${offset}`,
    source: BTF_C('btf_ref_type_check_meta, btf_array_check_meta, btf_func_proto_check_meta'),
  },
  'section-name': {
    rule: 'a DATASEC has a name: an identifier, from 6.12 on any printable characters, at most 512 bytes',
    why: offset => (offset === 0 ? 'no name' : `not printable or too long, at string offset ${offset}`),
    source: BTF_C('btf_name_valid_section'),
  },
  'tag-value': {
    rule: 'DECL_TAG and TYPE_TAG have a value',
    why: () => 'an empty one',
    source: BTF_C('btf_decl_tag_check_meta, btf_ref_type_check_meta'),
  },
  'member-name': {
    rule: 'a member has no name or an identifier, a value of an enumeration has an identifier',
    why: (nth, offset) => `element ${nth}: ${offset === 0 ? 'no name' : `no identifier, at string offset ${offset}`}`,
    source: BTF_C('btf_struct_check_meta, btf_enum_check_meta, btf_enum64_check_meta'),
  },
  'int-data': {
    rule: 'the upper four bits of the data of an INT are 0',
    why: data => `0x${data.toString(16)}`,
    source: BTF_C('btf_int_check_meta'),
  },
  'int-bits': {
    rule: 'offset and bits of an INT are at most 128 bits and no more than its size',
    why: (bits, size) => `${bits} bits in ${size} bytes`,
    source: BTF_C('btf_int_check_meta'),
  },
  'int-encoding': {
    rule: 'an INT is signed, char or bool, or none of them',
    why: encoding => `encoding ${encoding}`,
    source: BTF_C('btf_int_check_meta'),
  },
  'void-type': {
    rule: 'members, elements and indexes of arrays, variables and entries of a DATASEC are not void',
    why: nth => `element ${nth} is void`,
    source: BTF_C('btf_struct_check_meta, btf_array_check_meta, btf_var_check_meta, btf_datasec_check_meta'),
  },
  'array-size': {
    rule: 'the size field of an ARRAY is 0',
    why: size => `size ${size}`,
    source: BTF_C('btf_array_check_meta'),
  },
  'member-offset': {
    rule: 'members of a STRUCT come in order of their offset and start within it, those of a UNION at 0',
    why: (nth, bits) => `element ${nth} at bit ${bits}`,
    source: BTF_C('btf_struct_check_meta'),
  },
  'enum-size': {
    rule: 'an ENUM or ENUM64 has 1, 2, 4 or 8 bytes',
    why: size => `${size} bytes`,
    source: BTF_C('btf_enum_check_meta, btf_enum64_check_meta'),
  },
  'fwd-type': {
    rule: 'the type field of a FWD is 0',
    why: type => `type ${type}`,
    source: BTF_C('btf_fwd_check_meta'),
  },
  'func-linkage': {
    rule: 'a FUNC is static or global',
    why: linkage => `linkage ${linkage}`,
    source: BTF_C('btf_func_check_meta'),
  },
  'var-linkage': {
    rule: 'a VAR is static or global',
    why: linkage => `linkage ${linkage}`,
    source: BTF_C('btf_var_check_meta'),
  },
  'datasec-size': {
    rule: 'a DATASEC has a size',
    why: () => 'size 0',
    source: BTF_C('btf_datasec_check_meta'),
  },
  'datasec-order': {
    rule: 'variables of a DATASEC come in order, do not overlap, have a size, and end within it',
    why: (nth, offset) => `element ${nth} at byte ${offset}`,
    source: BTF_C('btf_datasec_check_meta'),
  },
  'float-size': {
    rule: 'a FLOAT has 2, 4, 8, 12 or 16 bytes',
    why: size => `${size} bytes`,
    source: BTF_C('btf_float_check_meta'),
  },
  'tag-component': {
    rule: 'the component of a DECL_TAG is -1 or counts up from 0',
    why: index => `component ${index}`,
    source: BTF_C('btf_decl_tag_check_meta'),
  },
  'modifier-chain': {
    rule: 'a chain of typedefs, qualifiers and type tags ends after at most 32 types',
    why: () => 'it is longer, or leads to itself',
    source: BTF_C('btf_check_type_tags; btf_check_modifier_chain_length from 7.2 on'),
  },
  'tag-order': {
    rule: 'before 7.2, no TYPE_TAG comes behind a typedef or qualifier of its chain',
    why: tag => `TYPE_TAG ${tag} does`,
    source: BTF_C('btf_check_type_tags'),
  },
  sorted: {
    rule: 'from 7.2 on, the types of vmlinux are sorted by name, anonymous ones first: look-ups trust it',
    why: before => `its name sorts before that of type ${before}`,
    source: BTF_C('btf_check_sorted, btf_find_by_name_kind'),
  },
  loop: {
    rule: 'no type contains itself, and no pointers lead only to each other',
    why: to => `it leads to itself through type ${to}`,
    source: BTF_C('env_stack_push, btf_resolve'),
    programsOnly: true,
  },
  depth: {
    rule: 'what a type contains is at most 32 types deep (MAX_RESOLVE_DEPTH)',
    why: to => `type ${to} is deeper`,
    source: BTF_C('env_stack_push, btf_resolve'),
    programsOnly: true,
  },
  target: {
    rule: 'PTR, modifiers and VAR refer to a type, not to a VAR, DATASEC, DECL_TAG or FUNC; a VAR has a size',
    why: to => `type ${to}`,
    source: BTF_C('btf_modifier_resolve, btf_ptr_resolve, btf_var_resolve'),
    programsOnly: true,
  },
  'array-index': {
    rule: 'the index of an ARRAY is a whole integer of 1, 2, 4, 8 or 16 bytes',
    why: to => `type ${to}`,
    source: BTF_C('btf_array_resolve'),
    programsOnly: true,
  },
  'array-element': {
    rule: 'the elements of an ARRAY have a size, are no odd integers, and fit into 4 GiB',
    why: (to, count) => `${count} of type ${to}`,
    source: BTF_C('btf_array_resolve'),
    programsOnly: true,
  },
  member: {
    rule: 'a member has a type with a size, lies within its STRUCT or UNION, and starts at a whole byte unless it is a bit field of an integer or enumeration',
    why: (nth, to) => `element ${nth} of type ${to}`,
    source: BTF_C('btf_struct_resolve, *_check_member, *_check_kflag_member'),
    programsOnly: true,
  },
  'func-proto': {
    rule: 'a FUNC refers to a FUNC_PROTO whose parameters have names',
    why: to => `type ${to}`,
    source: BTF_C('btf_func_check'),
    programsOnly: true,
  },
  parameter: {
    rule: 'what a FUNC_PROTO takes and returns has a size; names are identifiers; varargs come last and have none',
    why: nth => (nth === 0 ? 'what it returns' : `parameter ${nth}`),
    source: BTF_C('btf_func_proto_check'),
    programsOnly: true,
  },
  'datasec-variable': {
    rule: 'a DATASEC lists variables and gives each at least its size',
    why: (nth, to) => `element ${nth}, type ${to}`,
    source: BTF_C('btf_datasec_resolve'),
    programsOnly: true,
  },
  'tag-target': {
    rule: 'a DECL_TAG is on a STRUCT, UNION, FUNC, VAR or TYPEDEF, and its component is a member or parameter of it',
    why: (to, component) => `component ${component | 0} of type ${to}`,
    source: BTF_C('btf_decl_tag_resolve'),
    programsOnly: true,
  },
} as const satisfies Record<string, Rule>;

export type RuleId = keyof typeof RULES;
