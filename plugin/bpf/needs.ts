import type { Btf } from '../btf/btf.js';
import { essentialName } from '../btf/essential.js';
import { KIND_FUNC, KIND_STRUCT } from '../btf/kinds.js';
import type { NameIndex } from '../btf/names.js';
import { skipModifiers } from '../btf/resolve.js';
import { CodedError } from '../errors.js';
import { typesAreCompatible } from './compat.js';
import type { BpfObject, Extern } from './object.js';
import { type Relocated, Relocator } from './relocate.js';
import { isQuestion, relocationName, TYPE_ID_LOCAL } from './relocation.js';
import { attachTarget } from './sections.js';
import type { Side } from './side.js';
import type { Spec } from './spec.js';
import { typeName } from './text.js';

/** A type or function of the kernel that a program needs, and what for. */
export interface Need {
  readonly kind: number;
  /** As the kernel has it; where it has none, as the program asks for it. */
  readonly name: string;
  /** Each once, in the order of the object: `fentry`, `kfunc`, `CO-RE byte_off .comm[3]` … */
  readonly uses: readonly string[];
  /** Type ids in the kernel's BTF, ascending; empty when it has none. */
  readonly ids: readonly number[];
  /** Members and enumerators that the kernel's type has not. */
  readonly missing: readonly string[];
  /** Why libbpf refuses the object though the name is there. */
  readonly refused: readonly string[];
  /** The program goes on without it: it only asks, or the extern is weak, or the program is loaded on demand. */
  readonly optional: boolean;
  /** Whether it is found where it is in the rest and vmlinux_btf.ko is loaded. */
  readonly inRest: boolean;
  /** The module whose BTF is meant (`fentry/module:function`), and no other. */
  readonly module: string | undefined;
}

export interface Needs {
  readonly needs: readonly Need[];
  /** Sections whose target the loader sets at run time. */
  readonly open: readonly string[];
}

/** What an object needs of a kernel, in the order in which the object asks for it. */
export function needsOf(object: BpfObject, btf: Btf, names: NameIndex): Needs {
  const list = new NeedList(btf);
  const open: string[] = [];
  for (const section of object.programs) {
    const target = attachTarget(section);
    if (target === undefined) continue;
    const { program, kind, name, module, optional, inRest } = target;
    if (name === '') open.push(section);
    else
      list.add({
        kind,
        name,
        use: program,
        ids: module === undefined ? firstOf(names, name, kind) : [],
        optional,
        inRest,
        module,
      });
  }
  for (const { type, variable, optional } of object.structOps) {
    const ops = essentialName(type);
    for (const name of [`bpf_struct_ops_${ops}`, ops])
      list.add({
        kind: KIND_STRUCT,
        name,
        use: `struct_ops ${variable}`,
        ids: firstOf(names, name, KIND_STRUCT),
        optional,
        inRest: false,
      });
  }
  const relocator = new Relocator(object, btf);
  for (const extern of object.externs) addExtern(list, extern, relocator, names);
  for (const relocated of relocator.all()) addRelocation(list, relocated, relocator.local);
  return { needs: list.done(), open };
}

/** libbpf and the kernel take the first of a name and kind. */
function firstOf(names: NameIndex, name: string, kind: number): number[] {
  const id = names.first(name, kind);
  return id === 0 ? [] : [id];
}

/** A kfunc must be the base's; a variable is found with its DATASEC on either side (bpf_object__resolve_ksyms_btf_id). */
function addExtern(list: NeedList, extern: Extern, { local, target }: Relocator, names: NameIndex): void {
  const isFunction = extern.kind === KIND_FUNC;
  const name = isFunction ? essentialName(extern.name) : extern.name;
  const ids = firstOf(names, name, extern.kind);
  const refused: string[] = [];
  if (ids.length > 0) {
    const type = target.btf.sizeOrType(ids[0]);
    const why = attempt(() =>
      typesAreCompatible(local, extern.typeId, target, isFunction ? type : skipModifiers(target.btf, type))
        ? undefined
        : `the kernel's ${isFunction ? 'has another prototype' : 'is of another type'}`,
    );
    if (why !== undefined) refused.push(why);
  }
  list.add({
    kind: extern.kind,
    name,
    use: isFunction ? 'kfunc' : 'ksym',
    ids,
    refused,
    optional: extern.weak,
    inRest: !isFunction,
  });
}

function attempt(decide: () => string | undefined): string | undefined {
  try {
    return decide();
  } catch (error) {
    if (error instanceof CodedError && error.code === 'core-relocation') return error.detail;
    throw error;
  }
}

function addRelocation(list: NeedList, relocated: Relocated, local: Side): void {
  const { relocation, local: spec, target, matches, candidates, refused } = relocated;
  const { kind, typeId } = relocation;
  if (kind === TYPE_ID_LOCAL && refused === undefined) return;
  const access = spec === undefined ? '' : accessText(spec);
  const absentHere = spec !== undefined && refused === undefined && target === undefined && candidates.length > 0;
  list.add({
    kind: local.kind(typeId),
    name: essentialName(local.name(typeId)),
    use: `CO-RE ${relocationName(kind)}${access === '' ? '' : ` ${access}`}`,
    ids: matches.length > 0 ? matches : candidates,
    missing: absentHere ? [access === '' ? 'its form' : access] : [],
    refused: refused === undefined ? [] : [refused.detail],
    optional: isQuestion(kind) && refused === undefined,
    inRest: true,
  });
}

/** `.usage.refs.counter`, `.comm[3]`, `BPF_MAP_TYPE_ARRAY`; empty for a whole type. */
function accessText({ accessors }: Spec): string {
  if (accessors.length === 1 && accessors[0].name !== undefined) return accessors[0].name;
  const [first, ...steps] = accessors;
  if (first === undefined) return '';
  const start = first.index === 0 ? '' : `[${first.index}]`;
  return start + steps.map(({ name, index }) => (name === undefined ? `[${index}]` : `.${name}`)).join('');
}

interface Asked {
  readonly kind: number;
  readonly name: string;
  readonly use: string;
  readonly ids: readonly number[];
  readonly missing?: readonly string[];
  readonly refused?: readonly string[];
  readonly optional: boolean;
  readonly inRest: boolean;
  readonly module?: string | undefined;
}

interface Collected {
  kind: number;
  name: string;
  readonly uses: Set<string>;
  readonly ids: Set<number>;
  readonly missing: Set<string>;
  readonly refused: Set<string>;
  optional: boolean;
  inRest: boolean;
  readonly module: string | undefined;
}

/** One entry a type: what is asked for more than once needs the most of it. */
class NeedList {
  readonly #btf: Btf;
  readonly #byName = new Map<string, Collected>();

  constructor(btf: Btf) {
    this.#btf = btf;
  }

  add({ kind, name, use, ids, missing = [], refused = [], optional, inRest, module }: Asked): void {
    const key = `${kind} ${name} ${module ?? ''}`;
    const known = this.#byName.get(key) ?? {
      kind,
      name,
      uses: new Set(),
      ids: new Set(),
      missing: new Set(),
      refused: new Set(),
      optional: true,
      inRest: true,
      module,
    };
    this.#byName.set(key, known);
    known.uses.add(use);
    for (const id of ids) known.ids.add(id);
    // What is only asked about may be missing; a refusal ends the load in any case but that of a weak extern.
    if (!optional) for (const member of missing) known.missing.add(member);
    for (const reason of refused) known.refused.add(reason);
    known.optional &&= optional;
    known.inRest &&= inRest;
  }

  done(): Need[] {
    return [...this.#byName.values()].map(need => {
      const ids = [...need.ids].sort((a, b) => a - b);
      const first = ids[0];
      const found = first === undefined ? {} : { kind: this.#btf.kind(first), name: typeName(this.#btf, first) };
      return {
        ...need,
        ...found,
        uses: [...need.uses],
        ids,
        missing: [...need.missing],
        refused: [...need.refused],
      };
    });
  }
}
