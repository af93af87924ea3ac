import type { ErrorCode } from '../../plugin/errors.js';
import type { ElfPatch } from '../support/elf-patch.js';
import type { KERNELS } from '../support/kernels.js';

/** One damage of a fixture's vmlinux, and the error that it must give. */
export interface Damage {
  readonly what: string;
  /** ARM unless it says otherwise. */
  readonly kernel?: (typeof KERNELS)[number];
  /** Changes the patch, or makes other bytes of it. */
  readonly make: (patch: ElfPatch) => ElfPatch | Uint8Array;
  readonly code: ErrorCode;
  /** What the error must name beside the file. */
  readonly section?: string;
  readonly offset?: 'given';
}

const MIPS = 'mips32-malta-be';
const E_TYPE = 16;
const E_MACHINE = 18;
const FAR = 0x7fff_fff0;
const SHT_PROGBITS = 1;
const SHT_RELA = 4;
const SHT_NOBITS = 8;
const R_MIPS_32 = 2;
const SHF_COMPRESSED = 0x800;

/** Words of the BTF header, in bytes from the start of `.BTF`. */
const HDR_LEN = 4;
const TYPE_OFF = 8;
const TYPE_LEN = 12;
const STR_OFF = 16;
const STR_LEN = 20;

const btf = (patch: ElfPatch): number => patch.section('.BTF').offset;
/** The first set8 of kfuncs with more than one id: count, flags, then id and flags of each. */
const kfuncSet = (patch: ElfPatch): number =>
  patch.offsetOf(patch.symbol('__BTF_ID__set8__bpf_tcp_ca_check_kfunc_ids').value);
const firstId = (patch: ElfPatch): number => kfuncSet(patch) + 8;
/** `struct bpf_struct_ops` of tcp_congestion_ops, and its cfi_stubs member: found by value, for its offset is the BTF's. */
function stubsMember(patch: ElfPatch): number {
  const start = patch.offsetOf(patch.symbol('bpf_tcp_congestion_ops').value);
  const stubs = Number(patch.symbol('__bpf_ops_tcp_congestion_ops').value);
  for (let at = start; ; at += 4) if (patch.word(at) === stubs) return at;
}

function stubsAddress(patch: ElfPatch): number {
  const { value } = patch.symbol('bpf_tcp_congestion_ops');
  return Number(value) + stubsMember(patch) - patch.offsetOf(value);
}

const files: readonly Damage[] = [
  { what: 'an empty file', make: () => new Uint8Array(0), code: 'elf-not' },
  { what: 'a text', make: () => Buffer.from('This is the kernel.\n'), code: 'elf-not' },
  { what: 'half of the magic', make: p => p.bytes.subarray(0, 2), code: 'elf-not' },
  { what: 'nothing but the identity', make: p => p.bytes.subarray(0, 16), code: 'file-truncated' },
  { what: 'the first page', make: p => p.bytes.subarray(0, 4096), code: 'file-truncated' },
  { what: 'the first half', make: p => p.bytes.subarray(0, p.bytes.length >> 1), code: 'file-truncated' },
  { what: 'all but the last byte', make: p => p.bytes.subarray(0, -1), code: 'file-truncated' },
  {
    what: 'bare BTF without roots',
    make: p => p.bytes.subarray(btf(p), btf(p) + p.section('.BTF').size),
    code: 'elf-kind',
  },
  { what: 'a 64-bit class', make: p => p.u8(4, 2), code: 'elf-header' },
  { what: 'the other byte order', make: p => p.u8(5, 2), code: 'elf-header' },
  ...(
    [
      ['x86', 3],
      ['68k', 4],
      ['powerpc', 20],
      ['x86-64', 62],
      ['arm64', 183],
    ] as const
  ).map(([name, machine]) => ({
    what: `a kernel of ${name}`,
    make: (p: ElfPatch) => p.u16(E_MACHINE, machine),
    code: 'arch-unsupported' as const,
    offset: 'given' as const,
  })),
  { what: 'a kernel of s390', kernel: MIPS, make: p => p.u16(E_MACHINE, 22), code: 'arch-unsupported' },
  { what: 'an ET_REL file', make: p => p.u16(E_TYPE, 1), code: 'elf-kind' },
  { what: 'a relocatable kernel without relocations', make: p => p.u16(E_TYPE, 3), code: 'relocations-missing' },
  { what: 'a core dump', make: p => p.u16(E_TYPE, 4), code: 'elf-kind' },
];

const sections: readonly Damage[] = [
  {
    what: 'code that claims to be relocations',
    make: p => p.header('__modver', 'type', SHT_RELA),
    code: 'elf-relocations',
    section: '__modver',
    offset: 'given',
  },
  {
    what: 'half a relocation',
    kernel: MIPS,
    make: p => p.header('.rel.dyn', 'size', p.headerField('.rel.dyn', 'size') - 4),
    code: 'elf-relocations',
    section: '.rel.dyn',
    offset: 'given',
  },
  {
    what: 'relocations beyond the end',
    kernel: MIPS,
    make: p => p.header('.rel.dyn', 'size', FAR),
    code: 'file-truncated',
    section: '.rel.dyn',
    offset: 'given',
  },
  {
    what: 'a relocation of another kind over the table of stubs',
    kernel: MIPS,
    make: p => p.data('.rel.dyn', 0, stubsAddress(p)).data('.rel.dyn', 4, R_MIPS_32),
    code: 'elf-relocations',
  },
  { what: 'no symbol table', make: p => p.header('.symtab', 'type', SHT_PROGBITS), code: 'elf-symbols-missing' },
  { what: 'a symbol table of odd entries', make: p => p.header('.symtab', 'entsize', 17), code: 'elf-symbols' },
  { what: 'a symbol table cut within a symbol', make: p => p.header('.symtab', 'size', 20), code: 'elf-symbols' },
  {
    what: 'symbol names in no table',
    make: p => p.header('.symtab', 'link', 1),
    code: 'elf-symbols',
    section: '.symtab',
  },
  {
    what: 'symbol names cut short',
    make: p => p.header('.strtab', 'size', p.headerField('.strtab', 'size') - 1),
    code: 'elf-symbols',
    section: '.strtab',
  },
  {
    what: 'a .BTF beyond the end',
    make: p => p.header('.BTF', 'offset', FAR),
    code: 'file-truncated',
    section: '.BTF',
    offset: 'given',
  },
  {
    what: 'a .BTF longer than the file',
    make: p => p.header('.BTF', 'size', 0x0f00_0000),
    code: 'file-truncated',
    section: '.BTF',
  },
  { what: 'a .BTF larger than any', make: p => p.header('.BTF', 'size', FAR), code: 'btf-limit', section: '.BTF' },
  { what: 'an empty .BTF', make: p => p.header('.BTF', 'size', 0), code: 'btf-missing' },
  { what: 'a .BTF of 3 bytes', make: p => p.header('.BTF', 'size', 3), code: 'btf-header', section: '.BTF' },
  {
    what: 'a .BTF that starts too late',
    make: p => p.header('.BTF', 'offset', btf(p) + 4),
    code: 'btf-header',
    section: '.BTF',
  },
  {
    what: 'a .BTF without bytes',
    make: p => p.header('.BTF', 'type', SHT_NOBITS),
    code: 'elf-sections',
    section: '.BTF',
  },
  {
    what: 'a compressed .BTF',
    make: p => p.header('.BTF', 'flags', SHF_COMPRESSED),
    code: 'elf-sections',
    section: '.BTF',
  },
  {
    what: 'two sections of one name',
    make: p => p.header('__modver', 'name', p.headerField('.BTF', 'name')),
    code: 'elf-section-twice',
    section: '.BTF',
  },
  { what: 'no .BTF', make: p => p.header('.BTF', 'name', p.headerField('.data', 'name') + 1), code: 'btf-missing' },
  { what: 'no .BTF_ids', make: p => p.header('.BTF_ids', 'name', p.headerField('.data', 'name') + 1), code: 'btf-ids' },
  {
    what: 'a .BTF_ids beyond the end',
    make: p => p.header('.BTF_ids', 'offset', FAR),
    code: 'file-truncated',
    section: '.BTF_ids',
  },
];

const types: readonly Damage[] = (
  [
    { what: 'another magic', make: p => p.u8(btf(p), 0), code: 'btf-header' },
    { what: 'the magic of the other byte order', make: p => p.u16(btf(p), 0x9feb), code: 'btf-header' },
    { what: 'another version', make: p => p.u8(btf(p) + 2, 9), code: 'btf-header' },
    { what: 'a header of 8 bytes', make: p => p.data('.BTF', HDR_LEN, 8), code: 'btf-header' },
    { what: 'a header longer than the section', make: p => p.data('.BTF', HDR_LEN, FAR), code: 'btf-header' },
    { what: 'types beyond the section', make: p => p.data('.BTF', TYPE_OFF, FAR & ~3), code: 'btf-header' },
    { what: 'more types than bytes', make: p => p.data('.BTF', TYPE_LEN, FAR & ~3), code: 'btf-header' },
    { what: 'a gap between types and strings', make: p => p.data('.BTF', TYPE_LEN, 20), code: 'btf-header' },
    { what: 'strings beyond the section', make: p => p.data('.BTF', STR_OFF, FAR), code: 'btf-header' },
    { what: 'more strings than bytes', make: p => p.data('.BTF', STR_LEN, FAR), code: 'btf-header' },
    { what: 'strings that do not end', make: p => p.data('.BTF', -4, 0x41414141), code: 'btf-strings' },
    { what: 'an unknown kind', make: p => p.data('.BTF', 28, 0x1e00_0000), code: 'btf-kind' },
    { what: 'a reference to no type', make: p => badReference(p), code: 'btf-reference' },
    { what: 'a name outside the strings', make: p => p.data('.BTF', 24, FAR), code: 'btf-reference' },
  ] satisfies readonly Damage[]
).map(damage => ({ ...damage, what: `BTF: ${damage.what}`, section: '.BTF', offset: 'given' }));

/** The first type of a Linux BTF is an int; the first pointer's type comes soon after. */
function badReference(patch: ElfPatch): ElfPatch {
  const start = btf(patch) + 24;
  for (let at = start; ; at += 4)
    if (patch.word(at) === 0 && patch.word(at + 4) === 0x0200_0000) return patch.u32(at + 8, 0x00ff_ffff);
}

const ids: readonly Damage[] = (
  [
    { what: 'a set that counts one more', make: p => p.u32(kfuncSet(p), p.word(kfuncSet(p)) + 1) },
    { what: 'a set that counts billions', make: p => p.u32(kfuncSet(p), 0xffff_ffff) },
    { what: 'an id of no type', make: p => p.u32(firstId(p), 0x00ff_ffff) },
    { what: 'the id of another type', make: p => p.u32(firstId(p), 1) },
    {
      what: 'a set out of order',
      make: p => {
        const [first, second] = [p.word(firstId(p)), p.word(firstId(p) + 8)];
        return p.u32(firstId(p), second).u32(firstId(p) + 8, first);
      },
    },
    {
      what: 'a list with the id of another type',
      make: p => p.u32(p.offsetOf(p.symbolLike(/^__BTF_ID__struct__/).value), 1),
    },
    { what: 'a set without a size', make: p => p.symbolField(p.symbolLike(/^__BTF_ID__set8__/), 'size', 0) },
    {
      what: 'a set larger than the section',
      make: p => p.symbolField(p.symbolLike(/^__BTF_ID__set__/), 'size', 0x10000),
    },
    {
      what: 'a symbol at an odd address',
      make: p => p.symbolField(p.symbolLike(/^__BTF_ID__func__/), 'value', Number(p.section('.BTF_ids').addr) + 2),
    },
    {
      what: 'a symbol of an unknown form',
      make: p => p.symbolName(p.symbolLike(/^__BTF_ID__struct__/), '__BTF_ID__blob'),
    },
  ] as const satisfies readonly Pick<Damage, 'what' | 'make'>[]
).map(damage => ({
  ...damage,
  what: `.BTF_ids: ${damage.what}`,
  code: 'btf-ids',
  section: '.BTF_ids',
  offset: 'given',
}));

const kernel: readonly Damage[] = [
  { what: 'struct_ops: no stubs', make: p => p.u32(stubsMember(p), 0), code: 'struct-ops', offset: 'given' },
  { what: 'struct_ops: stubs at a wild address', make: p => p.u32(stubsMember(p), 0x10), code: 'elf-address' },
  {
    what: 'struct_ops: a stub that meets no symbol',
    make: p => {
      const table = p.offsetOf(p.symbol('__bpf_ops_tcp_congestion_ops').value);
      let at = table;
      while (p.word(at) === 0) at += 4;
      return p.u32(at, p.word(at) + 2);
    },
    code: 'struct-ops',
    offset: 'given',
  },
  {
    what: 'struct_ops: a table of nulls',
    make: p => {
      const { value, size } = p.symbol('__bpf_ops_tcp_congestion_ops');
      const table = p.offsetOf(value);
      p.bytes.fill(0, table, table + size);
      return p;
    },
    code: 'struct-ops',
    offset: 'given',
  },
  {
    what: 'struct_ops: a variable without its name',
    make: p => {
      const { value, size } = p.symbol('bpf_tcp_congestion_ops');
      const start = p.offsetOf(value);
      p.bytes.fill(0, start, start + size);
      return p;
    },
    code: 'struct-ops',
  },
  { what: 'no vermagic', make: p => p.symbolName(p.symbol('vermagic'), 'x'), code: 'vermagic' },
  {
    what: 'no CRC of module_layout',
    kernel: MIPS,
    make: p => p.symbolName(p.symbol('__crc_module_layout'), '_x'),
    code: 'modversions',
  },
];

export const DAMAGES: readonly Damage[] = [...files, ...sections, ...types, ...ids, ...kernel];
