import type { Btf } from '../btf.js';
import {
  HEAD_WORDS,
  IS_COMPOSITE,
  IS_MODIFIER,
  infoKindFlag,
  infoVlen,
  KIND_ARRAY,
  KIND_DATASEC,
  KIND_DECL_TAG,
  KIND_FUNC,
  KIND_FUNC_PROTO,
  KIND_FWD,
  KIND_INT,
  KIND_PTR,
  KIND_STRUCT,
  KIND_UNION,
  KIND_VAR,
} from '../kinds.js';
import type { Collector } from './findings.js';
import { isWellPlaced } from './members.js';
import type { Names } from './names.js';
import type { RuleId } from './rules.js';
import { HAS_NO_SIZE, IS_SOURCE_ONLY, MAY_BE_TAGGED, NEEDS_RESOLVE, TypeTable } from './shapes.js';
import { Sizes } from './sizes.js';

/** MAX_RESOLVE_DEPTH. */
const MAX_DEPTH = 32;

const NOT_VISITED = 0;
const VISITED = 1;
const RESOLVED = 2;

/** Instead of a type id: another type is on the stack now, or nothing can be made of this one. */
const DESCENDED = -1;
const FAILED = -2;

/** What ends a path (enum resolve_mode): whatever needs nothing; for a pointer also what is no pointer; for a struct or array, a pointer. */
const ANY = 0;
const POINTER = 1;
const CONTENT = 2;

/**
 * Rules about what types are made of (btf_check_all_types): the kernel holds BPF programs' BTF to them, its own it takes without a look.
 * The same walk in the same order as the kernel's, on a stack of 32 types, so that what depends on the order (depth, a pointer to a
 * FUNC) comes out the same. Each type is resolved once; one that failed is taken for good afterwards, so that one
 * mistake is one finding.
 */
export function lintResolve(btf: Btf, names: Names, pointerBytes: number, found: Collector<RuleId>): void {
  new Resolver(btf, names, pointerBytes, found).run();
}

class Resolver {
  readonly #btf: Btf;
  readonly #types: TypeTable;
  readonly #names: Names;
  readonly #found: Collector<RuleId>;
  readonly #states: Uint8Array;
  /** A type that failed, or is made of one that did. */
  readonly #failed: Uint8Array;
  readonly #sizes: Sizes;
  readonly #stack = new Uint32Array(MAX_DEPTH);
  /** Element at which a type on the stack goes on. */
  readonly #next = new Uint32Array(MAX_DEPTH);
  #top = 0;
  #mode = ANY;
  /** Bytes of the ARRAY that was resolved just now. */
  #arrayBytes = 0;

  constructor(btf: Btf, names: Names, pointerBytes: number, found: Collector<RuleId>) {
    this.#btf = btf;
    this.#types = new TypeTable(btf);
    this.#names = names;
    this.#found = found;
    this.#states = new Uint8Array(btf.endId);
    this.#failed = new Uint8Array(btf.endId);
    this.#sizes = new Sizes(this.#types, pointerBytes);
  }

  run(): void {
    const { kinds } = this.#types;
    for (let id = 1; id < this.#btf.endId; id++) {
      if (NEEDS_RESOLVE[kinds[id]] !== 0) this.#resolve(id);
      else if (kinds[id] === KIND_FUNC_PROTO) this.#checkProto(id);
    }
  }

  #resolve(root: number): void {
    if (this.#states[root] === RESOLVED) return;
    this.#mode = ANY;
    this.#push(root, root);
    while (this.#top > 0) {
      const end = this.#step(this.#stack[this.#top - 1]);
      if (end !== DESCENDED) this.#pop(end);
    }
  }

  /** A finding, unless it is the base's. */
  #report(rule: RuleId, id: number, a: number, b = 0): void {
    if (id >= this.#btf.firstId) this.#found.add(rule, id, a, b);
  }

  #push(id: number, from: number): void {
    const tooDeep = this.#top === MAX_DEPTH;
    if (tooDeep || this.#states[id] !== NOT_VISITED) {
      this.#report(tooDeep ? 'depth' : 'loop', tooDeep ? this.#stack[0] : from, id);
      // The loop is found once: all that led to it is done with.
      while (this.#top > 0) this.#pop(FAILED);
      return;
    }
    this.#states[id] = VISITED;
    this.#stack[this.#top] = id;
    this.#next[this.#top++] = 0;
    if (this.#mode !== ANY) return;
    const kind = this.#types.kinds[id];
    if (kind === KIND_PTR) this.#mode = POINTER;
    else if (IS_COMPOSITE[kind] !== 0 || kind === KIND_ARRAY) this.#mode = CONTENT;
  }

  /** Takes the top of the stack off: `end` is what it leads to, or FAILED. */
  #pop(end: number): void {
    const id = this.#stack[--this.#top];
    this.#states[id] = RESOLVED;
    if (end === FAILED) this.#failed[id] = 1;
    else this.#sizes.leadsTo[id] = end;
    this.#sizes.arrayBytes[id] = this.#arrayBytes;
    this.#arrayBytes = 0;
  }

  #fail(rule: RuleId, id: number, a: number, b = 0): number {
    this.#report(rule, id, a, b);
    return FAILED;
  }

  /** True when `to` has to be resolved first; it is on the stack then. */
  #descend(to: number, from: number): boolean {
    const kind = this.#types.kinds[to];
    if (NEEDS_RESOLVE[kind] === 0 || this.#states[to] === RESOLVED) return false;
    if (this.#mode === POINTER && IS_MODIFIER[kind] === 0 && kind !== KIND_PTR) return false;
    if (this.#mode === CONTENT && IS_MODIFIER[kind] === 0 && kind !== KIND_ARRAY && IS_COMPOSITE[kind] === 0)
      return false;
    this.#push(to, from);
    return true;
  }

  /** What the type leads to (0 for those that end with themselves), DESCENDED or FAILED. */
  #step(id: number): number {
    switch (this.#types.kinds[id]) {
      case KIND_STRUCT:
      case KIND_UNION:
        return this.#stepComposite(id);
      case KIND_ARRAY:
        return this.#stepArray(id);
      case KIND_DATASEC:
        return this.#stepDatasec(id);
      case KIND_DECL_TAG:
        return this.#stepTag(id);
      case KIND_FUNC:
        return this.#stepFunc(id);
      default:
        return this.#stepReference(id);
    }
  }

  /** btf_modifier_resolve, btf_ptr_resolve, btf_var_resolve. */
  #stepReference(id: number): number {
    const { kinds, third } = this.#types;
    const to = third[id];
    const kind = kinds[id];
    if (IS_SOURCE_ONLY[kinds[to]] !== 0) return this.#fail('target', id, to);
    if (this.#descend(to, id)) return DESCENDED;
    if (this.#failed[to] !== 0) return FAILED;
    if (IS_MODIFIER[kind] === 0 && IS_MODIFIER[kinds[to]] !== 0) {
      // A modifier that was resolved as content stops at a pointer, which may lead back here.
      const pointer = this.#sizes.leadsTo[to];
      if (kinds[pointer] === KIND_PTR && this.#descend(pointer, id)) return DESCENDED;
    }
    if (this.#sizes.measure(to)) return this.#sizes.type;
    const end = this.#states[to] === RESOLVED ? this.#sizes.leadsTo[to] : to;
    const open = end === 0 || kinds[end] === KIND_FWD || kinds[end] === KIND_FUNC_PROTO;
    if (kind === KIND_VAR || !open) return this.#fail('target', id, to);
    return end;
  }

  #stepComposite(id: number): number {
    const { kinds, info, third, at } = this.#types;
    const words = this.#types.words(id);
    const vlen = infoVlen(info[id]);
    const flagged = infoKindFlag(info[id]);
    for (let nth = this.#next[this.#top - 1]; nth < vlen; nth++) {
      const word = at[id] + HEAD_WORDS + nth * 3;
      const type = words[word + 1];
      if (HAS_NO_SIZE[kinds[type]] !== 0 || IS_SOURCE_ONLY[kinds[type]] !== 0) {
        this.#report('member', id, nth, type);
        continue;
      }
      this.#next[this.#top - 1] = nth;
      if (this.#descend(type, id)) return DESCENDED;
      if (this.#failed[type] !== 0) continue;
      const placed =
        this.#sizes.measure(type) &&
        isWellPlaced(this.#types, {
          structBytes: third[id],
          type: this.#sizes.type,
          bytes: this.#sizes.bytes,
          offset: words[word + 2],
          flagged,
          pointerBytes: this.#sizes.pointerBytes,
        });
      if (!placed) this.#report('member', id, nth, type);
    }
    return 0;
  }

  #stepArray(id: number): number {
    const { kinds, at } = this.#types;
    const words = this.#types.words(id);
    const [element, index, count] = words.subarray(at[id] + HEAD_WORDS, at[id] + HEAD_WORDS + 3);
    if (HAS_NO_SIZE[kinds[index]] !== 0 || IS_SOURCE_ONLY[kinds[index]] !== 0)
      return this.#fail('array-index', id, index);
    if (this.#descend(index, id)) return DESCENDED;
    if (this.#failed[index] === 0 && !(this.#sizes.measure(index) && this.#types.isRegularInt(this.#sizes.type)))
      return this.#fail('array-index', id, index);
    if (HAS_NO_SIZE[kinds[element]] !== 0 || IS_SOURCE_ONLY[kinds[element]] !== 0)
      return this.#fail('array-element', id, element, count);
    if (this.#descend(element, id)) return DESCENDED;
    if (this.#failed[element] !== 0) return FAILED;
    const isInt = this.#sizes.measure(element) && kinds[this.#sizes.type] === KIND_INT;
    if (
      this.#sizes.type === 0 ||
      (isInt && !this.#types.isRegularInt(this.#sizes.type)) ||
      this.#sizes.bytes * count > 0xffffffff
    )
      return this.#fail('array-element', id, element, count);
    this.#arrayBytes = this.#sizes.bytes * count;
    return this.#sizes.type;
  }

  #stepDatasec(id: number): number {
    const { kinds, info, third, at } = this.#types;
    const words = this.#types.words(id);
    const vlen = infoVlen(info[id]);
    this.#mode = ANY;
    for (let nth = this.#next[this.#top - 1]; nth < vlen; nth++) {
      const word = at[id] + HEAD_WORDS + nth * 3;
      const variable = words[word];
      if (kinds[variable] !== KIND_VAR) {
        this.#report('datasec-variable', id, nth, variable);
        continue;
      }
      this.#next[this.#top - 1] = nth;
      if (this.#descend(variable, id)) return DESCENDED;
      if (this.#failed[variable] !== 0) continue;
      if (!this.#sizes.measure(third[variable]) || words[word + 2] < this.#sizes.bytes)
        this.#report('datasec-variable', id, nth, variable);
    }
    return 0;
  }

  #stepTag(id: number): number {
    const { kinds, info, third, at } = this.#types;
    const to = third[id];
    const component = this.#types.words(id)[at[id] + HEAD_WORDS] | 0;
    if (MAY_BE_TAGGED[kinds[to]] === 0) return this.#fail('tag-target', id, to, component);
    if (this.#descend(to, id)) return DESCENDED;
    if (this.#failed[to] === 0 && component !== -1) {
      const holder = kinds[to] === KIND_FUNC ? third[to] : to;
      const parts = IS_COMPOSITE[kinds[to]] !== 0 || kinds[to] === KIND_FUNC ? infoVlen(info[holder]) : 0;
      if (component >>> 0 >= parts) return this.#fail('tag-target', id, to, component);
    }
    return to;
  }

  #stepFunc(id: number): number {
    const { kinds, third } = this.#types;
    const proto = third[id];
    if (kinds[proto] !== KIND_FUNC_PROTO) return this.#fail('func-proto', id, proto);
    return this.#types.hasNamedParameters(proto) ? proto : this.#fail('func-proto', id, proto);
  }

  /** btf_func_proto_check. */
  #checkProto(id: number): void {
    const { info, third, at } = this.#types;
    const words = this.#types.words(id);
    const first = at[id] + HEAD_WORDS;
    let parameters = infoVlen(info[id]);
    if (third[id] !== 0 && !this.#hasSize(third[id])) this.#report('parameter', id, 0);
    if (parameters === 0) return;
    const last = first + (parameters - 1) * 2;
    if (words[last + 1] === 0) {
      if (words[last] !== 0) this.#report('parameter', id, parameters);
      parameters--;
    }
    for (let nth = 0; nth < parameters; nth++) {
      const name = words[first + nth * 2];
      if ((name !== 0 && !this.#names.isIdentifier(name)) || !this.#hasSize(words[first + nth * 2 + 1]))
        this.#report('parameter', id, nth + 1);
    }
  }

  #hasSize(type: number): boolean {
    const { kinds } = this.#types;
    if (IS_SOURCE_ONLY[kinds[type]] !== 0) return false;
    if (NEEDS_RESOLVE[kinds[type]] !== 0) this.#resolve(type);
    return this.#failed[type] !== 0 || this.#sizes.measure(type);
  }
}
