import { Btf } from '../btf/btf.js';
import { HEAD_WORDS, ROLE_STRING, ROLE_TYPE } from '../btf/kinds.js';
import { CodedError, type ErrorCode } from '../errors.js';
import { forwardInfo } from '../split/forward.js';
import { NAME_ONLY, WHOLE } from '../split/levels.js';
import { ForwardProver } from './prove-forward.js';
import type { Target } from './rebase.js';

/** What is proved of each module, in words for the report. */
export const MODULE_INVARIANTS = [
  'each re-based module decodes on the base, and no id or name of it dangles',
  'each of its types, own or copied, equals its original, field by field, ids mapped and names compared, or is a FWD for a struct or union that only pointers lead to (closure forward)',
  'each word of its .BTF_ids names the type that it named',
  'no byte of it outside .BTF, .BTF.base, .BTF_ids and the signature changed',
] as const;

type Fail = (detail: string) => never;

/** Proves re-based BTF on the bytes that are about to be written, one module after the other. */
export class ModuleProver {
  readonly #target: Target;
  readonly #forwards: ForwardProver | undefined;
  /** By id of the original: id of the copy in the module at hand. */
  readonly #copyOf: Uint32Array;

  constructor(target: Target) {
    this.#target = target;
    this.#forwards = target.reach === 'forward' ? new ForwardProver(target) : undefined;
    this.#copyOf = new Uint32Array(target.original.count + 1);
  }

  /**
   * `from`: where each type of `bytes` comes from, in order. Returns the decoded BTF. Throws `code` when anything is not as
   * it was.
   */
  prove(module: Btf, bytes: Uint8Array, from: Uint32Array, file: string, code: ErrorCode = 'invariant'): Btf {
    const fail: Fail = detail => {
      throw new CodedError(code, detail, { file, section: '.BTF' });
    };
    const { base, inBase } = this.#target;
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
      if (own) ownIdOf[id - module.firstId] = base.endId + i;
      else copyOf[id] = base.endId + i;
    }
    const map = (id: number): number =>
      id >= module.firstId ? ownIdOf[id - module.firstId] : copyOf[id] || inBase.ids[id];
    const pairs = { module, rebased, map, names: new NamePairs(module, rebased) };
    const standIns = new Uint8Array(from.length);
    for (let i = 0; i < from.length; i++) {
      const isCopy = from[i] < module.firstId;
      if (isCopy && this.#forwards?.standsFor(rebased, i, from[i])) standIns[i] = 1;
      if (isCopy && inBase.levels[from[i]] >= (standIns[i] === 1 ? NAME_ONLY : WHOLE))
        fail(`type ${base.endId + i} is a copy of one that the base has`);
      if (standIns[i] === 1) compareForward(pairs, i, from[i], fail);
      else compareRecord(pairs, i, from[i], fail);
    }
    this.#forwards?.prove(rebased, standIns, fail);
    for (const id of from) if (id < module.firstId) copyOf[id] = 0;
    return rebased;
  }
}

/** A module before and after. */
interface Pair {
  readonly module: Btf;
  readonly rebased: Btf;
  /** Old id to new one. */
  readonly map: (id: number) => number;
  readonly names: NamePairs;
}

/** The `i`th type of a re-based module against the one it comes from. */
function compareRecord({ module, rebased, map, names }: Pair, i: number, from: number, fail: Fail): void {
  const { words, roles, starts, firstId } = module.owner(from);
  const start = starts[from - firstId];
  const end = starts[from - firstId + 1];
  let to = rebased.starts[i];
  if (rebased.starts[i + 1] !== to + end - start)
    fail(`type ${rebased.firstId + i} has another length than its original`);
  for (let at = start; at < end; at++, to++) {
    const is = rebased.words[to];
    const was = words[at];
    const same =
      roles[at] === ROLE_STRING
        ? names.same(was, is)
        : roles[at] === ROLE_TYPE
          ? is === map(was) && (was === 0 || is !== 0)
          : is === was;
    if (!same) fail(`type ${rebased.firstId + i} differs from its original, at word ${to}`);
  }
}

function compareForward({ module, rebased, names }: Pair, i: number, from: number, fail: Fail): void {
  const { words, starts, firstId } = module.owner(from);
  const at = rebased.starts[i];
  const [name, info, rest] = rebased.words.subarray(at, at + HEAD_WORDS);
  if (!names.same(words[starts[from - firstId]], name) || info !== forwardInfo(module.kind(from)) || rest !== 0)
    fail(`type ${rebased.firstId + i} is no FWD for its original, at word ${at}`);
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
