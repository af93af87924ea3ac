import type { Btf } from '../btf/btf.js';
import { KIND_INT } from '../btf/kinds.js';
import { CodedError } from '../errors.js';
import { type CoreRelocation, relocationsOf } from './btf-ext.js';
import { candidateKey, findCandidates } from './candidates.js';
import type { BpfObject } from './object.js';
import * as kinds from './relocation.js';
import { Budget, Side, undecidable } from './side.js';
import { matchSpec, parseSpec, type Spec } from './spec.js';

const INT_SIGNED = 1;
/** Widest integer that a bit field may be read with. Bytes. */
const WIDEST = 8;

/** A relocation of a program, decided for one kernel. */
export interface Relocated {
  readonly section: string;
  readonly relocation: CoreRelocation;
  /** The program's side; undefined when it cannot even be read. */
  readonly local: Spec | undefined;
  /** The first candidate that has what is asked for; undefined when none has, or when no type of a kernel is asked for. */
  readonly target: Spec | undefined;
  /** All candidates that have it. */
  readonly matches: readonly number[];
  /** All types of the kernel that were tried. */
  readonly candidates: readonly number[];
  /** Why libbpf refuses to load the object; undefined when it does not. */
  readonly refused: CodedError | undefined;
}

/** The two BTFs that relocations of one object are decided with. */
export class Relocator {
  readonly local: Side;
  readonly target: Side;
  readonly #candidates: ReadonlyMap<string, readonly number[]>;
  /** Local type → what is left of its candidates: one that lacked what was asked for once is not asked again. */
  readonly #left = new Map<number, readonly number[]>();
  readonly #object: BpfObject;

  constructor(object: BpfObject, target: Btf) {
    const budget = new Budget();
    this.#object = object;
    this.local = new Side(object.btf, budget, WIDEST);
    this.target = new Side(target, budget);
    const ids = new Set(
      object.relocations.flatMap(group => relocationsOf(group, object.btf).map(({ typeId }) => typeId)),
    );
    this.#candidates = findCandidates(
      target,
      Array.from(ids, id => ({ kind: this.local.kind(id), name: this.local.name(id) })),
    );
  }

  /** Every relocation of the object, in its order. Throws nothing for what libbpf refuses. */
  *all(): Generator<Relocated> {
    for (const group of this.#object.relocations)
      for (const relocation of relocationsOf(group, this.#object.btf)) yield this.#decide(group.section, relocation);
  }

  #decide(section: string, relocation: CoreRelocation): Relocated {
    const { typeId, kind } = relocation;
    let local: Spec | undefined;
    let candidates: readonly number[] = [];
    const nothing = { section, relocation, target: undefined, matches: [], refused: undefined };
    try {
      local = parseSpec(this.local, relocation);
      if (kind === kinds.TYPE_ID_LOCAL) return { ...nothing, local, candidates };
      const name = this.local.name(typeId);
      if (name === '') throw undecidable(`${kinds.relocationName(kind)} of an anonymous type`);
      candidates = this.#left.get(typeId) ?? this.#candidates.get(candidateKey(this.local.kind(typeId), name)) ?? [];
      const specs = this.#match(local, candidates);
      const matches = specs.map(({ rootId }) => rootId);
      if (matches.length > 0) this.#left.set(typeId, matches);
      return { ...nothing, local, target: specs[0], matches, candidates };
    } catch (error) {
      if (!(error instanceof CodedError) || error.code !== 'core-relocation') throw error;
      return { ...nothing, local, candidates, refused: error };
    }
  }

  /** The candidates that have what is asked for; they must agree (bpf_core_calc_relo_insn). */
  #match(wanted: Spec, candidates: readonly number[]): Spec[] {
    relocatedValue(this.local, wanted);
    const found: Spec[] = [];
    let value: string | undefined;
    for (const candidate of candidates) {
      this.target.budget.spend(1);
      const spec = matchSpec(this.local, wanted, this.target, candidate);
      if (spec === undefined) continue;
      const its = relocatedValue(this.target, spec);
      if (value !== undefined && (its !== value || spec.bitOffset !== found[0].bitOffset))
        throw undecidable(`${kinds.relocationName(spec.kind)} of ${this.target.name(candidate)} is ambiguous`);
      value = its;
      found.push(spec);
    }
    return found;
  }
}

/** What libbpf would write into the instruction, as far as candidates can differ in it (bpf_core_calc_relo). */
function relocatedValue(side: Side, spec: Spec): string {
  if (kinds.isFieldBased(spec.kind)) return fieldValue(side, spec);
  const [first] = spec.accessors;
  switch (spec.kind) {
    case kinds.TYPE_ID_TARGET:
      return String(spec.rootId);
    case kinds.TYPE_SIZE:
      return String(side.size(spec.rootId));
    case kinds.ENUMVAL_VALUE:
      return side.enumeratorValue(first.typeId, first.index);
    default:
      return 'yes';
  }
}

/** bpf_core_calc_field_relo. */
function fieldValue(side: Side, { kind, accessors, bitOffset }: Spec): string {
  if (kind === kinds.FIELD_EXISTS) return 'yes';
  const { typeId, index, name } = accessors[accessors.length - 1];
  if (name === undefined) {
    if (kind !== kinds.FIELD_BYTE_OFFSET && kind !== kinds.FIELD_BYTE_SIZE)
      throw undecidable(`${kinds.relocationName(kind)} of an array element`);
    const bytes = side.size(typeId);
    return String(kind === kinds.FIELD_BYTE_SIZE ? bytes : Math.floor(bitOffset / 8));
  }
  const type = side.skip(side.memberType(typeId, index));
  const { width } = side.memberBits(typeId, index);
  let bytes = width > 0 ? side.btf.sizeOrType(type) : side.size(type);
  let offset = width > 0 ? alignedBefore(bitOffset, bytes) : Math.floor(bitOffset / 8);
  while (width > 0 && bitOffset + width - offset * 8 > bytes * 8) {
    if (bytes >= WIDEST || bytes === 0) throw undecidable('a bit field that no integer holds');
    bytes *= 2;
    offset = alignedBefore(bitOffset, bytes);
  }
  const bits = width > 0 ? width : bytes * 8;
  switch (kind) {
    case kinds.FIELD_BYTE_OFFSET:
      return String(offset);
    case kinds.FIELD_BYTE_SIZE:
      return String(bytes);
    case kinds.FIELD_SIGNED:
      return String(isSigned(side, type));
    case kinds.FIELD_LSHIFT_U64:
      return String(64 - (bitOffset + bits - offset * 8));
    default:
      return String(64 - bits);
  }
}

/** Offset in bytes of the aligned integer that a bit lies in. */
function alignedBefore(bitOffset: number, bytes: number): number {
  return bytes === 0 ? 0 : Math.floor(Math.floor(bitOffset / 8) / bytes) * bytes;
}

function isSigned(side: Side, type: number): boolean {
  if (side.isEnum(type)) return side.btf.kindFlag(type);
  return side.kind(type) === KIND_INT && ((side.intWord(type) >>> 24) & INT_SIGNED) !== 0;
}
