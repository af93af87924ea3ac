import type { Btf } from '../btf/btf.js';
import { KIND_FUNC, KIND_STRUCT } from '../btf/kinds.js';
import type { NameIndex } from '../btf/names.js';
import { functionPointer, memberAt, members } from '../btf/resolve.js';
import { EM_ARM, STT_FUNC, STT_OBJECT } from '../elf/constants.js';
import { type ObjectPlace, ObjectPointers } from '../elf/object-relocations.js';
import { CodedError } from '../errors.js';
import type { Seed } from './needs.js';
import { ownTypes } from './own-names.js';
import type { KernelModule } from './read.js';

const VALUE_PREFIX = 'bpf_struct_ops_';
const MAX_NAME = 128;

/**
 * What registering the struct_ops of a module looks up by name (bpf_struct_ops_desc_init): the ops struct, its value struct,
 * and the FUNC of each cfi stub, as far as they are the module's own. Which struct_ops there are, the value structs in its
 * BTF tell (register_bpf_struct_ops emits one each); the variable and its stubs are found through relocations. Throws
 * `struct-ops` for a variable or a stub that is not found.
 */
export function structOpsSeeds(module: KernelModule, original: Btf, names: NameIndex): Seed[] {
  const { btf } = module;
  if (btf === undefined) return [];
  const seeds: Seed[] = [];
  for (const value of ownTypes(btf, KIND_STRUCT, name => name.startsWith(VALUE_PREFIX))) {
    const parts = members(btf, value);
    const struct = parts.at(-1)?.type ?? 0;
    const name = btf.name(value).slice(VALUE_PREFIX.length);
    // What is_valid_value_type() asks for; two members since 6.9 (common, data), before refcnt, state and data.
    if (struct === 0 || btf.kind(struct) !== KIND_STRUCT || btf.name(struct) !== name) continue;
    if (parts[0].name !== 'common' && parts[0].name !== 'refcnt') continue;
    const why = `struct_ops ${name}`;
    seeds.push({ id: struct, why }, { id: value, why });
    for (const stub of stubNames(module, original, names, struct, name))
      for (const id of ownTypes(btf, KIND_FUNC, name => name === stub))
        seeds.push({ id, why: `stub ${stub} of ${name}` });
  }
  return seeds;
}

function failure(module: KernelModule, detail: string): CodedError {
  return new CodedError('struct-ops', detail, { file: module.elf.source.name });
}

/** Names of the functions that the cfi stubs of a struct_ops point to; none for a kernel without cfi_stubs (before 6.8). */
function stubNames(module: KernelModule, original: Btf, names: NameIndex, struct: number, name: string): Set<string> {
  const { elf, symbols } = module;
  const btf = module.btf ?? original;
  const opsType = names.first('bpf_struct_ops', KIND_STRUCT);
  const nameMember = opsType === 0 ? undefined : memberAt(original, opsType, 'name');
  if (nameMember === undefined) throw failure(module, 'struct bpf_struct_ops of vmlinux has no member name');
  const stubsMember = memberAt(original, opsType, 'cfi_stubs');
  const found = new Set<string>();
  if (stubsMember === undefined) return found;
  const pointers = new ObjectPointers(elf, symbols);
  const variables = findVariables(module, pointers, original.sizeOrType(opsType), nameMember.byteOffset, name);
  if (variables.length === 0) throw failure(module, `no variable found for ${name}`);
  for (const variable of variables) {
    const table = pointers.at(moved(variable, stubsMember.byteOffset));
    if (table === undefined) throw failure(module, `${name} has no cfi_stubs`);
    for (const member of members(btf, struct)) {
      if (member.bitfieldSize !== 0 || functionPointer(btf, member.type) === 0) continue;
      const stub = pointers.at(moved(table, member.bitOffset / 8));
      // A null stub means that programs may not implement the member (bpf_struct_ops_supported).
      if (stub === undefined) continue;
      const functions = functionsAt(module, stub);
      if (functions.length === 0) throw failure(module, `the stub of ${name}.${member.name} meets no symbol`);
      for (const text of functions) found.add(text);
    }
  }
  return found;
}

function moved({ section, offset }: ObjectPlace, bytes: number): ObjectPlace {
  return { section, offset: offset + bytes };
}

function findVariables(
  { elf, symbols }: KernelModule,
  pointers: ObjectPointers,
  size: number,
  nameOffset: number,
  name: string,
): ObjectPlace[] {
  const found: ObjectPlace[] = [];
  for (let i = 1; i < symbols.count; i++) {
    if (symbols.size(i) !== size || symbols.type(i) !== STT_OBJECT || symbols.isReserved(i)) continue;
    const section = elf.sections[symbols.section(i)];
    if (section === undefined) continue;
    const place = { section, offset: Number(symbols.value(i)) };
    const text = pointers.at(moved(place, nameOffset));
    if (text !== undefined && pointers.text(text, MAX_NAME) === name) found.push(place);
  }
  return found;
}

/** Names of all functions at a place. Bit 0 of an ARM function's address selects Thumb. */
function functionsAt({ elf, symbols }: KernelModule, { section, offset }: ObjectPlace): string[] {
  const mask = elf.header.machine === EM_ARM ? ~1 : ~0;
  const found: string[] = [];
  for (let i = 1; i < symbols.count; i++)
    if (
      symbols.type(i) === STT_FUNC &&
      symbols.section(i) === section.index &&
      !symbols.isReserved(i) &&
      (Number(symbols.value(i)) & mask) === (offset & mask)
    )
      found.push(symbols.name(i));
  return found;
}
