import { Btf } from '../btf/btf.js';
import { ROLE_STRING, ROLE_TYPE } from '../btf/kinds.js';
import { CodedError, type ErrorCode } from '../errors.js';
import type { Target } from './rebase.js';

/** What is proved of each module, in words for the report. */
export const MODULE_INVARIANTS = [
  'each re-based module decodes on the base, and no id or name of it dangles',
  'each of its types, own or copied, equals its original, field by field, ids mapped and names compared',
  'each word of its .BTF_ids names the type that it named',
  'no byte of it outside .BTF, .BTF.base, .BTF_ids and the signature changed',
] as const;

/** Proves re-based BTF on the bytes that are about to be written, one module after the other. */
export class ModuleProver {
  readonly #target: Target;
  /** By id of the original: id of the copy in the module at hand. */
  readonly #copyOf: Uint32Array;

  constructor(target: Target) {
    this.#target = target;
    this.#copyOf = new Uint32Array(target.original.count + 1);
  }

  /**
   * `from`: where each type of `bytes` comes from, in order. Returns the decoded BTF. Throws `code` when anything is not as
   * it was.
   */
  prove(module: Btf, bytes: Uint8Array, from: Uint32Array, file: string, code: ErrorCode = 'invariant'): Btf {
    const fail = (detail: string): never => {
      throw new CodedError(code, detail, { file, section: '.BTF' });
    };
    const { base, baseIdOf } = this.#target;
    const rebased = decode(bytes, base, fail);
    if (rebased.header.flags !== module.header.flags) fail('its header has other flags');
    if (Buffer.compare(rebased.layout, module.layout) !== 0) fail('it describes other kinds');
    if (rebased.count !== from.length) fail(`it has ${rebased.count} types where ${from.length} were due`);
    const ownIdOf = new Uint32Array(module.count);
    const copyOf = this.#copyOf;
    let [lastOwn, lastCopy] = [0, 0];
    for (let i = 0; i < from.length; i++) {
      const id = from[i];
      const own = id >= module.firstId;
      if (id <= (own ? lastOwn : lastCopy)) fail(`type ${base.endId + i} is out of order`);
      if (own) lastOwn = id;
      else lastCopy = id;
      if (!own && baseIdOf[id] !== 0) fail(`type ${base.endId + i} is a copy of one that the base has`);
      if (own) ownIdOf[id - module.firstId] = base.endId + i;
      else copyOf[id] = base.endId + i;
    }
    const map = (id: number): number =>
      id === 0 ? 0 : id >= module.firstId ? ownIdOf[id - module.firstId] : baseIdOf[id] || copyOf[id];
    const names = new NamePairs(module, rebased);
    let to = 0;
    for (let i = 0; i < from.length; i++) {
      const { words, roles, starts, firstId } = module.owner(from[i]);
      const start = starts[from[i] - firstId];
      const end = starts[from[i] - firstId + 1];
      if (rebased.starts[i] !== to || rebased.starts[i + 1] !== to + end - start)
        fail(`type ${base.endId + i} has another length than its original`);
      for (let at = start; at < end; at++, to++) {
        const is = rebased.words[to];
        const was = words[at];
        const same =
          roles[at] === ROLE_STRING
            ? names.same(was, is)
            : roles[at] === ROLE_TYPE
              ? is === map(was) && (was === 0 || is !== 0)
              : is === was;
        if (!same) fail(`type ${base.endId + i} differs from its original, at word ${to}`);
      }
    }
    for (const id of from) if (id < module.firstId) copyOf[id] = 0;
    return rebased;
  }
}

function decode(bytes: Uint8Array, base: Btf, fail: (detail: string) => never): Btf {
  try {
    return Btf.decode(bytes, base);
  } catch (error) {
    if (error instanceof CodedError) return fail(`it does not decode on the base: ${error.message}`);
    throw error;
  }
}

/** Names of two BTFs, compared byte by byte, each pair of offsets once. */
class NamePairs {
  readonly #before: Btf;
  readonly #after: Btf;
  readonly #equal = new Map<number, number>();

  constructor(before: Btf, after: Btf) {
    this.#before = before;
    this.#after = after;
  }

  same(was: number, is: number): boolean {
    if (this.#equal.get(was) === is) return true;
    const [left, leftAt] = stringsAt(this.#before, was);
    const [right, rightAt] = stringsAt(this.#after, is);
    let i = 0;
    while (left[leftAt + i] !== 0 && left[leftAt + i] === right[rightAt + i]) i++;
    if (left[leftAt + i] !== right[rightAt + i]) return false;
    this.#equal.set(was, is);
    return true;
  }
}

function stringsAt(btf: Btf, offset: number): [Uint8Array, number] {
  return btf.base !== undefined && offset < btf.stringBase
    ? [btf.base.strings, offset]
    : [btf.strings, offset - btf.stringBase];
}
