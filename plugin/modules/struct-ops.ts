import type { Btf } from '../btf/btf.js';
import { KIND_FUNC, KIND_STRUCT } from '../btf/kinds.js';
import type { NameIndex } from '../btf/names.js';
import { functionPointer, memberAt, members } from '../btf/resolve.js';
import { EM_ARM, STT_FUNC, STT_OBJECT } from '../elf/constants.js';
import { type ObjectPlace, ObjectPointers } from '../elf/object-relocations.js';
import { CodedError } from '../errors.js';
import { opsOfValue, VALUE_PREFIX } from '../roots/struct-ops.js';
import type { Seed } from './needs.js';
import { OwnTypes } from './own-names.js';
import type { KernelModule } from './read.js';

const MAX_NAME = 128;
/** A module has one for each ops struct. More are each read with all of their stubs. */
const MAX_VARIABLES = 16;

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
  let tables: StubTables | undefined;
  let functions: OwnTypes | undefined;
  const done = new Set<number>();
  for (const value of new OwnTypes(btf, KIND_STRUCT).startingWith(VALUE_PREFIX)) {
    const struct = opsOfValue(btf, value);
    if (struct === 0) continue;
    const name = btf.name(struct);
    const why = `struct_ops ${name}`;
    seeds.push({ id: struct, why, isOps: true }, { id: value, why });
    if (done.has(struct)) continue;
    done.add(struct);
    tables ??= new StubTables(module, original, names);
    functions ??= new OwnTypes(btf, KIND_FUNC);
    for (const stub of tables.stubNames(btf, struct, name))
      for (const id of functions.takeNamed(stub)) seeds.push({ id, why: `stub ${stub} of ${name}` });
  }
  return seeds;
}

/** The variables of type struct bpf_struct_ops in a module, and the functions that their cfi stubs point to. */
class StubTables {
  readonly #module: KernelModule;
  readonly #pointers: ObjectPointers;
  /** Of struct bpf_struct_ops, in bytes; undefined before 6.8, which has no cfi_stubs. */
  readonly #stubsOffset: number | undefined;
  /** By the name that their member `name` points to. */
  readonly #variables = new Map<string, ObjectPlace[]>();
  /** Symbols of functions by section and offset. Bit 0 of an ARM function's address selects Thumb. */
  readonly #functions = new Map<string, number[]>();

  constructor(module: KernelModule, original: Btf, names: NameIndex) {
    this.#module = module;
    this.#pointers = new ObjectPointers(module.elf, module.symbols);
    const opsType = names.first('bpf_struct_ops', KIND_STRUCT);
    const nameMember = opsType === 0 ? undefined : memberAt(original, opsType, 'name');
    if (nameMember === undefined) throw this.#failure('struct bpf_struct_ops of vmlinux has no member name');
    this.#stubsOffset = memberAt(original, opsType, 'cfi_stubs')?.byteOffset;
    if (this.#stubsOffset !== undefined) this.#readSymbols(original.sizeOrType(opsType), nameMember.byteOffset);
  }

  /** Names of the functions that the cfi stubs of an ops struct point to. */
  stubNames(btf: Btf, struct: number, name: string): Set<string> {
    const found = new Set<string>();
    if (this.#stubsOffset === undefined) return found;
    const variables = this.#variables.get(name) ?? [];
    if (variables.length === 0) throw this.#failure(`no variable found for ${name}`);
    if (variables.length > MAX_VARIABLES) throw this.#failure(`${variables.length} variables for ${name}`);
    const pointers = members(btf, struct).filter(
      ({ bitfieldSize, type }) => bitfieldSize === 0 && functionPointer(btf, type) !== 0,
    );
    const met = new Set<string>();
    for (const variable of variables) {
      const table = this.#pointers.at(moved(variable, this.#stubsOffset));
      if (table === undefined) throw this.#failure(`${name} has no cfi_stubs`);
      for (const member of pointers) {
        const stub = this.#pointers.at(moved(table, member.bitOffset / 8));
        // A null stub means that programs may not implement the member (bpf_struct_ops_supported).
        if (stub === undefined) continue;
        const key = this.#keyOf(stub.section.index, stub.offset);
        if (met.has(key)) continue;
        met.add(key);
        const functions = this.#functions.get(key);
        if (functions === undefined) throw this.#failure(`the stub of ${name}.${member.name} meets no symbol`);
        for (const symbol of functions) found.add(this.#module.symbols.name(symbol));
      }
    }
    return found;
  }

  #readSymbols(size: number, nameOffset: number): void {
    const { elf, symbols } = this.#module;
    for (let i = 1; i < symbols.count; i++) {
      if (symbols.isReserved(i)) continue;
      const type = symbols.type(i);
      if (type === STT_FUNC) this.#add(this.#functions, this.#keyOf(symbols.section(i), Number(symbols.value(i))), i);
      if (type !== STT_OBJECT || symbols.size(i) !== size) continue;
      const section = elf.sections[symbols.section(i)];
      if (section === undefined) continue;
      const place = { section, offset: Number(symbols.value(i)) };
      const at = this.#pointers.at(moved(place, nameOffset));
      const name = at === undefined ? undefined : this.#pointers.text(at, MAX_NAME);
      if (name !== undefined) this.#add(this.#variables, name, place);
    }
  }

  #add<T>(to: Map<string, T[]>, key: string, item: T): void {
    const others = to.get(key);
    if (others === undefined) to.set(key, [item]);
    else others.push(item);
  }

  #keyOf(section: number, offset: number): string {
    const isArm = this.#module.elf.header.machine === EM_ARM;
    return `${section} ${isArm ? Math.floor(offset / 2) * 2 : offset}`;
  }

  #failure(detail: string): CodedError {
    return new CodedError('struct-ops', detail, { file: this.#module.elf.source.name });
  }
}

function moved({ section, offset }: ObjectPlace, bytes: number): ObjectPlace {
  return { section, offset: offset + bytes };
}
