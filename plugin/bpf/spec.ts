import { essentialName } from '../btf/essential.js';
import type { CoreRelocation } from './btf-ext.js';
import { fieldsAreCompatible, typesAreCompatible, typesMatch } from './compat.js';
import { isEnumBased, isFieldBased, isTypeBased, relocationName, TYPE_MATCHES } from './relocation.js';
import { type Side, undecidable } from './side.js';

/** libbpf's BPF_CORE_SPEC_MAX_LEN: steps of one access. */
const MAX_STEPS = 64;
const MAX_INDEX = 0x7fffffff;

/** A step that means something: a named member or enumerator, or an array element, which has no name. */
export interface Accessor {
  /** The struct, union or enum that it is of; of an array, the type of the element. Without modifiers. */
  readonly typeId: number;
  readonly index: number;
  readonly name: string | undefined;
}

/** What a relocation refers to, in one of the two BTFs. */
export interface Spec {
  /** As it stands in the relocation, or the candidate: perhaps a typedef. */
  readonly rootId: number;
  readonly kind: number;
  readonly accessors: Accessor[];
  /** Every step, those through anonymous members too. */
  readonly raw: number[];
  bitOffset: number;
}

/** The program's own side of a relocation (bpf_core_parse_spec). Throws `core-relocation`. */
export function parseSpec(local: Side, { typeId, access, kind }: CoreRelocation): Spec {
  const wrong = (detail: string) =>
    undecidable(`${relocationName(kind)} of ${local.name(typeId)} + ${access}: ${detail}`);
  const spec: Spec = { rootId: typeId, kind, accessors: [], raw: [], bitOffset: 0 };
  if (isTypeBased(kind)) {
    if (access !== '0') throw wrong('no access was due');
    return spec;
  }
  if (!/^\d+(?::\d+)*$/.test(access)) throw wrong('no access');
  spec.raw.push(...access.split(':').map(Number));
  if (spec.raw.length > MAX_STEPS || spec.raw.some(index => index > MAX_INDEX)) throw wrong('too long');
  const id = local.skip(typeId);
  const [first] = spec.raw;
  if (isEnumBased(kind)) {
    if (!local.isEnum(id) || spec.raw.length > 1 || first >= local.btf.vlen(id)) throw wrong('no enumerator');
    spec.accessors.push({ typeId: id, index: first, name: local.enumeratorName(id, first) });
    return spec;
  }
  if (!isFieldBased(kind)) throw wrong('an unknown kind');
  spec.accessors.push({ typeId: id, index: first, name: undefined });
  spec.bitOffset = first * local.size(id) * 8;
  walkAccess(local, spec, id, wrong);
  return spec;
}

function walkAccess(local: Side, spec: Spec, start: number, wrong: (detail: string) => Error): void {
  let id = start;
  for (const index of spec.raw.slice(1)) {
    id = local.skip(id);
    if (local.isComposite(id)) {
      if (index >= local.btf.vlen(id)) throw wrong(`no member ${index}`);
      const name = local.memberName(id, index);
      spec.bitOffset += local.memberBits(id, index).offset;
      if (name !== '') spec.accessors.push({ typeId: id, index, name });
      id = local.memberType(id, index);
    } else if (local.isArray(id)) {
      if (index >= local.arrayLength(id) && !isFlexible(local, spec, id)) throw wrong(`no element ${index}`);
      id = local.skip(local.arrayElement(id));
      spec.accessors.push({ typeId: id, index, name: undefined });
      spec.bitOffset += index * local.size(id) * 8;
    } else throw wrong('it leads through a type without members');
  }
}

/** An array without length at the end of a struct may be indexed beyond it. `spec` ends with the member that it is. */
function isFlexible(side: Side, { accessors }: Spec, arrayId: number): boolean {
  const member = accessors.at(-1);
  return (
    member?.name !== undefined && side.arrayLength(arrayId) === 0 && member.index === side.btf.vlen(member.typeId) - 1
  );
}

/**
 * The kernel's side of a relocation, on one candidate; undefined when the candidate has not what the program asks for
 * (bpf_core_spec_match). Throws `core-relocation` where libbpf gives up.
 */
export function matchSpec(local: Side, wanted: Spec, target: Side, candidate: number): Spec | undefined {
  const { kind } = wanted;
  const spec: Spec = { rootId: candidate, kind, accessors: [], raw: [], bitOffset: 0 };
  if (isTypeBased(kind)) {
    const matches = kind === TYPE_MATCHES ? typesMatch : typesAreCompatible;
    return matches(local, wanted.rootId, target, candidate) ? spec : undefined;
  }
  if (isEnumBased(kind)) return matchEnumerator(wanted, target, spec);
  let id = candidate;
  for (const [i, accessor] of wanted.accessors.entries()) {
    id = target.skip(id);
    if (accessor.name !== undefined) {
      const found = new MemberSearch(local, accessor, target, spec).find(id);
      if (found === undefined) return undefined;
      id = found;
      continue;
    }
    if (i > 0) {
      if (!target.isArray(id)) return undefined;
      if (accessor.index >= target.arrayLength(id) && !isFlexible(target, spec, id)) return undefined;
      id = target.skip(target.arrayElement(id));
    }
    if (spec.raw.length === MAX_STEPS) throw undecidable('types are nested too deep');
    spec.accessors.push({ typeId: id, index: accessor.index, name: undefined });
    spec.raw.push(accessor.index);
    spec.bitOffset += accessor.index * target.size(id) * 8;
  }
  return spec;
}

function matchEnumerator(wanted: Spec, target: Side, spec: Spec): Spec | undefined {
  const id = target.skip(spec.rootId);
  if (!target.isEnum(id)) return undefined;
  const name = essentialName(wanted.accessors[0].name ?? '');
  const index = target.essentialNames(id).get(name)?.[0];
  if (index === undefined) return undefined;
  spec.accessors.push({ typeId: id, index, name: target.enumeratorName(id, index) });
  spec.raw.push(index);
  return spec;
}

/**
 * Looks for the member of a name, through anonymous members (bpf_core_match_member). A type that was searched in vain is not
 * searched again: hostile types lead to one another in more ways than can be counted.
 */
class MemberSearch {
  readonly #local: Side;
  readonly #target: Side;
  readonly #spec: Spec;
  readonly #name: string;
  readonly #type: number;
  readonly #accessor: Accessor;
  readonly #inVain = new Set<number>();

  constructor(local: Side, accessor: Accessor, target: Side, spec: Spec) {
    this.#local = local;
    this.#target = target;
    this.#spec = spec;
    this.#accessor = accessor;
    this.#name = accessor.name ?? '';
    this.#type = local.memberType(accessor.typeId, accessor.index);
  }

  /** The type of the member, once the spec has the steps to it; undefined when there is none that is compatible. */
  find(structId: number): number | undefined {
    const target = this.#target;
    const id = target.skip(structId);
    if (!target.isComposite(id) || this.#inVain.has(id)) return undefined;
    if (this.#spec.raw.length === MAX_STEPS && target.btf.vlen(id) > 0) throw undecidable('types are nested too deep');
    const { first, anonymous } = target.memberNames(id);
    const named = first.get(this.#name) ?? target.btf.vlen(id);
    for (const index of anonymous) {
      if (index > named) break;
      const found = this.#enter(id, index, type => this.find(type));
      if (found !== undefined) return found;
    }
    // One of the name but of another type ends the search in this struct, not in those around it.
    if (first.has(this.#name)) {
      const found = this.#enter(id, named, type => {
        if (!fieldsAreCompatible(this.#local, this.#type, target, type)) return undefined;
        this.#spec.accessors.push({ typeId: id, index: named, name: this.#accessor.name });
        return type;
      });
      if (found !== undefined) return found;
    }
    this.#inVain.add(id);
    return undefined;
  }

  /** Takes the step to a member, and takes it back when `look` at its type comes to nothing. */
  #enter(id: number, index: number, look: (type: number) => number | undefined): number | undefined {
    const { raw } = this.#spec;
    const { offset } = this.#target.memberBits(id, index);
    this.#target.budget.spend(1);
    raw.push(index);
    this.#spec.bitOffset += offset;
    const found = look(this.#target.memberType(id, index));
    if (found !== undefined) return found;
    this.#spec.bitOffset -= offset;
    raw.pop();
    return undefined;
  }
}
