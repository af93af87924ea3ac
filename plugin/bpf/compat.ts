import { essentialName } from '../btf/essential.js';
import {
  KIND_ARRAY,
  KIND_ENUM,
  KIND_ENUM64,
  KIND_FLOAT,
  KIND_FUNC_PROTO,
  KIND_FWD,
  KIND_INT,
  KIND_PTR,
  KIND_STRUCT,
  KIND_UNION,
} from '../btf/kinds.js';
import { type Side, sameCoreKind, undecidable } from './side.js';

/** How deep libbpf follows pointers and arrays, and prototypes in prototypes. */
const MAX_DEPTH = 32;
const INT_SIGNED = 1;

/** Both are plain integers: old bit fields that are integers with an offset are refused. */
function plainInts(local: Side, localId: number, target: Side, targetId: number): boolean {
  const offset = (side: Side, id: number): number => (side.intWord(id) >>> 16) & 0xff;
  return offset(local, localId) === 0 && offset(target, targetId) === 0;
}

/** Whether a member of a kernel's struct may stand for the program's (bpf_core_fields_are_compat). */
export function fieldsAreCompatible(local: Side, localType: number, target: Side, targetType: number): boolean {
  let localId = local.skip(localType);
  let targetId = target.skip(targetType);
  while (local.isArray(localId) && target.isArray(targetId)) {
    localId = local.skip(local.arrayElement(localId));
    targetId = target.skip(target.arrayElement(targetId));
  }
  if (local.isComposite(localId) && target.isComposite(targetId)) return true;
  const kind = local.kind(localId);
  if (!sameCoreKind(kind, target.kind(targetId))) return false;
  switch (kind) {
    case KIND_PTR:
    case KIND_FLOAT:
      return true;
    case KIND_FWD:
    case KIND_ENUM:
    case KIND_ENUM64: {
      const localName = essentialName(local.name(localId));
      const targetName = essentialName(target.name(targetId));
      return localName === '' || targetName === '' || localName === targetName;
    }
    case KIND_INT:
      return plainInts(local, localId, target, targetId);
    default:
      return false;
  }
}

/**
 * Whether a type of the kernel exists for one of the program, prototypes included (bpf_core_types_are_compat). The
 * caller has compared the names of the two. Throws `core-relocation` where libbpf gives up.
 */
export function typesAreCompatible(
  local: Side,
  localType: number,
  target: Side,
  targetType: number,
  level = MAX_DEPTH,
): boolean {
  if (!sameCoreKind(local.kind(localType), target.kind(targetType))) return false;
  let localId = localType;
  let targetId = targetType;
  for (let depth = 0; depth < MAX_DEPTH; depth++) {
    localId = local.skip(localId);
    targetId = target.skip(targetId);
    const kind = local.kind(localId);
    if (!sameCoreKind(kind, target.kind(targetId))) return false;
    switch (kind) {
      case 0:
      case KIND_STRUCT:
      case KIND_UNION:
      case KIND_ENUM:
      case KIND_ENUM64:
      case KIND_FWD:
        return true;
      case KIND_INT:
        return plainInts(local, localId, target, targetId);
      case KIND_PTR:
        localId = local.btf.sizeOrType(localId);
        targetId = target.btf.sizeOrType(targetId);
        break;
      case KIND_ARRAY:
        localId = local.arrayElement(localId);
        targetId = target.arrayElement(targetId);
        break;
      case KIND_FUNC_PROTO: {
        const parameters = local.btf.vlen(localId);
        if (parameters !== target.btf.vlen(targetId)) return false;
        for (let i = 0; i < parameters; i++) {
          if (level <= 0) throw undecidable('prototypes are nested too deep');
          const one = local.skip(local.parameterType(localId, i));
          const other = target.skip(target.parameterType(targetId, i));
          if (!typesAreCompatible(local, one, target, other, level - 1)) return false;
        }
        localId = local.btf.sizeOrType(localId);
        targetId = target.btf.sizeOrType(targetId);
        break;
      }
      default:
        return false;
    }
  }
  throw undecidable('types are nested too deep');
}

function sameEssentialName(one: string, other: string): boolean {
  return other === '' ? one === '' : essentialName(one) === essentialName(other);
}

/**
 * Whether a type of the kernel has everything that the program's declaration of it has (bpf_core_types_match). The
 * caller has compared the names of the two. Throws `core-relocation` where libbpf gives up.
 */
export function typesMatch(
  local: Side,
  localType: number,
  target: Side,
  targetType: number,
  behindPointer = false,
  level = MAX_DEPTH,
): boolean {
  if (level <= 0) throw undecidable('types are nested too deep');
  let localId = localType;
  let targetId = targetType;
  let behind = behindPointer;
  for (let depth = 0; depth < MAX_DEPTH; depth++) {
    localId = local.skip(localId);
    targetId = target.skip(targetId);
    if (!sameEssentialName(local.name(localId), target.name(targetId))) return false;
    const kind = local.kind(localId);
    const targetKind = target.kind(targetId);
    switch (kind) {
      case KIND_FWD:
        return forwardMatches(local, localId, target, targetId, behind);
      case KIND_ENUM:
      case KIND_ENUM64:
        return target.isEnum(targetId) && enumsMatch(local, localId, target, targetId);
      case KIND_STRUCT:
      case KIND_UNION:
        if (!behind) return kind === targetKind && compositesMatch(local, localId, target, targetId, behind, level);
        return (
          kind === targetKind || (targetKind === KIND_FWD && target.btf.kindFlag(targetId) === (kind === KIND_UNION))
        );
      case KIND_INT:
        return kind === targetKind && intsMatch(local, localId, target, targetId);
      case KIND_PTR:
        if (kind !== targetKind) return false;
        behind = true;
        localId = local.btf.sizeOrType(localId);
        targetId = target.btf.sizeOrType(targetId);
        break;
      case KIND_ARRAY:
        if (kind !== targetKind || local.arrayLength(localId) !== target.arrayLength(targetId)) return false;
        localId = local.arrayElement(localId);
        targetId = target.arrayElement(targetId);
        break;
      case KIND_FUNC_PROTO: {
        const parameters = local.btf.vlen(localId);
        if (kind !== targetKind || parameters !== target.btf.vlen(targetId)) return false;
        for (let i = 0; i < parameters; i++) {
          const one = local.parameterType(localId, i);
          const other = target.parameterType(targetId, i);
          if (!typesMatch(local, one, target, other, behind, level - 1)) return false;
        }
        localId = local.btf.sizeOrType(localId);
        targetId = target.btf.sizeOrType(targetId);
        break;
      }
      default:
        return kind === 0 && targetKind === 0;
    }
  }
  throw undecidable('types are nested too deep');
}

/** A declaration without a definition: `kind_flag` is set for a union. */
function forwardMatches(local: Side, localId: number, target: Side, targetId: number, behind: boolean): boolean {
  const isUnion = local.btf.kindFlag(localId);
  const targetKind = target.kind(targetId);
  if (targetKind === KIND_FWD) return isUnion === target.btf.kindFlag(targetId);
  return behind && targetKind === (isUnion ? KIND_UNION : KIND_STRUCT);
}

function enumsMatch(local: Side, localId: number, target: Side, targetId: number): boolean {
  const count = local.btf.vlen(localId);
  const targetCount = target.btf.vlen(targetId);
  if (local.btf.sizeOrType(localId) !== target.btf.sizeOrType(targetId) || count > targetCount) return false;
  const names = target.essentialNames(targetId);
  for (const name of local.essentialNames(localId).keys()) {
    local.budget.spend(1);
    if (!names.has(name)) return false;
  }
  return true;
}

function compositesMatch(
  local: Side,
  localId: number,
  target: Side,
  targetId: number,
  behind: boolean,
  level: number,
): boolean {
  const count = local.btf.vlen(localId);
  const targetCount = target.btf.vlen(targetId);
  if (count > targetCount) return false;
  const names = target.essentialNames(targetId);
  const hasMember = (i: number): boolean => {
    const type = local.memberType(localId, i);
    const same = names.get(essentialName(local.memberName(localId, i))) ?? [];
    return same.some(j => typesMatch(local, type, target, target.memberType(targetId, j), behind, level - 1));
  };
  for (let i = 0; i < count; i++) if (!hasMember(i)) return false;
  return true;
}

function intsMatch(local: Side, localId: number, target: Side, targetId: number): boolean {
  const signed = (side: Side, id: number): number => (side.intWord(id) >>> 24) & INT_SIGNED;
  return (
    local.btf.sizeOrType(localId) === target.btf.sizeOrType(targetId) &&
    signed(local, localId) === signed(target, targetId)
  );
}
