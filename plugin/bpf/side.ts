import type { Btf } from '../btf/btf.js';
import { essentialName } from '../btf/essential.js';
import {
  HEAD_WORDS,
  IS_MODIFIER,
  KIND_ARRAY,
  KIND_DATASEC,
  KIND_DECL_TAG,
  KIND_ENUM,
  KIND_ENUM64,
  KIND_FLOAT,
  KIND_INT,
  KIND_PTR,
  KIND_STRUCT,
  KIND_UNION,
  KIND_VAR,
} from '../btf/kinds.js';
import { pointerBytesOf } from '../btf/pointer-size.js';
import { skipModifiers } from '../btf/resolve.js';
import { CodedError } from '../errors.js';
import { shortString, typeName } from './text.js';

/** Steps of matching that one object may take, less than a second's work: many times what the largest programs need. */
const STEPS = 3_000_000;
/** libbpf's MAX_RESOLVE_DEPTH. */
const MAX_DEPTH = 32;
const LARGEST = 0xffffffff;

/** What libbpf refuses, with its reason. */
export function undecidable(detail: string): CodedError {
  return new CodedError('core-relocation', detail);
}

/** Counts the work of matching: hostile types can ask for more steps than anybody waits for. */
export class Budget {
  #left = STEPS;

  spend(steps: number): void {
    this.#left -= steps;
    if (this.#left < 0) throw undecidable('it takes too many steps');
  }
}

/** The members of a struct or union, to be searched more than once. */
export interface MemberNames {
  /** The first member of each name. */
  readonly first: ReadonlyMap<string, number>;
  /** Members without name, in order. */
  readonly anonymous: readonly number[];
}

/** One of the two BTFs of a relocation, the program's or the kernel's, as libbpf looks at it. */
export class Side {
  readonly btf: Btf;
  readonly budget: Budget;
  /** Bytes of a pointer. */
  readonly pointerBytes: number;
  readonly #members = new Map<number, MemberNames>();
  readonly #essential = new Map<number, ReadonlyMap<string, readonly number[]>>();

  constructor(btf: Btf, budget: Budget, pointerBytes = pointerBytesOf(btf)) {
    this.btf = btf;
    this.budget = budget;
    this.pointerBytes = pointerBytes;
  }

  /** 0 for void. */
  kind(id: number): number {
    return id === 0 ? 0 : this.btf.kind(id);
  }

  name(id: number): string {
    return typeName(this.btf, id);
  }

  /** Without modifiers and typedefs. */
  skip(id: number): number {
    this.budget.spend(1);
    return skipModifiers(this.btf, id);
  }

  isEnum(id: number): boolean {
    const kind = this.kind(id);
    return kind === KIND_ENUM || kind === KIND_ENUM64;
  }

  isComposite(id: number): boolean {
    const kind = this.kind(id);
    return kind === KIND_STRUCT || kind === KIND_UNION;
  }

  isArray(id: number): boolean {
    return this.kind(id) === KIND_ARRAY;
  }

  /** A word of element `index` of a record with elements of `size` words; the caller has checked the index. */
  #element(id: number, index: number, size: number, word: number): number {
    return this.btf.words[this.btf.start(id) + HEAD_WORDS + index * size + word];
  }

  memberName(id: number, index: number): string {
    this.budget.spend(1);
    return shortString(this.btf, this.#element(id, index, 3, 0));
  }

  /** Made once a type: thousands of relocations may look through one struct of thousands of members. */
  memberNames(id: number): MemberNames {
    const known = this.#members.get(id);
    if (known !== undefined) return known;
    const first = new Map<string, number>();
    const anonymous: number[] = [];
    for (let index = 0; index < this.btf.vlen(id); index++) {
      const name = this.memberName(id, index);
      if (name === '') anonymous.push(index);
      else if (!first.has(name)) first.set(name, index);
    }
    const names = { first, anonymous };
    this.#members.set(id, names);
    return names;
  }

  /** Members of a struct or union, or values of an enum, by their names without flavour; indexes ascend. Made once a type. */
  essentialNames(id: number): ReadonlyMap<string, readonly number[]> {
    const known = this.#essential.get(id);
    if (known !== undefined) return known;
    const names = new Map<string, number[]>();
    const isEnum = this.isEnum(id);
    for (let index = 0; index < this.btf.vlen(id); index++) {
      const name = essentialName(isEnum ? this.enumeratorName(id, index) : this.memberName(id, index));
      const others = names.get(name);
      if (others === undefined) names.set(name, [index]);
      else others.push(index);
    }
    this.#essential.set(id, names);
    return names;
  }

  memberType(id: number, index: number): number {
    return this.#element(id, index, 3, 1);
  }

  memberBits(id: number, index: number): { readonly offset: number; readonly width: number } {
    const word = this.#element(id, index, 3, 2);
    return this.btf.kindFlag(id) ? { offset: word & 0xffffff, width: word >>> 24 } : { offset: word, width: 0 };
  }

  enumeratorName(id: number, index: number): string {
    this.budget.spend(1);
    return shortString(this.btf, this.#element(id, index, this.kind(id) === KIND_ENUM ? 2 : 3, 0));
  }

  /** As the words stand there: two enumerators are compared, not computed with. */
  enumeratorValue(id: number, index: number): string {
    if (this.kind(id) === KIND_ENUM64)
      return `${this.#element(id, index, 3, 1) | 0},${this.#element(id, index, 3, 2) | 0}`;
    const low = this.#element(id, index, 2, 1) | 0;
    return `${low},${low < 0 ? -1 : 0}`;
  }

  arrayElement(id: number): number {
    return this.btf.words[this.btf.start(id) + HEAD_WORDS];
  }

  arrayLength(id: number): number {
    return this.btf.words[this.btf.start(id) + HEAD_WORDS + 2];
  }

  parameterType(id: number, index: number): number {
    return this.#element(id, index, 2, 1);
  }

  /** Encoding in bits 24-27, bit offset in 16-23. */
  intWord(id: number): number {
    return this.btf.words[this.btf.start(id) + HEAD_WORDS];
  }

  /** Bytes of a type (btf__resolve_size). Throws `core-relocation` for what has none. */
  size(id: number): number {
    let elements = 1;
    let at = id;
    for (let depth = 0; depth < MAX_DEPTH && at !== 0; depth++) {
      this.budget.spend(1);
      const kind = this.kind(at);
      if (kind === KIND_ARRAY) {
        elements *= this.arrayLength(at);
        at = this.arrayElement(at);
      } else if (SIZED.has(kind) || kind === KIND_PTR) {
        const bytes = elements * (kind === KIND_PTR ? this.pointerBytes : this.btf.sizeOrType(at));
        if (bytes > LARGEST) break;
        return bytes;
      } else if (kind === KIND_VAR || kind === KIND_DECL_TAG || IS_MODIFIER[kind] !== 0) at = this.btf.sizeOrType(at);
      else break;
    }
    throw undecidable(`type ${id} has no size`);
  }
}

const SIZED: ReadonlySet<number> = new Set([
  KIND_INT,
  KIND_STRUCT,
  KIND_UNION,
  KIND_ENUM,
  KIND_ENUM64,
  KIND_DATASEC,
  KIND_FLOAT,
]);

/** Kinds that may stand for each other: the same one, or both enums (btf_kind_core_compat). */
export function sameCoreKind(one: number, other: number): boolean {
  const isEnum = (kind: number): boolean => kind === KIND_ENUM || kind === KIND_ENUM64;
  return one === other || (isEnum(one) && isEnum(other));
}
