import { IS_MODIFIER, KIND_ARRAY, KIND_PTR, KIND_VAR } from '../kinds.js';
import { HAS_SIZE, type TypeTable } from './shapes.js';

/** Sizes of types, as far as they have been resolved (btf_type_id_size). */
export class Sizes {
  readonly pointerBytes: number;
  /** The type with a size (or FWD, FUNC_PROTO, void) that a resolved modifier, pointer or variable leads to. */
  readonly leadsTo: Uint32Array;
  /** Bytes of each resolved ARRAY. */
  readonly arrayBytes: Float64Array;
  /** What {@link measure} found: a type, and its bytes. */
  type = 0;
  bytes = 0;
  readonly #types: TypeTable;

  constructor(types: TypeTable, pointerBytes: number) {
    this.pointerBytes = pointerBytes;
    this.leadsTo = new Uint32Array(types.kinds.length);
    this.arrayBytes = new Float64Array(types.kinds.length);
    this.#types = types;
  }

  /** Sets {@link type} and {@link bytes} to what `id` leads to; false, and type 0, when that has no size. */
  measure(id: number): boolean {
    const { kinds, third } = this.#types;
    const type = IS_MODIFIER[kinds[id]] !== 0 || kinds[id] === KIND_VAR ? this.leadsTo[id] : id;
    const kind = kinds[type];
    this.type = type;
    if (HAS_SIZE[kind] !== 0) this.bytes = third[type];
    else if (kind === KIND_ARRAY) this.bytes = this.arrayBytes[type];
    else if (kind === KIND_PTR) this.bytes = this.pointerBytes;
    else this.type = 0;
    return this.type !== 0;
  }
}
