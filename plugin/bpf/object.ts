import { Btf } from '../btf/btf.js';
import { HEAD_WORDS, KIND_DATASEC, KIND_FUNC, KIND_STRUCT, KIND_VAR } from '../btf/kinds.js';
import { typesWithPrefix } from '../btf/names.js';
import { skipModifiers } from '../btf/resolve.js';
import type { ByteSource } from '../bytes/source.js';
import { EM_BPF, ET_REL, SHF_EXECINSTR, STB_WEAK } from '../elf/constants.js';
import { ElfFile, type ElfSection } from '../elf/file.js';
import { SymbolTable } from '../elf/symbols.js';
import { CodedError } from '../errors.js';
import { BTF_EXT_SECTION, type RelocationGroup, readBtfExt } from './btf-ext.js';
import { typeName } from './text.js';

const BTF_SECTION = '.BTF';
const KSYMS_SECTION = '.ksyms';
const STRUCT_OPS_SECTIONS = ['.struct_ops', '.struct_ops.link', '?.struct_ops', '?.struct_ops.link'] as const;
/** Far more than any program has; more is never read into memory. */
const MAX_SECTION_BYTES = 16 << 20;
/** FUNC and VAR linkage of what somebody else defines (BTF_FUNC_EXTERN, BTF_VAR_GLOBAL_EXTERN). */
const LINKAGE_EXTERN = 2;

/** A kfunc or a typed kernel variable that a program refers to. */
export interface Extern {
  /** KIND_FUNC or KIND_VAR. */
  readonly kind: number;
  readonly name: string;
  /** What the program declares: a FUNC_PROTO, or the type of the variable, modifiers skipped. */
  readonly typeId: number;
  /** A weak one may be absent. */
  readonly weak: boolean;
}

/** A struct_ops map: an instance of an operations struct. */
export interface StructOpsMap {
  /** Name of the struct as the program declares it. */
  readonly type: string;
  readonly variable: string;
  readonly optional: boolean;
}

/** What a compiled BPF program says about the kernel it wants. */
export interface BpfObject {
  readonly file: string;
  readonly btf: Btf;
  readonly relocations: readonly RelocationGroup[];
  /** Names of the sections with instructions. */
  readonly programs: readonly string[];
  readonly externs: readonly Extern[];
  readonly structOps: readonly StructOpsMap[];
}

/**
 * Reads an object that clang made for BPF, of either byte order. Throws `bpf-object` for anything else, `btf-missing`
 * without -g, `btf-ext`, and what ELF and BTF readers throw.
 */
export function readBpfObject(source: ByteSource): BpfObject {
  const file = source.name;
  if (!ElfFile.isElf(source)) throw new CodedError('bpf-object', 'no ELF file', { file, offset: 0 });
  const elf = ElfFile.open(source);
  const { type, machine, order } = elf.header;
  if (type !== ET_REL || machine !== EM_BPF)
    throw new CodedError('bpf-object', `e_type ${type}, e_machine ${machine}`, { file });
  const section = elf.find(BTF_SECTION);
  if (section === undefined || section.size === 0)
    throw new CodedError('btf-missing', 'the object has none; compile it with -g', { file });
  const btf = Btf.decode(limited(elf, section));
  if (btf.order !== order)
    throw new CodedError('btf-header', `${btf.order}-endian BTF in a ${order}-endian file`, {
      file,
      section: BTF_SECTION,
      offset: 0,
    });
  const ext = elf.find(BTF_EXT_SECTION);
  return {
    file,
    btf,
    relocations: ext === undefined || ext.size === 0 ? [] : readBtfExt(limited(elf, ext), btf, order),
    programs: elf.sections
      .filter(({ flags, size }) => (flags & SHF_EXECINSTR) !== 0 && size > 0)
      .map(({ name }) => name),
    externs: readExterns(elf, btf),
    structOps: readStructOpsMaps(btf),
  };
}

function limited(elf: ElfFile, section: ElfSection): Uint8Array {
  if (section.size > MAX_SECTION_BYTES)
    throw new CodedError('bpf-object', `${section.size} bytes of ${section.name}`, {
      file: elf.source.name,
      section: section.name,
    });
  return elf.data(section);
}

/** The types that the DATASECs of a name list. */
function datasecEntries(btf: Btf, section: string): number[] {
  return typesWithPrefix(btf, KIND_DATASEC, `${section}\0`).flatMap(datasec => {
    const first = btf.start(datasec) + HEAD_WORDS;
    return Array.from({ length: btf.vlen(datasec) }, (_, i) => btf.words[first + i * 3]);
  });
}

/**
 * `.ksyms`, without variables of type void: those are looked up in kallsyms. `.kconfig` is no matter of types
 * (bpf_object__collect_externs of libbpf).
 */
function readExterns(elf: ElfFile, btf: Btf): Extern[] {
  const entries = [...new Set(datasecEntries(btf, KSYMS_SECTION))];
  if (entries.length === 0) return [];
  const weak = weakSymbols(elf);
  return entries.flatMap(id => {
    const kind = id === 0 ? 0 : btf.kind(id);
    if (kind !== KIND_FUNC && kind !== KIND_VAR) return [];
    const linkage = kind === KIND_FUNC ? btf.vlen(id) : btf.words[btf.start(id) + HEAD_WORDS];
    const typeId = kind === KIND_FUNC ? btf.sizeOrType(id) : skipModifiers(btf, btf.sizeOrType(id));
    if (linkage !== LINKAGE_EXTERN || typeId === 0) return [];
    const name = typeName(btf, id);
    return [{ kind, name, typeId, weak: weak.has(name) }];
  });
}

function weakSymbols(elf: ElfFile): Set<string> {
  const symbols = SymbolTable.read(elf);
  const weak = new Set<string>();
  let bytes = 0;
  for (let index = 1; index < symbols.count; index++) {
    if (symbols.bind(index) !== STB_WEAK) continue;
    const name = symbols.name(index);
    bytes += name.length;
    if (bytes > MAX_SECTION_BYTES)
      throw new CodedError('elf-symbols', 'the names of weak symbols are too long', { file: elf.source.name });
    weak.add(name);
  }
  return weak;
}

function readStructOpsMaps(btf: Btf): StructOpsMap[] {
  return STRUCT_OPS_SECTIONS.flatMap(section =>
    datasecEntries(btf, section).flatMap(id => {
      if (id === 0 || btf.kind(id) !== KIND_VAR) return [];
      const type = skipModifiers(btf, btf.sizeOrType(id));
      if (type === 0 || btf.kind(type) !== KIND_STRUCT) return [];
      return [{ type: typeName(btf, type), variable: typeName(btf, id), optional: section.startsWith('?') }];
    }),
  );
}
