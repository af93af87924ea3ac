import type { Btf } from '../btf/btf.js';
import { KIND_FUNC, KIND_STRUCT } from '../btf/kinds.js';
import type { NameIndex } from '../btf/names.js';
import { typesWithPrefix } from '../btf/names.js';
import { functionPointer, memberAt, members } from '../btf/resolve.js';
import { EM_ARM, STT_FUNC, STT_OBJECT } from '../elf/constants.js';
import type { ElfFile } from '../elf/file.js';
import type { Relocations } from '../elf/relocations.js';
import type { Symbols } from '../elf/symbols.js';
import { CodedError } from '../errors.js';
import type { Root } from './root.js';

export const VALUE_PREFIX = 'bpf_struct_ops_';
const MAX_NAME = 128;
/** A kernel has one for each ops struct. More are each read with all of their stubs. */
const MAX_VARIABLES = 16;

export interface StructOps {
  readonly roots: readonly Root[];
  /** Names of the ops structs that the kernel registers, such as `tcp_congestion_ops`. */
  readonly names: readonly string[];
  /** Stubs whose FUNC the full BTF lacks: the unsplit kernel refuses their struct_ops as well. */
  readonly warnings: readonly string[];
}

/** Where variables and their pointers are read from. */
interface Image {
  readonly elf: ElfFile;
  readonly relocations: Relocations;
  readonly symbols: Symbols;
  readonly btf: Btf;
  /** Type id of struct bpf_struct_ops. */
  readonly opsType: number;
}

/**
 * Everything that registering a struct_ops looks up by name (kernel/bpf/bpf_struct_ops.c): the ops struct, its value
 * struct, and the FUNC of every cfi stub. The variables of type `struct bpf_struct_ops` are found without DWARF: object
 * symbols of that size, whose `name` member points to the name of a struct. Which ones must exist is known from the
 * value structs in the BTF, so a table that was not found is an error, never "none". Throws `struct-ops`,
 * `elf-relocations`, `elf-address`.
 */
export function readStructOps(
  elf: ElfFile,
  relocations: Relocations,
  symbols: Symbols,
  btf: Btf,
  names: NameIndex,
): StructOps {
  const opsType = names.first('bpf_struct_ops', KIND_STRUCT);
  const expected = valueStructs(btf, names);
  if (opsType === 0) {
    if (expected.size > 0)
      throw failure(elf, `struct bpf_struct_ops is not in the BTF, but ${[...expected.keys()].join(', ')} need it`);
    return { roots: [], names: [], warnings: [] };
  }
  const image: Image = { elf, relocations, symbols, btf, opsType };
  const { found, unreadable } = findVariables(image, expected);
  const missing = [...expected.keys()].filter(name => !found.has(name));
  if (missing.length > 0) throw unreadable ?? failure(elf, `no variable found for ${missing.join(', ')}`);

  const roots: Root[] = [];
  const stubs = new Map<bigint, string>();
  for (const [name, { struct, value }] of expected) {
    roots.push({ id: struct, reason: 'struct_ops', source: name }, { id: value, reason: 'struct_ops', source: name });
    for (const variable of found.get(name) ?? [])
      for (const [address, member] of readStubs(image, struct, name, variable)) stubs.set(address, member);
  }
  const common = names.first('bpf_struct_ops_common_value', KIND_STRUCT);
  if (common !== 0) roots.push({ id: common, reason: 'struct_ops', source: 'bpf_struct_ops_common_value' });
  const { roots: stubRoots, warnings } = stubFunctions(elf, symbols, names, stubs);
  return { roots: [...roots, ...stubRoots], names: [...expected.keys()].sort(), warnings };
}

function failure(elf: ElfFile, detail: string, offset?: bigint): CodedError {
  return new CodedError('struct-ops', detail, { file: elf.source.name, offset });
}

/**
 * The value structs of the BTF, by the name of their ops struct: `bpf_struct_ops_<name>` with the members that
 * is_valid_value_type() asks for.
 */
function valueStructs(btf: Btf, names: NameIndex): Map<string, { struct: number; value: number }> {
  const found = new Map<string, { struct: number; value: number }>();
  for (const value of typesWithPrefix(btf, KIND_STRUCT, VALUE_PREFIX)) {
    const name = btf.name(value).slice(VALUE_PREFIX.length);
    const struct = names.first(name, KIND_STRUCT);
    if (struct !== 0 && opsOfValue(btf, value) === struct) found.set(name, { struct, value });
  }
  return found;
}

/**
 * The ops struct of a value struct, by what is_valid_value_type() asks for; 0 when it is none. Two members since 6.9 (common, data);
 * before, refcnt, state and data.
 */
export function opsOfValue(btf: Btf, value: number): number {
  const parts = members(btf, value);
  const first = parts.at(0)?.name;
  const struct = parts.at(-1)?.type ?? 0;
  if (struct === 0 || btf.kind(struct) !== KIND_STRUCT || (first !== 'common' && first !== 'refcnt')) return 0;
  return btf.name(struct) === btf.name(value).slice(VALUE_PREFIX.length) ? struct : 0;
}

interface Variables {
  /** Addresses, by the name of the ops struct. */
  readonly found: ReadonlyMap<string, ReadonlySet<bigint>>;
  /** The first candidate whose words a relocation of an unknown kind writes. */
  readonly unreadable: CodedError | undefined;
}

function findVariables(image: Image, expected: ReadonlyMap<string, unknown>): Variables {
  const { elf, symbols, btf, opsType } = image;
  const nameMember = memberAt(btf, opsType, 'name');
  if (nameMember === undefined) throw failure(elf, 'struct bpf_struct_ops has no member name');
  const size = btf.sizeOrType(opsType);
  const found = new Map<string, Set<bigint>>();
  let unreadable: CodedError | undefined;
  for (let i = 1; i < symbols.count; i++) {
    if (symbols.type(i) !== STT_OBJECT) continue;
    if (symbols.sized ? symbols.size(i) !== size : symbols.size(i) < size) continue;
    const address = symbols.value(i);
    const name = nameOfVariable(image, address + BigInt(nameMember.byteOffset));
    if (name instanceof CodedError) unreadable ??= name;
    // Another object of the same size: its word is no pointer to the name of an ops struct.
    else if (name !== undefined && expected.has(name)) {
      const addresses = found.get(name) ?? new Set();
      found.set(name, addresses.add(address));
      if (symbols.sized && addresses.size > MAX_VARIABLES)
        throw failure(elf, `${addresses.size} variables for ${name}`, address);
    }
  }
  return { found: symbols.sized ? found : withStubTables(image, found), unreadable };
}

/** The name, undefined when the word points to none, or the error of a word that cannot be known. */
function nameOfVariable({ elf, relocations }: Image, address: bigint): string | CodedError | undefined {
  try {
    const pointer = relocations.readPointer(address);
    return pointer === 0n ? undefined : elf.readCString(pointer, MAX_NAME);
  } catch (error) {
    if (error instanceof CodedError && error.code === 'elf-address') return undefined;
    if (error instanceof CodedError && error.code === 'elf-relocations') return error;
    throw error;
  }
}

/** Without sizes a name alone makes no variable: its cfi_stubs must point to the start of an object. */
function withStubTables(image: Image, found: ReadonlyMap<string, ReadonlySet<bigint>>): Map<string, Set<bigint>> {
  const { elf, relocations, symbols, btf, opsType } = image;
  const stubsMember = memberAt(btf, opsType, 'cfi_stubs');
  const objects = new Set<bigint>();
  for (let i = 1; i < symbols.count; i++) if (symbols.type(i) === STT_OBJECT) objects.add(symbols.value(i));
  const confirmed = new Map<string, Set<bigint>>();
  for (const [name, addresses] of found) {
    const variables = [...addresses].filter(
      address =>
        stubsMember === undefined || objects.has(relocations.readPointer(address + BigInt(stubsMember.byteOffset))),
    );
    if (variables.length > MAX_VARIABLES) throw failure(elf, `${variables.length} variables for ${name}`, variables[0]);
    if (variables.length > 0) confirmed.set(name, new Set(variables));
  }
  return confirmed;
}

/** Address of each stub → `struct.member` that it stands for. Empty when struct bpf_struct_ops has no cfi_stubs (before 6.8). */
function readStubs(image: Image, struct: number, name: string, variable: bigint): Map<bigint, string> {
  const { elf, relocations, btf, opsType } = image;
  const stubs = new Map<bigint, string>();
  const stubsMember = memberAt(btf, opsType, 'cfi_stubs');
  if (stubsMember === undefined) return stubs;
  const table = relocations.readPointer(variable + BigInt(stubsMember.byteOffset));
  if (table === 0n) throw failure(elf, `${name} has no cfi_stubs`, variable);
  for (const member of members(btf, struct)) {
    if (member.bitfieldSize !== 0 || functionPointer(btf, member.type) === 0) continue;
    if (member.bitOffset % 8 !== 0)
      throw failure(elf, `${name}.${member.name} starts at bit ${member.bitOffset}`, table);
    const pointer = relocations.readPointer(table + BigInt(member.bitOffset / 8));
    // A null stub means that programs may not implement the member (bpf_struct_ops_supported).
    if (pointer !== 0n) stubs.set(codeAddress(elf, pointer), `${name}.${member.name}`);
  }
  if (stubs.size === 0) throw failure(elf, `the cfi_stubs of ${name} are all null`, table);
  return stubs;
}

/** Bit 0 of an ARM function pointer selects Thumb and is not part of the address. */
function codeAddress(elf: ElfFile, pointer: bigint): bigint {
  return elf.header.machine === EM_ARM ? pointer & ~1n : pointer;
}

/**
 * The kernel asks kallsyms for the name at the stub's address, then the BTF for the FUNC of that name. Several symbols
 * may share an address (the compiler folds equal functions): every one that the BTF knows stays.
 */
function stubFunctions(
  elf: ElfFile,
  symbols: Symbols,
  names: NameIndex,
  stubs: ReadonlyMap<bigint, string>,
): { roots: Root[]; warnings: string[] } {
  const roots: Root[] = [];
  const warnings: string[] = [];
  const met = new Map<bigint, Set<string>>();
  /** Name → whether the BTF knows it: its FUNCs are taken once, however many stubs have the name. */
  const known = new Map<string, boolean>();
  for (let i = 1; i < symbols.count; i++) {
    if (symbols.type(i) !== STT_FUNC) continue;
    const address = codeAddress(elf, symbols.value(i));
    if (stubs.has(address)) met.set(address, (met.get(address) ?? new Set()).add(symbols.name(i)));
  }
  for (const [address, member] of stubs) {
    const functions = [...(met.get(address) ?? [])];
    if (functions.length === 0)
      throw failure(elf, `the stub of ${member} at 0x${address.toString(16)} meets no symbol`, address);
    for (const name of functions) {
      if (known.has(name)) continue;
      const ids = names.all(name, KIND_FUNC);
      known.set(name, ids.length > 0);
      for (const id of ids) roots.push({ id, reason: 'stub', source: member });
    }
    if (!functions.some(name => known.get(name)))
      warnings.push(
        `the stub ${functions.slice(0, 8).join(' / ')} of ${member} has no FUNC in the BTF: this kernel cannot register ${member.split('.')[0]}`,
      );
  }
  return { roots, warnings };
}
